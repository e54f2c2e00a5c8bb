/**
 * Remembers writes that the cache has not shown yet, so that a reconcile on a stale cache does not repeat them.
 * The idea of kube-controller-manager's UIDTrackingControllerExpectations; entries expire, since an event can be lost.
 */
import type { Clock } from "../clock.ts";

/** An event that has not come after this time never will. */
const EXPIRY_MS = 5 * 60_000;

interface Pending {
  /** Name or UID → monotonic time of the write. */
  readonly creations: Map<string, number>;
  readonly deletions: Map<string, number>;
}

export class Expectations {
  readonly #clock: Clock;
  readonly #byKey = new Map<string, Pending>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  expectCreation(key: string, uid: string): void {
    this.#of(key).creations.set(uid, this.#clock.monotonicMs());
  }

  expectDeletion(key: string, uid: string): void {
    this.#of(key).deletions.set(uid, this.#clock.monotonicMs());
  }

  /** What is still awaited, after taking off what the cache shows now. */
  pending(
    key: string,
    cache: { readonly present: ReadonlySet<string>; readonly terminating: ReadonlySet<string> },
  ): { readonly creations: number; readonly deletions: ReadonlySet<string> } {
    const pending = this.#byKey.get(key);
    if (pending === undefined) return { creations: 0, deletions: new Set() };
    const expiredMs = this.#clock.monotonicMs() - EXPIRY_MS;
    for (const [uid, atMs] of pending.creations) {
      if (cache.present.has(uid) || atMs < expiredMs) pending.creations.delete(uid);
    }
    for (const [uid, atMs] of pending.deletions) {
      if (!cache.present.has(uid) || cache.terminating.has(uid) || atMs < expiredMs) pending.deletions.delete(uid);
    }
    if (pending.creations.size === 0 && pending.deletions.size === 0) this.#byKey.delete(key);
    return { creations: pending.creations.size, deletions: new Set(pending.deletions.keys()) };
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }

  #of(key: string): Pending {
    let pending = this.#byKey.get(key);
    if (pending === undefined) {
      pending = { creations: new Map(), deletions: new Map() };
      this.#byKey.set(key, pending);
    }
    return pending;
  }
}
