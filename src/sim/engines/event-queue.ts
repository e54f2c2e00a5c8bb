/** The data plane's own future events: earliest first, equal times in the order of scheduling. */
export interface SimulatedEvent {
  readonly atMs: number;
  readonly run: (atMs: number) => void;
}

export class EventQueue {
  readonly #heap: Entry[] = [];
  #order = 0;

  schedule(atMs: number, run: (atMs: number) => void): void {
    const entry: Entry = { atMs, run, order: this.#order++ };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(entry);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Entry;
      if (!before(entry, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  /** Time of the next event, or infinity. */
  get nextMs(): number {
    return this.#heap[0]?.atMs ?? Number.POSITIVE_INFINITY;
  }

  pop(): SimulatedEvent | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, heap[child] as Entry)) child++;
      const smallest = heap[child] as Entry;
      if (!before(smallest, last)) break;
      heap[index] = smallest;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

interface Entry extends SimulatedEvent {
  readonly order: number;
}

const before = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
