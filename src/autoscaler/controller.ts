/** The ScalingPolicy controller: keeps every policy turning at its interval and publishes what each turn decided. */
import { isDeepStrictEqual } from "node:util";
import { GPU_BUDGETS, type GPUBudgetStatus } from "../api/autoscaling/gpu-budget.ts";
import { SCALING_OVERRIDES, type ScalingOverride } from "../api/autoscaling/scaling-override.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { apiVersionOf, keyOf, parseKey } from "../api/kubernetes/meta.ts";
import { formatTime } from "../api/kubernetes/time.ts";
import type { Clock } from "../clock.ts";
import type { Decision } from "../decide/decision.ts";
import type { CheckpointStore } from "../jobs/checkpoint-store.ts";
import type { EvaluationQueue } from "../jobs/evaluation-queue.ts";
import { isNotFound } from "../kube/api-error.ts";
import { type Controller, startController } from "../kube/controller.ts";
import { createEventRecorder } from "../kube/events.ts";
import type { KubeApi } from "../kube/kube-api.ts";
import { noRuntimeMetrics, type RuntimeMetrics } from "../kube/runtime-metrics.ts";
import { type Logger, silentLogger } from "../log.ts";
import type { MetricsSource } from "../observe/metrics-source.ts";
import { shareQueries } from "../observe/shared-queries.ts";
import type { Random } from "../random.ts";
import type { ActionRateOptions } from "./action-rate.ts";
import { type AutoscalerMetrics, noAutoscalerMetrics } from "./autoscaler-metrics.ts";
import { type AutoscalerInformers, BY_POLICY, startAutoscalerInformers } from "./informers.ts";
import { PolicyLoop, type Turn } from "./loop.ts";
import { expiryMs } from "./observe.ts";
import { Pace } from "./pace.ts";
import { ALWAYS_SAID, EventLimiter } from "./policy-events.ts";
import { withCheckpointRead } from "./slim.ts";
import { isMaterialChange, renderStatus, type StatusInput, withCheckpoint, withExplanation } from "./status.ts";
import { isStatusDue, nextStatusInMs } from "./status-pace.ts";
import { createWriteGate, FIELD_MANAGER } from "./write-gate.ts";

export interface AutoscalerOptions {
  readonly api: KubeApi;
  readonly metricsSource: MetricsSource;
  /** Own PromQL of several policies is asked once for all pods; default true. */
  readonly metricsGrouping?: boolean;
  readonly evaluations: EvaluationQueue;
  readonly checkpoints: CheckpointStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly isLeader: () => boolean;
  /** One, several, or all when absent. */
  readonly namespace?: string | readonly string[];
  /** Turns that run at the same time. */
  readonly workers?: number;
  /** Scale actions of all policies together. */
  readonly actionRate?: ActionRateOptions;
  readonly log?: Logger;
  readonly metrics?: AutoscalerMetrics;
  readonly runtimeMetrics?: RuntimeMetrics;
  /** Called with every decision; the console and tests listen. */
  readonly onDecision?: (policyKey: string, decision: Decision, turn: Turn) => void;
}

export interface Autoscaler {
  /** Resolves when the caches are filled and policies turn. */
  readonly ready: Promise<void>;
  readonly informers: AutoscalerInformers;
}

/** Metrics have 0.8 intervals, 12 s by default; what hangs for longer gives its worker back to the others. */
export const TURN_TIMEOUT_MS = 30_000;
/** A policy whose turns fail is tried again at least this often: by then what failed may be back, and its load is. */
const TURN_MAX_BACKOFF_MS = 60_000;
export const POLICY_CONTROLLER = "scalingpolicy-controller";
const BUDGET_STATUS_DELAY_MS = 1_000;

