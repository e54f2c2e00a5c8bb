/** One turn of the loop for one policy, on the live cluster and the live metrics, that writes nothing. */
import type { GPUBudget, GPUBudgetStatus } from "../api/autoscaling/gpu-budget.ts";
import { SCALING_OVERRIDES, type ScalingOverride } from "../api/autoscaling/scaling-override.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { ScalingPolicyStatus } from "../api/autoscaling/scaling-policy-status.ts";
import { KEDA_SCALED_OBJECTS } from "../api/keda/scaled-object.ts";
import { CONFIG_MAPS, HORIZONTAL_POD_AUTOSCALERS } from "../api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../api/kubernetes/meta.ts";
import { RESOURCE_CLAIM_TEMPLATES } from "../api/kubernetes/resource-claim.ts";
import { KAI_QUEUES } from "../api/scheduler/kai-queue.ts";
import type { Clock } from "../clock.ts";
import { memoryCheckpoints, statusCheckpoints } from "../jobs/checkpoint-store.ts";
import { inProcessQueue } from "../jobs/evaluation-queue.ts";
import type { KubeApi, ListOptions } from "../kube/kube-api.ts";
import { noRuntimeMetrics } from "../kube/runtime-metrics.ts";
import { silentLogger } from "../log.ts";
import type { MetricsSource } from "../observe/metrics-source.ts";
import { shareQueries } from "../observe/shared-queries.ts";
import type { Random } from "../random.ts";
import { noAutoscalerMetrics } from "./autoscaler-metrics.ts";
import type { Granted } from "./budget-ledger.ts";
import { startAutoscalerInformers } from "./informers.ts";
import { PolicyLoop, type Turn } from "./loop.ts";
import { needsProfile } from "./profile-of.ts";
import { renderStatus, withExplanation } from "./status.ts";
import type { WriteGate } from "./write-gate.ts";

export interface DryRunOptions {
  readonly api: KubeApi;
  readonly metricsSource: MetricsSource;
  readonly clock: Clock;
  readonly random: Random;
  /** As it would be stored: with the status of the stored one, when there is one. */
  readonly policy: ScalingPolicy;
  /** `stored`: the checkpoint in the policy's status, when there is one. */
  readonly memory: "stored" | "empty";
  /** In place of the overrides of the cluster. */
  readonly overrides?: readonly ScalingOverride[];
}

export interface DryRun {
  readonly turn: Turn;
  /** What the controller would report. */
  readonly status: ScalingPolicyStatus;
}

/** @throws ApiError when the cluster refuses to show what a decision needs */
export async function dryRun(options: DryRunOptions): Promise<DryRun> {
  const { clock, policy, random } = options;
  const end = new AbortController();
  const failure = Promise.withResolvers<never>();
  failure.promise.catch(() => undefined);
  try {
    const informers = startAutoscalerInformers({
      api: readOnce(options, failure.reject),
      clock,
      random,
      signal: end.signal,
      log: silentLogger,
      metrics: noRuntimeMetrics,
      namespace: policy.metadata.namespace ?? "default",
    });
    await Promise.race([informers.synced, failure.promise]);
    if (needsProfile(policy)) await Promise.race([informers.configMaps.synced, failure.promise]);
    const loop = new PolicyLoop({
      informers,
      // One policy gains nothing from a question for all pods.
      queries: shareQueries({ source: options.metricsSource, clock, grouping: false }),
      evaluations: inProcessQueue(),
      checkpoints: options.memory === "stored" ? statusCheckpoints() : memoryCheckpoints(),
      gate: closedGate,
      clock,
      metrics: noAutoscalerMetrics,
      granted: publishedGrant,
      isOnlooker: true,
    });
    const turn = await loop.turn(policy);
    const { conditions, decision } = turn;
    const status = renderStatus({
      policy,
      conditions,
      nowMs: clock.nowMs(),
      ...(decision === undefined ? {} : { decision }),
    });
    return { turn, status: withExplanation(status, decision) };
  } finally {
    end.abort();
  }
}

const closedGate: WriteGate = { apply: async () => ({ written: [] }) };

/** The cluster as one list of each kind. A cache that is refused what it needs would try for ever; here the refusal is the answer. */
function readOnce({ api, policy, overrides }: DryRunOptions, fail: (error: unknown) => void): KubeApi {
  const answered = <T extends KubeObject>(items: readonly T[]) => ({ items, resourceVersion: "0" });
  return {
    ...api,
    async list<T extends KubeObject>(resource: Resource<T>, list?: ListOptions) {
      const { plural } = resource;
      if (plural === SCALING_OVERRIDES.plural && overrides !== undefined)
        return answered(overrides as readonly KubeObject[] as readonly T[]);
      // Cluster-wide, so many people may not read them, and most policies need none.
      if (plural === CONFIG_MAPS.plural && !needsProfile(policy)) return answered<T>([]);
      if (plural === "gpubudgets" && policy.spec.gpuBudget?.sharedBudgetRef === undefined) return answered<T>([]);
      try {
        return await api.list(resource, list);
      } catch (error) {
        // Their kinds need not be installed, nor readable: a decision is made without them.
        if (!OPTIONAL_KINDS.has(plural)) fail(error);
        throw error;
      }
    },
    // Nothing changes during a dry run.
    async *watch(_, { signal }) {
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    },
  };
}

const OPTIONAL_KINDS: ReadonlySet<string> = new Set(
  [HORIZONTAL_POD_AUTOSCALERS, KEDA_SCALED_OBJECTS, KAI_QUEUES, RESOURCE_CLAIM_TEMPLATES].map(({ plural }) => plural),
);

/** As `BudgetLedger.granted`, by the shares of the last deal that the running autoscaler wrote down. */
function publishedGrant({ metadata }: ScalingPolicy, { spec, status }: GPUBudget, gpusInUse: number): Granted {
  const isOwn = ({ namespace, policy }: Member): boolean =>
    namespace === metadata.namespace && policy === metadata.name;
  const members = status?.members ?? [];
  const own = members.find(isOwn);
  const uncounted = members.find((member) => member.unknown !== undefined && !isOwn(member));
  const unknown =
    uncounted === undefined
      ? {}
      : { unknown: `ScalingPolicy ${uncounted.namespace}/${uncounted.policy} (${uncounted.unknown})` };
  if (uncounted !== undefined) return { gpus: gpusInUse, ...unknown };
  const others = members.filter((member) => !isOwn(member));
  const taken = others.reduce((sum, { used, granted }) => sum + Math.max(used, granted), 0);
  const left = spec.capacity - spec.reserve - taken;
  return { gpus: Math.max(left, Math.min(own?.granted ?? gpusInUse, gpusInUse)) };
}

type Member = NonNullable<GPUBudgetStatus["members"]>[number];
