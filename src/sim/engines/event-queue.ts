/** The data plane's own future events: earliest first, equal times in the order of scheduling. */
export interface SimulatedEvent {
  readonly atMs: number;
  readonly run: (atMs: number) => void;
}

export class EventQueue {
  readonly #heap: { readonly event: SimulatedEvent; readonly order: number }[] = [];
  #order = 0;

  schedule(atMs: number, run: (atMs: number) => void): void {
    const entry = { event: { atMs, run }, order: this.#order++ };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as (typeof heap)[number];
      if (!before(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  /** Time of the next event, or infinity. */
  get nextMs(): number {
    return this.#heap[0]?.event.atMs ?? Number.POSITIVE_INFINITY;
  }

  pop(): SimulatedEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first?.event;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, heap[child] as (typeof heap)[number])) child++;
      const smallest = heap[child] as (typeof heap)[number];
      if (!before(smallest, last)) break;
      heap[index] = smallest;
      index = child;
    }
    heap[index] = last;
    return first.event;
  }
}

interface Entry {
  readonly event: SimulatedEvent;
  readonly order: number;
}

const before = (a: Entry, b: Entry): boolean =>
  a.event.atMs < b.event.atMs || (a.event.atMs === b.event.atMs && a.order < b.order);
