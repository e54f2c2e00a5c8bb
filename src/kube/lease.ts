/**
 * Leader election on a coordination.k8s.io Lease, by compare-and-swap on its resource version.
 *
 * Timing is client-go's: a lease of 15 s, renewed every 2 s, given up when it could not be renewed for 10 s. Expiry of another
 * holder is measured with our own monotonic clock from the moment we saw its last renewal, never by comparing wall clocks.
 */
import { LEASES, type Lease } from "../api/kubernetes/core.ts";
import { formatMicroTime } from "../api/kubernetes/time.ts";
import type { Clock, Timer } from "../clock.ts";
import { type Logger, silentLogger } from "../log.ts";
import type { Random } from "../random.ts";
import { isAlreadyExists, isConflict, isNotFound } from "./api-error.ts";
import type { KubeApi } from "./kube-api.ts";
import { noRuntimeMetrics, type RuntimeMetrics } from "./runtime-metrics.ts";

export interface LeaderElectionOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly namespace: string;
  readonly name: string;
  /** Unique per process. */
  readonly identity: string;
  readonly leaseDurationMs?: number;
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
  readonly log?: Logger;
  readonly metrics?: RuntimeMetrics;
}

export interface Leadership {
  /** Resolves when this process leads; never when `signal` aborts before. */
  readonly acquired: Promise<void>;
  /** Aborts when the lease is lost or given back; what writes must stop then. */
  readonly lost: AbortSignal;
  /** Whether a write may go out now: held, and renewed within the deadline. Checked at the write gate. */
  readonly isLeader: () => boolean;
  /** Gives the lease back, so that the next process need not wait for its end. */
  release(): Promise<void>;
}

export function startLeaderElection(options: LeaderElectionOptions): Leadership {
  const {
    api,
    clock,
    random,
    signal,
    namespace,
    name,
    identity,
    leaseDurationMs = 15_000,
    renewDeadlineMs = 10_000,
    retryPeriodMs = 2_000,
    log = silentLogger,
    metrics = noRuntimeMetrics,
  } = options;
  const key = { namespace, name };
  const lost = new AbortController();
  let markAcquired: () => void = () => undefined;
  const acquired = new Promise<void>((resolve) => {
    markAcquired = resolve;
  });
  let renewedAtMs: number | undefined;
  let deadline: Timer | undefined;
  let seen: { readonly record: string; readonly atMs: number } | undefined;
  const isLeader = (): boolean =>
    !lost.signal.aborted && renewedAtMs !== undefined && clock.monotonicMs() - renewedAtMs < renewDeadlineMs;

  const lose = (why: string): void => {
    if (lost.signal.aborted) return;
    log.warn({ lease: `${namespace}/${name}`, identity }, why);
    metrics.leader(false);
    deadline?.cancel();
    lost.abort(new Error(why));
  };
  // On time also while a renewal hangs: what writes must have stopped when the next process begins.
  const renewed = (atMs: number): void => {
    renewedAtMs = atMs;
    deadline?.cancel();
    if (signal.aborted || lost.signal.aborted) return;
    deadline = clock.setTimer(atMs + renewDeadlineMs - clock.monotonicMs(), () =>
      lose("the lease could not be renewed in time"),
    );
  };
  signal.addEventListener("abort", () => deadline?.cancel(), { once: true });

  void (async () => {
    while (!signal.aborted && !lost.signal.aborted) {
      const held = renewedAtMs !== undefined;
      try {
        const attemptAtMs = clock.monotonicMs();
        const holds = await tryHold();
        // An answer later than the deadline is no basis to begin on; the next attempt finds our own name in the lease.
        if (holds && !held && clock.monotonicMs() - attemptAtMs >= renewDeadlineMs) continue;
        if (holds) {
          renewed(attemptAtMs);
          if (!held) {
            log.info({ lease: `${namespace}/${name}`, identity }, "became leader");
            metrics.leader(true);
            markAcquired();
          }
        } else if (held) {
          lose("another process took the lease");
        }
      } catch (error) {
        if (!isConflict(error) && !isAlreadyExists(error)) {
          log.warn({ lease: `${namespace}/${name}`, error: String(error) }, "lease not renewed");
        }
      }
      await clock.sleep(retryPeriodMs * (held ? 1 : 1 + 0.2 * random.next()), signal).catch(() => undefined);
    }
  })();

  return {
    acquired,
    lost: lost.signal,
    isLeader,
    async release() {
      if (!isLeader()) return;
      lose("the lease was given back");
      const lease = await api.get(LEASES, key);
      if (lease.spec?.holderIdentity !== identity) return;
      await api.update(LEASES, { ...lease, spec: { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1 } });
    },
  };

  /** One compare-and-swap. @returns whether this process holds the lease now */
  async function tryHold(): Promise<boolean> {
    const now = formatMicroTime(clock.nowMs());
    const mine = { holderIdentity: identity, leaseDurationSeconds: leaseDurationMs / 1000, renewTime: now };
    let lease: Lease;
    try {
      lease = await api.get(LEASES, key);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await api.create(LEASES, {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: key,
        spec: { ...mine, acquireTime: now, leaseTransitions: 0 },
      });
      return true;
    }
    const { spec = {} } = lease;
    // Given back while this was under way: taking it again would make the next process wait.
    if (lost.signal.aborted) return false;
    if (spec.holderIdentity === identity) {
      await api.update(LEASES, { ...lease, spec: { ...spec, ...mine } });
      return true;
    }
    if (!isExpired(spec)) return false;
    await api.update(LEASES, {
      ...lease,
      spec: { ...mine, acquireTime: now, leaseTransitions: (spec.leaseTransitions ?? 0) + 1 },
    });
    return true;
  }

  function isExpired(spec: NonNullable<Lease["spec"]>): boolean {
    if (spec.holderIdentity === undefined || spec.holderIdentity === "") return true;
    const record = `${spec.holderIdentity}/${spec.renewTime}`;
    const now = clock.monotonicMs();
    if (seen?.record !== record) seen = { record, atMs: now };
    return now - seen.atMs >= (spec.leaseDurationSeconds ?? leaseDurationMs / 1000) * 1000;
  }
}