export function startAutoscaler(options: AutoscalerOptions): Autoscaler {
  const { api, clock, random, signal, log = silentLogger, namespace } = options;
  const runtimeMetrics = options.runtimeMetrics ?? noRuntimeMetrics;
  const metrics = options.metrics ?? noAutoscalerMetrics;
  const informers = startAutoscalerInformers({
    api,
    clock,
    random,
    signal,
    log,
    metrics: runtimeMetrics,
    ...(namespace === undefined ? {} : { namespace }),
  });
  const recorder = createEventRecorder({
    api,
    clock,
    random,
    component: FIELD_MANAGER,
    alwaysWritten: ALWAYS_SAID,
    log,
  });
  const eventLimiter = new EventLimiter();
  const loop = new PolicyLoop({
    informers,
    queries: shareQueries({ source: options.metricsSource, clock, grouping: options.metricsGrouping ?? true }),
    evaluations: options.evaluations,
    checkpoints: options.checkpoints,
    gate: createWriteGate({
      api,
      clock,
      random,
      isLeader: options.isLeader,
      ...(options.actionRate === undefined ? {} : { rate: options.actionRate }),
    }),
    persist: (policy, checkpoint) =>
      unlessRefused(keyOf(policy), "the intent", async () => {
        await api.patch(
          SCALING_POLICIES,
          parseKey(keyOf(policy)),
          { status: { checkpoint } },
          { type: "merge", subresource: "status", fieldManager: FIELD_MANAGER },
        );
      }),
    clock,
    metrics,
  });
  const pace = new Pace();

  const ready = informers.synced.then(() => {
    const controller = startController({
      name: POLICY_CONTROLLER,
      clock,
      signal,
      random,
      log,
      metrics: runtimeMetrics,
      workers: options.workers ?? 8,
      timeoutMs: TURN_TIMEOUT_MS,
      maxBackoffMs: TURN_MAX_BACKOFF_MS,
      reconcile: (key, turnSignal) => reconcilePolicy(key, turnSignal),
    });
    const budgets = startController({
      name: "gpubudget-controller",
      clock,
      signal,
      random,
      log,
      metrics: runtimeMetrics,
      reconcile: (key) => reconcileBudget(key),
    });
    const overrides = startController({
      name: "scalingoverride-controller",
      clock,
      signal,
      random,
      log,
      metrics: runtimeMetrics,
      reconcile: (key) => reconcileOverride(key),
    });
    watch(informers, { controller, budgets, overrides }, loop);
  });
  return { ready, informers };

  async function reconcilePolicy(key: string, turnSignal: AbortSignal) {
    const policy = informers.policies.getByKey(key);
    if (policy === undefined) {
      loop.forget(key);
      eventLimiter.forget(key);
      pace.forget(key);
      return undefined;
    }
    if (!options.isLeader()) return { requeueAfterMs: 1_000 };
    const startedMs = clock.monotonicMs();
    const turn = await loop.turn(policy, turnSignal);
    turnSignal.throwIfAborted();
    await unlessRefused(key, "the status", () => publish(policy, turn));
    // Spread, so that many policies that started together do not turn together for ever.
    const delayMs = turn.nextTurnMs * (0.95 + 0.1 * random.next());
    return { requeueAfterMs: pace.next(key, { startedMs, endedMs: clock.monotonicMs(), delayMs }) };
  }

  /** What people read comes second to what is decided: a status that cannot be written is written by a later turn, and no turn waits for it. */
  async function unlessRefused(policyKey: string, what: string, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (signal.aborted) throw error;
      const fields = { policy: policyKey, error: String(error) };
      if (isNotFound(error)) log.debug(fields, `${what} of a policy that is gone`);
      else log.error(fields, `${what} could not be written: the policy is decided about all the same`);
    }
  }

  async function publish(stored: ScalingPolicy, turn: Turn): Promise<void> {
    const key = keyOf(stored);
    const events = eventLimiter.admit(key, turn.events, clock.monotonicMs());
    for (const { type, reason, message } of events) recorder.event(stored, type, reason, message);
    if (turn.decision !== undefined) {
      const { outcome, reason, message, id } = turn.decision;
      const fields = { policy: key, decision: id, outcome, reason };
      if (outcome === "Scaled") log.info(fields, message);
      else log.debug(fields, message);
      options.onDecision?.(key, turn.decision, turn);
    }
    if (turn.conditions.length === 0) return;
    const input: StatusInput = {
      policy: stored,
      conditions: turn.conditions,
      nowMs: clock.nowMs(),
      ...(turn.decision === undefined ? {} : { decision: turn.decision }),
      ...(turn.shadow === undefined ? {} : { shadow: turn.shadow }),
    };
    if (!isMaterialChange(input) && !isStatusDue(stored.status, input.nowMs)) return;
    const status = renderStatus(input);
    const checkpoint = turn.checkpoint?.();
    const written = await api.patch(
      SCALING_POLICIES,
      parseKey(key),
      {
        apiVersion: apiVersionOf(SCALING_POLICIES),
        kind: SCALING_POLICIES.kind,
        metadata: parseKey(key),
        status: {
          ...withCheckpoint(withExplanation(status, turn.decision), checkpoint),
          nextStatusBy: formatTime(clock.nowMs() + nextStatusInMs(informers.policies.count(), random)),
        },
      },
      { type: "apply", subresource: "status", fieldManager: FIELD_MANAGER, force: true },
    );
    informers.policies.observeWrite(checkpoint === undefined ? written : withCheckpointRead(written));
  }

  async function reconcileBudget(name: string) {
    const budget = informers.budgets.get(undefined, name);
    if (budget === undefined) return undefined;
    const status = { ...loop.ledger.status(budget), observedGeneration: budget.metadata.generation ?? 0 };
    if (!isDeepStrictEqual(shownOf(budget.status), shownOf(status))) {
      await api.patch(
        GPU_BUDGETS,
        { name },
        { apiVersion: apiVersionOf(GPU_BUDGETS), kind: GPU_BUDGETS.kind, metadata: { name }, status },
        { type: "apply", subresource: "status", fieldManager: FIELD_MANAGER, force: true },
      );
    }
    return { requeueAfterMs: 15_000 };
  }

  async function reconcileOverride(key: string) {
    const override = informers.overrides.getByKey(key);
    if (override === undefined) return undefined;
    const endsMs = expiryMs(override) - clock.nowMs();
    // A server admits times that are none, such as an offset of 99 hours: they never act.
    const phase = endsMs > 0 ? phaseOf(override) : "Expired";
    if (override.status?.phase !== phase) {
      try {
        await api.patch(
          SCALING_OVERRIDES,
          parseKey(key),
          {
            apiVersion: apiVersionOf(SCALING_OVERRIDES),
            kind: SCALING_OVERRIDES.kind,
            metadata: parseKey(key),
            status: { phase, observedGeneration: override.metadata.generation ?? 0 },
          },
          { type: "apply", subresource: "status", fieldManager: FIELD_MANAGER, force: true },
        );
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    return endsMs > 0 ? { requeueAfterMs: endsMs } : undefined;
  }

  function phaseOf(override: ScalingOverride): "Active" | "Superseded" | "Rejected" {
    const { namespace, creationTimestamp = "", name } = override.metadata;
    const policyKey = `${namespace}/${override.spec.policyRef.name}`;
    const policy = informers.policies.getByKey(policyKey);
    const targets = policy?.spec.scaleTargets.map((target) => target.name) ?? [];
    if (!Object.keys(override.spec.scaleTargets).every((target) => targets.includes(target))) return "Rejected";
    const isYounger = (other: ScalingOverride): boolean => {
      const created = other.metadata.creationTimestamp ?? "";
      return created > creationTimestamp || (created === creationTimestamp && other.metadata.name < name);
    };
    const rivals = informers.overrides.byIndex(BY_POLICY, policyKey).filter((other) => expiryMs(other) > clock.nowMs());
    return rivals.some(isYounger) ? "Superseded" : "Active";
  }
}

const shownOf = ({ used, requested, members = [], observedGeneration }: Partial<GPUBudgetStatus> = {}) => ({
  used,
  requested,
  members,
  observedGeneration,
});

function isSameTemplate(before: PodCliqueSet, after: PodCliqueSet): boolean {
  return before.metadata.generation === after.metadata.generation || before.spec.replicas !== after.spec.replicas;
}

interface Controllers {
  readonly controller: Controller;
  readonly budgets: Controller;
  readonly overrides: Controller;
}

/** A change of what was asked for turns the policy at once; what was observed waits for its next turn. */
function watch(
  informers: AutoscalerInformers,
  { controller, budgets, overrides }: Controllers,
  loop: PolicyLoop,
): void {
  informers.policies.onChange(({ before, after }) => {
    if (after === undefined && before !== undefined) loop.forget(keyOf(before));
    const changed = after ?? before;
    if (changed !== undefined && before?.metadata.generation !== after?.metadata.generation)
      controller.enqueue(keyOf(changed));
    const budget = after?.spec.gpuBudget?.sharedBudgetRef?.name;
    // Members of a large budget change all the time: its status is theirs, and follows within a second.
    if (budget !== undefined) budgets.enqueueAfter(budget, BUDGET_STATUS_DELAY_MS);
  });
  informers.sets.onChange(({ before, after }) => {
    // Replicas alone are our own writes, or a person's, which the next turn sees.
    if (before !== undefined && after !== undefined && isSameTemplate(before, after)) return;
    const set = after ?? before;
    if (set === undefined) return;
    for (const policy of informers.policies.byIndex("set", keyOf(set))) controller.enqueue(keyOf(policy));
  });
  informers.overrides.onChange(({ before, after }) => {
    const changed = after ?? before;
    if (changed === undefined || before?.metadata.generation === after?.metadata.generation) return;
    const policyKey = `${changed.metadata.namespace}/${changed.spec.policyRef.name}`;
    controller.enqueue(policyKey);
    for (const override of informers.overrides.byIndex(BY_POLICY, policyKey)) overrides.enqueue(keyOf(override));
  });
  informers.budgets.onChange(({ after }) => {
    if (after !== undefined) budgets.enqueue(after.metadata.name);
  });
  for (const policy of informers.policies.list()) controller.enqueue(keyOf(policy));
  for (const override of informers.overrides.list()) overrides.enqueue(keyOf(override));
  for (const budget of informers.budgets.list()) budgets.enqueue(budget.metadata.name);
}
