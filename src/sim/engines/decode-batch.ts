/**
 * The requests that decode together: who is done next, and who joined last.
 *
 * A heap by the step of the last token and a stack in the order of joining share their entries; what leaves one of them is
 * only marked in the other and dropped when it comes up, so that every operation costs the logarithm of the batch at most.
 */
import { MinHeap } from "./min-heap.ts";
import type { Attempt } from "./request.ts";

interface Entry {
  readonly attempt: Attempt;
  left: boolean;
}

export class DecodeBatch {
  readonly #byFinish = new MinHeap<Entry>();
  #stack: Entry[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** By its `finishStep`, which must not change while it is in the batch. */
  join(attempt: Attempt): void {
    const entry: Entry = { attempt, left: false };
    this.#size++;
    this.#stack.push(entry);
    this.#byFinish.push(attempt.finishStep, entry);
  }

  /** Infinity when the batch is empty. */
  get nextFinishStep(): number {
    this.#forgetLeft();
    return this.#byFinish.firstKey;
  }

  /** Takes out one that has its last token by this step; of several the one that joined first. */
  takeFinished(step: number): Attempt | undefined {
    this.#forgetLeft();
    if (this.#byFinish.firstKey > step) return undefined;
    const first = this.#byFinish.pop();
    if (first === undefined) return undefined;
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
    this.#byFinish.clear();
    this.#stack = [];
    this.#size = 0;
    return attempts;
  }

  #forgetLeft(): void {
    while (this.#byFinish.first?.left === true) this.#byFinish.pop();
  }
}
