import type { Change } from "./range-functions.ts";

/**
 * The samples of one series: growing typed arrays whose front is cut by the retention.
 *
 * Staleness is Prometheus's own marker, the NaN with bits 0x7ff0000000000002. JavaScript does not keep NaN payloads
 * through arithmetic, so the marker is written and read as two 32-bit words and never passes through a number.
 */
const STALE_LOW = 0x2;
const STALE_HIGH = 0x7ff00000;
const FIRST_CAPACITY = 16;

export class SampleRing {
  #times = new Float64Array(FIRST_CAPACITY);
  #values = new Float64Array(FIRST_CAPACITY);
  #words = new Uint32Array(this.#values.buffer);
  #start = 0;
  #end = 0;

  get length(): number {
    return this.#end - this.#start;
  }

  get lastTimeMs(): number {
    return this.#end === this.#start ? Number.NEGATIVE_INFINITY : (this.#times[this.#end - 1] as number);
  }

  /** @returns false when the sample is not newer than the last one: such samples are dropped */
  append(timeMs: number, value: number): boolean {
    const at = this.#claim(timeMs);
    if (at === undefined) return false;
    this.#values[at] = value;
    // A computed NaN must never look like the marker.
    if (Number.isNaN(value)) this.#setWords(at, 0x1, 0x7ff80000);
    return true;
  }

  appendStale(timeMs: number): boolean {
    const at = this.#claim(timeMs);
    if (at === undefined) return false;
    this.#setWords(at, STALE_LOW, STALE_HIGH);
    return true;
  }

  timeAt(index: number): number {
    return this.#times[this.#start + index] as number;
  }

  valueAt(index: number): number {
    return this.#values[this.#start + index] as number;
  }

  isStale(index: number): boolean {
    return this.#isMarker(this.#start + index);
  }

  /** Index of the first sample at or after `timeMs`; `length` when there is none. */
  firstAtOrAfter(timeMs: number): number {
    // Most questions are about the present, and of series that have ended nothing is left of it.
    if (timeMs > this.lastTimeMs) return this.length;
    let low = this.#start;
    let high = this.#end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#times[middle] as number) < timeMs) low = middle + 1;
      else high = middle;
    }
    return low - this.#start;
  }

  /** The change between two times, both included, markers left out. */
  changeBetween(fromMs: number, toMs: number, isCounter: boolean, into: Change): void {
    const times = this.#times;
    const values = this.#values;
    let first = this.#start + this.firstAtOrAfter(fromMs);
    let last = this.#start + this.firstAtOrAfter(toMs + 1) - 1;
    while (last >= first && this.#isMarker(last)) last--;
    while (first <= last && this.#isMarker(first)) first++;
    into.samples = 0;
    if (first > last) return;
    let before = values[first] as number;
    into.firstMs = times[first] as number;
    into.lastMs = times[last] as number;
    into.firstValue = before;
    into.samples = 1;
    let change = (values[last] as number) - before;
    for (let at = first + 1; at <= last; at++) {
      if (this.#isMarker(at)) continue;
      const value = values[at] as number;
      if (isCounter && value < before) change += before;
      before = value;
      into.samples++;
    }
    into.change = change;
  }

  dropBefore(timeMs: number): void {
    if (this.#end > this.#start && (this.#times[this.#start] as number) >= timeMs) return;
    this.#start += this.firstAtOrAfter(timeMs);
  }

  #isMarker(at: number): boolean {
    return this.#words[2 * at] === STALE_LOW && this.#words[2 * at + 1] === STALE_HIGH;
  }

  #claim(timeMs: number): number | undefined {
    if (timeMs <= this.lastTimeMs) return undefined;
    if (this.#end === this.#times.length) this.#makeRoom();
    this.#times[this.#end] = timeMs;
    return this.#end++;
  }

  #setWords(at: number, low: number, high: number): void {
    this.#words[2 * at] = low;
    this.#words[2 * at + 1] = high;
  }

  /** Moves the samples to the front when half the array is free there, otherwise doubles it. */
  #makeRoom(): void {
    const times = this.#times.subarray(this.#start, this.#end);
    const words = this.#words.subarray(2 * this.#start, 2 * this.#end);
    if (this.#start >= this.#times.length / 2) {
      this.#times.copyWithin(0, this.#start, this.#end);
      this.#words.copyWithin(0, 2 * this.#start, 2 * this.#end);
    } else {
      const capacity = this.#times.length * 2;
      this.#times = new Float64Array(capacity);
      this.#times.set(times);
      this.#values = new Float64Array(capacity);
      this.#words = new Uint32Array(this.#values.buffer);
      this.#words.set(words);
    }
    this.#end -= this.#start;
    this.#start = 0;
  }
}
