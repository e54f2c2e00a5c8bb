/**
 * KEDA on waiting requests: its poll decides between zero and one, the autoscaler it generates does the rest.
 *
 * Source: kedacore/keda:pkg/scaling/executor/scale_scaledobjects.go, pkg/provider/provider.go.
 */
import { waitingTotal } from "../engine-queries.ts";
import { behaviorOf } from "../hpa/behavior.ts";
import { externalAverageValue } from "../hpa/proposals.ts";
import { type HpaMemory, hpaSync, SYNC_MS } from "../hpa/sync.ts";
import type { PeerDefinition } from "../peer.ts";
import { perRole } from "../per-role.ts";
import { type Reading, readTrigger } from "./trigger.ts";

interface Variant {
  readonly name: string;
  readonly title: string;
  readonly source: string;
  readonly pollSeconds: number;
  readonly cooldownMs: number;
  readonly fallbackReplicas: number;
}

interface Memory {
  readonly hpa: HpaMemory | undefined;
  readonly polledMs: number;
  readonly cached: Reading;
  readonly activeMs: number;
}

/** Of the generated autoscaler. */
const TOLERANCE = 0.1;

function keda({ name, title, source, pollSeconds, cooldownMs, fallbackReplicas }: Variant): PeerDefinition {
  return {
    name,
    title,
    source,
    parameters: {
      threshold: { default: 5, min: 0.2, max: 100, scale: "log", about: "waiting requests per replica" },
      pollSeconds: { default: pollSeconds, min: 5, max: 120, scale: "linear", about: "pollingInterval" },
      useCachedMetrics: {
        default: 0,
        min: 0,
        max: 1,
        scale: "integer",
        about: "1: the autoscaler gets the value of the last poll; 0: it asks again at each sync (as shipped)",
      },
      ignoreNullValues: {
        default: 1,
        min: 0,
        max: 1,
        scale: "integer",
        about: "1: no answer is 0 (as shipped); 0: no answer is an error",
      },
      fallbackReplicas: {
        default: fallbackReplicas,
        min: 0,
        max: 16,
        scale: "integer",
        about: "replicas after 3 errors in a row; 0: no fallback",
      },
      downWindowSeconds: {
        default: 300,
        min: 0,
        max: 1800,
        scale: "linear",
        about: "stabilization window of scaleDown",
      },
    },
    create(parameters, { roles }) {
      const threshold = parameters["threshold"] ?? 5;
      const pollMs = (parameters["pollSeconds"] ?? pollSeconds) * 1000;
      const usesCache = parameters["useCachedMetrics"] === 1;
      const options = {
        threshold,
        ignoreNullValues: parameters["ignoreNullValues"] !== 0,
        fallbackReplicas: parameters["fallbackReplicas"] ?? fallbackReplicas,
      };
      const behavior = behaviorOf({ upMs: 0, downMs: (parameters["downWindowSeconds"] ?? 300) * 1000 });
      return perRole<Memory>(roles, {
        tickMs: SYNC_MS,
        queries: (role) => ({ waiting: waitingTotal(role) }),
        decide({ nowMs, counts, total }, memory) {
          const isDue = memory === undefined || nowMs - memory.polledMs >= pollMs;
          const reads = isDue || !usesCache;
          const reading = reads ? readTrigger(total("waiting"), memory?.cached.failures ?? 0, options) : memory.cached;
          const isActive = (reading.value ?? 0) > 0;
          // An error is no reason to go to zero: only a value of 0 lets the cool-down run.
          const keepsAlive = isDue && (isActive || reading.value === undefined);
          const next = {
            hpa: memory?.hpa,
            polledMs: isDue ? nowMs : memory.polledMs,
            cached: reading,
            activeMs: keepsAlive || memory === undefined ? nowMs : memory.activeMs,
          };
          const current = counts.specReplicas;
          if (isDue && current === 0 && isActive) return { replicas: Math.max(1, counts.minReplicas), memory: next };
          if (isDue && current > 0 && counts.minReplicas === 0 && nowMs - next.activeMs > cooldownMs) {
            return { replicas: 0, memory: next };
          }
          if (current === 0) return { memory: next };
          const { replicas, memory: hpa } = hpaSync(
            {
              nowMs,
              counts: { ...counts, minReplicas: Math.max(1, counts.minReplicas) },
              proposals: [externalAverageValue(reading.value, threshold, current, TOLERANCE)],
              behavior,
            },
            memory?.hpa,
          );
          return { replicas, memory: { ...next, hpa } };
        },
      });
    },
  };
}

export const KEDA = keda({
  name: "keda",
  title: "KEDA, Prometheus trigger (re-implemented)",
  source: "kedacore/keda:pkg/scalers/prometheus_scaler.go, pkg/scaling/executor/scale_scaledobjects.go",
  pollSeconds: 30,
  cooldownMs: 300_000,
  fallbackReplicas: 0,
});

export const KEDA_PRODUCTION_STACK = keda({
  name: "keda-production-stack",
  title: "KEDA as in vLLM production-stack (re-implemented)",
  source: "vllm-project/production-stack:tutorials/20-keda-autoscaling.md; rule of kedacore/keda",
  pollSeconds: 15,
  cooldownMs: 360_000,
  fallbackReplicas: 2,
});
