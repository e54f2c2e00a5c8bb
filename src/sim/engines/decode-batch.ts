/**
 * The requests that decode together: who is done next, and who joined last.
 *
 * A heap by the step of the last token and a stack in the order of joining share their entries; what leaves one of them is
 * only marked in the other and dropped when it comes up, so that every operation costs the logarithm of the batch at most.
 */
import type { Attempt } from "./request.ts";

interface Entry {
  readonly attempt: Attempt;
  readonly finishStep: number;
  readonly order: number;
  left: boolean;
}

export class DecodeBatch {
  readonly #heap: Entry[] = [];
  #stack: Entry[] = [];
  #size = 0;
  #order = 0;

  get size(): number {
    return this.#size;
  }

  /** By its `finishStep`, which must not change while it is in the batch. */
  join(attempt: Attempt): void {
    const entry: Entry = { attempt, finishStep: attempt.finishStep, order: this.#order++, left: false };
    this.#size++;
    this.#stack.push(entry);
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

  /** Infinity when the batch is empty. */
  get nextFinishStep(): number {
    return this.#first()?.finishStep ?? Number.POSITIVE_INFINITY;
  }

  /** Takes out one that has its last token by this step; of several the one that joined first. */
  takeFinished(step: number): Attempt | undefined {
    const first = this.#first();
    if (first === undefined || first.finishStep > step) return undefined;
    this.#dropFirst();
    first.left = true;
    this.#size--;
    // Half of what is on the stack is enough to make cleaning up cost no more than joining did.
    if (this.#stack.length > 2 * this.#size + 32) this.#stack = this.#stack.filter(({ left }) => !left);
    return first.attempt;
  }

  /** Takes out the one that joined last. */
  takeLatest(): Attempt | undefined {
    for (let entry = this.#stack.pop(); entry !== undefined; entry = this.#stack.pop()) {
      if (entry.left) continue;
      entry.left = true;
      this.#size--;
      return entry.attempt;
    }
    return undefined;
  }

  /** Takes out everything, in the order of joining. */
  drain(): Attempt[] {
    const attempts = this.#stack.filter(({ left }) => !left).map(({ attempt }) => attempt);
    this.#heap.length = 0;
    this.#stack = [];
    this.#size = 0;
    return attempts;
  }

  #first(): Entry | undefined {
    while (this.#heap[0]?.left === true) this.#dropFirst();
    return this.#heap[0];
  }

  #dropFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
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
  }
}

const before = (a: Entry, b: Entry): boolean =>
  a.finishStep < b.finishStep || (a.finishStep === b.finishStep && a.order < b.order);
