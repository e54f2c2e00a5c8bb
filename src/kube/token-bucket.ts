import type { Clock } from "../clock.ts";

/**
 * Client-side flow control, as client-go does it: `qps` tokens a second, at most `burst` saved up.
 * Callers are served in the order of their calls.
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #perMs: number;
  readonly #burst: number;
  /** May be negative: then tokens are promised to callers that still wait. */
  #tokens: number;
  #atMs: number;

  constructor(clock: Clock, options: { readonly qps: number; readonly burst: number }) {
    if (!(options.qps > 0)) throw new RangeError(`qps must be above 0, got ${options.qps}`);
    if (!(options.burst >= 1)) throw new RangeError(`burst must be at least 1, got ${options.burst}`);
    this.#clock = clock;
    this.#perMs = options.qps / 1000;
    this.#burst = options.burst;
    this.#tokens = options.burst;
    this.#atMs = clock.monotonicMs();
  }

  /** Takes one token; resolves with the milliseconds that it had to wait. */
  async take(signal?: AbortSignal): Promise<number> {
    const now = this.#clock.monotonicMs();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#atMs) * this.#perMs);
    this.#atMs = now;
    this.#tokens -= 1;
    if (this.#tokens >= 0) return 0;
    const waitMs = -this.#tokens / this.#perMs;
    await this.#clock.sleep(waitMs, signal);
    return waitMs;
  }
}
