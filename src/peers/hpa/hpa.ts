/** Two horizontal pod autoscalers as people put them on LLM engines. */
import { kvUsagePerReplica, waitingPerReplica, waitingTotal } from "../engine-queries.ts";
import type { Parameters, PeerDefinition, PeerParameter } from "../peer.ts";
import { perRole } from "../per-role.ts";
import { type Behavior, behaviorOf } from "./behavior.ts";
import { externalAverageValue, podsAverageValue } from "./proposals.ts";
import { type HpaMemory, hpaSync, SYNC_MS } from "./sync.ts";

const SOURCE = "kubernetes/kubernetes:pkg/controller/podautoscaler/{replica_calculator,horizontal}.go";

const waitingTarget: PeerParameter = {
  default: 5,
  min: 0.2,
  max: 100,
  scale: "log",
  about: "waiting requests per replica (llm-d and vLLM production-stack: 5)",
};

const BEHAVIOR = {
  tolerance: {
    default: 0.1,
    min: 0,
    max: 0.5,
    scale: "linear",
    about: "ratio to the target within which nothing moves",
  },
  upWindowSeconds: { default: 0, min: 0, max: 300, scale: "linear", about: "stabilization window of scaleUp" },
  downWindowSeconds: { default: 300, min: 0, max: 1800, scale: "linear", about: "stabilization window of scaleDown" },
} as const satisfies Record<string, PeerParameter>;

const behaviorFrom = ({ upWindowSeconds = 0, downWindowSeconds = 300 }: Parameters): Behavior =>
  behaviorOf({ upMs: upWindowSeconds * 1000, downMs: downWindowSeconds * 1000 });

export const HPA: PeerDefinition = {
  name: "hpa",
  title: "Kubernetes HPA, Pods metrics (re-implemented)",
  source: SOURCE,
  parameters: {
    waitingTarget,
    kvTarget: {
      default: 0.7,
      min: 0.05,
      max: 0.95,
      scale: "linear",
      about: "KV cache usage per replica, of 1 (llm-d PR #1230: 0.7)",
    },
    ...BEHAVIOR,
  },
  create(parameters, { roles }) {
    const { waitingTarget: waiting = 5, kvTarget = 0.7, tolerance = 0.1 } = parameters;
    const behavior = behaviorFrom(parameters);
    return perRole<HpaMemory>(roles, {
      tickMs: SYNC_MS,
      queries: (role) => ({
        ...(role === "decode" ? {} : { waiting: waitingPerReplica(role) }),
        ...(role === "prefill" ? {} : { kvUsage: kvUsagePerReplica(role) }),
      }),
      decide({ nowMs, role, counts, perReplica }, memory) {
        const of = (query: string, target: number): number | undefined =>
          podsAverageValue(perReplica(query), target, counts, tolerance);
        const proposals = [
          ...(role === "decode" ? [] : [of("waiting", waiting)]),
          ...(role === "prefill" ? [] : [of("kvUsage", kvTarget)]),
        ];
        return hpaSync({ nowMs, counts, proposals, behavior }, memory);
      },
    });
  },
};

export const HPA_EXTERNAL: PeerDefinition = {
  name: "hpa-external",
  title: "Kubernetes HPA, External metric (re-implemented)",
  source: SOURCE,
  parameters: { waitingTarget, ...BEHAVIOR },
  create(parameters, { roles }) {
    const { waitingTarget: target = 5, tolerance = 0.1 } = parameters;
    const behavior = behaviorFrom(parameters);
    return perRole<HpaMemory>(roles, {
      tickMs: SYNC_MS,
      queries: (role) => ({ waiting: waitingTotal(role) }),
      decide({ nowMs, counts, total }, memory) {
        const proposal = externalAverageValue(total("waiting"), target, counts.specReplicas, tolerance);
        return hpaSync({ nowMs, counts, proposals: [proposal], behavior }, memory);
      },
    });
  },
};
