/**
 * How many scale actions leave this process: a bug, or an event that every policy sees at once, must not rewrite a whole cluster in one second. What is
 * over the rate is not queued, since a queue would write decisions that are no longer true; it is decided anew.
 */
import type { Clock } from "../clock.ts";

export interface ActionRateOptions {
  readonly namespace?: RateLimit;
  readonly global?: RateLimit;
}

export interface RateLimit {
  /** Actions a second that are allowed in the long run. */
  readonly perSecond: number;
  /** Actions that may be saved up. */
  readonly burst: number;
}

/** One turn of a policy of 12 targets and 4 set replicas is 49 writes: the burst holds two of them. */
const NAMESPACE: RateLimit = { perSecond: 10, burst: 100 };
/** 10,000 policies that each change three objects within ten minutes are 50 a second. */
const GLOBAL: RateLimit = { perSecond: 50, burst: 500 };

interface Bucket {
  tokens: number;
  atMs: number;
}

export class ActionRate {
  readonly #clock: Clock;
  readonly #namespace: RateLimit;
  readonly #global: RateLimit;
  readonly #buckets = new Map<string, Bucket>();
  readonly #all: Bucket;

  constructor(clock: Clock, { namespace = NAMESPACE, global = GLOBAL }: ActionRateOptions = {}) {
    this.#clock = clock;
    this.#namespace = namespace;
    this.#global = global;
    this.#all = { tokens: global.burst, atMs: clock.monotonicMs() };
  }

  /** Takes one action. @returns why it has to wait, and then none is taken */
  take(namespace: string): string | undefined {
    const now = this.#clock.monotonicMs();
    const own = this.#buckets.get(namespace) ?? { tokens: this.#namespace.burst, atMs: now };
    this.#buckets.set(namespace, own);
    fill(own, this.#namespace, now);
    fill(this.#all, this.#global, now);
    if (own.tokens < 1) return `namespace ${namespace} has ${this.#namespace.perSecond} scale actions a second`;
    if (this.#all.tokens < 1) return `there are ${this.#global.perSecond} scale actions a second for all namespaces`;
    own.tokens--;
    this.#all.tokens--;
    return undefined;
  }
}

function fill(bucket: Bucket, { perSecond, burst }: RateLimit, nowMs: number): void {
  bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond);
  bucket.atMs = nowMs;
}
