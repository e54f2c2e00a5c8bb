/** The data plane's own future events: earliest first, equal times in the order of scheduling. */
import { MinHeap } from "./min-heap.ts";

export class EventQueue {
  readonly #events = new MinHeap<(atMs: number) => void>();

  schedule(atMs: number, run: (atMs: number) => void): void {
    this.#events.push(atMs, run);
  }

  /** Those up to `nowMs`, and those that they schedule up to then. */
  runUntil(nowMs: number): void {
    for (let atMs = this.#events.firstKey; atMs <= nowMs; atMs = this.#events.firstKey) this.#events.pop()?.(atMs);
  }
}
