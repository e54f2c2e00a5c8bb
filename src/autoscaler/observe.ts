/** Step one of the loop: everything a decision needs, from the caches and the metrics server, as plain data. */
import type { ScalingOverride } from "../api/autoscaling/scaling-override.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { parseDurationMs } from "../api/duration.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { isTerminating, type Pod } from "../api/kubernetes/core.ts";
import { keyOf } from "../api/kubernetes/meta.ts";
import { parseTime } from "../api/kubernetes/time.ts";
import type {
  MetricReading,
  Observation,
  OverrideObservation,
  ScaledObject,
  TargetObservation,
} from "../decide/observation.ts";
import { labelOf, SET_REPLICA_INDEX } from "../grove/labels.ts";
import { escapeRegex } from "../observe/query-text.ts";
import { type ReadMetricOptions, readMetric } from "../observe/read-metric.ts";
import { readTotal } from "../observe/read-total.ts";
import type { SharedQueries } from "../observe/shared-queries.ts";
import { type DeclaredGpus, declaredGpus, type Held, heldGpus } from "./held-gpus.ts";
import { type AutoscalerInformers, BY_OBJECT, BY_POLICY, BY_SET } from "./informers.ts";
import { observeLoad } from "./observe-load.ts";
import { profileOf } from "./profile-of.ts";
import { type ReplicaView, viewReplicas } from "./replicas.ts";
import type { RequestDurations } from "./request-durations.ts";
import type { Resolution, ResolvedTarget } from "./resolve.ts";
import type { TargetLives } from "./startups.ts";
import { podRegexOf } from "./target-pods.ts";

/** What an observation asks of the caches. */
export interface ObservedCaches {
  readonly groups: Pick<AutoscalerInformers["groups"], "get">;
  readonly cliques: Pick<AutoscalerInformers["cliques"], "get">;
  readonly pods: Pick<AutoscalerInformers["pods"], "byIndex">;
  readonly overrides: Pick<AutoscalerInformers["overrides"], "byIndex">;
  readonly configMaps: Pick<AutoscalerInformers["configMaps"], "get" | "hasSynced" | "failure">;
  readonly templateGpus: AutoscalerInformers["templateGpus"];
}

export interface ObserveContext {
  readonly informers: ObservedCaches;
  readonly queries: SharedQueries;
  readonly nowMs: number;
  /** Monotonic, anchored to the epoch once, so that windows survive a restart. */
  readonly monotonicMs: number;
  /** Of the policy, kept between its turns. */
  readonly durations: RequestDurations;
}

export interface Observed {
  readonly observation: Observation;
  /** By target; the caller knows which replicas it has seen before. */
  readonly lives: TargetLives;
}

export const pendingTimeoutOf = ({ spec }: ScalingPolicy): number =>
  parseDurationMs(spec.coldStart.pendingTimeout) ?? Number.POSITIVE_INFINITY;

/** @param policy with its defaults */
export async function observe(
  policy: ScalingPolicy,
  set: PodCliqueSet,
  resolution: Resolution,
  extras: Pick<Observation, "foreignWriters" | "ownedTargets" | "isBudgetMissing" | "isSharing" | "queue">,
  context: ObserveContext,
): Promise<Observed> {
  const { nowMs, monotonicMs } = context;
  const pendingTimeoutMs = pendingTimeoutOf(policy);
  const views = resolution.targets.map((target) => viewTarget(target, set, pendingTimeoutMs, context));
  const override = overrideInForce(policy, context);
  const readers = readersOf(policy, set, context);
  const declared = declaredGpus(policy.spec);
  const profile = profileOf(policy, context.informers.configMaps);
  const [targets, setMetrics, zeroDemand] = await Promise.all([
    Promise.all(
      resolution.targets.map((target, index) =>
        observeTarget(policy, set, target, views[index] as TargetView, {
          durations: context.durations,
          monotonicMs,
          ...readers,
        }),
      ),
    ),
    readSetMetrics(policy, set, views, readers),
    readZeroDemand(policy, set, readers),
  ]);
  const held = gpusInUse(set, resolution, targets, context, declared);
  return {
    lives: resolution.targets.map(({ name }, index) => [name, views[index]?.lives ?? []]),
    observation: {
      nowMs,
      monotonicMs,
      set: {
        objectName: set.metadata.name,
        resourceVersion: set.metadata.resourceVersion ?? "",
        replicas: set.spec.replicas,
        ready: set.status?.availableReplicas ?? 0,
        metrics: setMetrics,
        ...(resolution.fixedGpus === undefined ? {} : { fixedGpus: resolution.fixedGpus }),
      },
      targets,
      gpusInUse: held.gpus,
      ...(held.unknown === undefined ? {} : { gpusUnknown: held.unknown }),
      isSharing: extras.isSharing,
      startupsMs: [],
      foreignWriters: extras.foreignWriters,
      ...(extras.ownedTargets === undefined ? {} : { ownedTargets: extras.ownedTargets }),
      ...(extras.isBudgetMissing === undefined ? {} : { isBudgetMissing: extras.isBudgetMissing }),
      ...(extras.queue === undefined ? {} : { queue: extras.queue }),
      ...(override === undefined ? {} : { override }),
      ...(zeroDemand === undefined ? {} : { zeroDemand }),
      ...(profile === undefined ? {} : { profile }),
    },
  };
}

/** A decision that waits for its metrics longer than this would come late for the next one. */
const PATIENCE_RATIO = 0.8;
/** Of a policy that decides seldom: a worker that waits is missing to the others. */
const MAX_PATIENCE_MS = 20_000;

type Readers = Pick<ReadMetricOptions, "queries" | "engine" | "setPods">;

function readersOf({ spec }: ScalingPolicy, set: PodCliqueSet, { queries, informers }: ObserveContext): Readers {
  let pods: readonly string[] | undefined;
  return {
    queries: queries.within(Math.min(MAX_PATIENCE_MS, PATIENCE_RATIO * (parseDurationMs(spec.interval) ?? 15_000))),
    engine: spec.engine,
    setPods: () => {
      pods ??= informers.pods.byIndex(BY_SET, keyOf(set)).map(keyOf);
      return pods;
    },
  };
}

interface TargetView {
  readonly objects: readonly ScaledObject[];
  readonly ready: ReplicaView["ready"];
  readonly lives: ReplicaView["lives"];
}

function viewTarget(
  target: ResolvedTarget,
  set: PodCliqueSet,
  pendingTimeoutMs: number,
  { informers, nowMs }: ObserveContext,
): TargetView {
  const { namespace = "default" } = set.metadata;
  const cache = target.level === "PodClique" ? informers.cliques : informers.groups;
  const objects: ScaledObject[] = [];
  const ready: ReplicaView["ready"][number][] = [];
  const lives: ReplicaView["lives"][number][] = [];
  for (let setIndex = 0; setIndex < set.spec.replicas; setIndex++) {
    const object = cache.get(namespace, target.objectName(setIndex));
    if (object === undefined || isTerminating(object)) continue;
    const { replicas } = object.spec;
    const view = viewReplicas(informers.pods.byIndex(BY_OBJECT, keyOf(object)), {
      level: target.level,
      replicas,
      minPodsPerReplica: target.minPodsPerReplica,
      pendingTimeoutMs,
      nowMs,
    });
    const progress = object.status?.updateProgress;
    objects.push({
      setIndex,
      objectName: object.metadata.name,
      resourceVersion: object.metadata.resourceVersion ?? "",
      replicas,
      ready: view.ready.length,
      starting: view.starting,
      pending: view.pending,
      overdue: view.overdue,
      overdueUnplaced: view.overdueUnplaced,
      uncreated: view.uncreated,
      isChanging: progress !== undefined && progress.updateEndedAt === undefined,
    });
    ready.push(...view.ready.map((one) => ({ ...one, replica: `${object.metadata.name}/${one.replica}` })));
    lives.push(...view.lives);
  }
  return { objects, ready, lives };
}

async function observeTarget(
  policy: ScalingPolicy,
  set: PodCliqueSet,
  target: ResolvedTarget,
  view: TargetView,
  { durations, monotonicMs: nowMs, ...readers }: Readers & Pick<ObserveContext, "durations" | "monotonicMs">,
): Promise<TargetObservation> {
  const { namespace = "default", name } = set.metadata;
  const spec = policy.spec.scaleTargets.find((one) => one.name === target.name);
  const scope = { namespace, podRegex: podRegexOf(name, spec) };
  const [metrics, load] = await Promise.all([
    Promise.all(
      (spec?.metrics ?? []).map((metric) =>
        readMetric(metric, { ...readers, role: spec?.role ?? "other", scope, replicas: view.ready }),
      ),
    ),
    spec === undefined
      ? undefined
      : observeLoad({ spec: policy.spec, target: spec, readers, replicas: view.ready, durations, nowMs }),
  ]);
  return {
    objects: view.objects,
    minAvailable: target.minAvailable,
    templateReplicas: target.templateReplicas,
    gracePeriodMs: target.gracePeriodMs,
    metrics,
    ...(load === undefined ? {} : { load }),
    ...(target.gpusPerReplica === undefined ? {} : { gpusPerReplica: target.gpusPerReplica }),
  };
}

async function readSetMetrics(
  policy: ScalingPolicy,
  set: PodCliqueSet,
  views: readonly TargetView[],
  readers: Readers,
): Promise<readonly MetricReading[]> {
  const spec = policy.spec.scaleTargets.find(({ level }) => level === "PodCliqueSet");
  const { namespace = "default", name } = set.metadata;
  const scope = { namespace, podRegex: `${escapeRegex(name)}-[0-9]+-.*` };
  // One replica of the set is all that serves in it.
  const replicas = Array.from({ length: set.spec.replicas }, (_, setIndex) => ({
    replica: `${name}/${setIndex}`,
    pods: views.flatMap(({ ready }) =>
      ready.filter(({ replica }) => replica.startsWith(`${name}-${setIndex}-`)).flatMap(({ pods }) => pods),
    ),
  })).filter(({ pods }) => pods.length > 0);
  return Promise.all(
    (spec?.metrics ?? []).map((metric) => readMetric(metric, { ...readers, role: "other", scope, replicas })),
  );
}

async function readZeroDemand(
  { spec }: ScalingPolicy,
  { metadata }: PodCliqueSet,
  { queries }: Readers,
): Promise<MetricReading | undefined> {
  const { enabled, demandQuery } = spec.scaleToZero;
  if (!enabled || demandQuery === undefined) return undefined;
  const { namespace = "default", name } = metadata;
  return readTotal(demandQuery, queries, { namespace, podRegex: `${escapeRegex(name)}-[0-9]+-.*` });
}

/**
 * Of every object what is asked for or still there, whichever is more: one that was told to shrink and one that was told to grow may both be at their
 * larger size at once. What is on its way out counts on top: a GPU is free when its pod is gone.
 *
 * @param declared what the policy says that replicas take
 */
export function gpusInUse(
  set: PodCliqueSet,
  { fixedGpus, targets: resolved }: Resolution,
  targets: readonly TargetObservation[],
  { informers }: ObserveContext,
  declared?: DeclaredGpus,
): Held {
  let unknown: string | undefined;
  const heldBy = (some: readonly Pod[]): number => {
    const held = heldGpus(some, informers.templateGpus, declared);
    unknown ??= held.unknown;
    return held.gpus;
  };
  const pods = informers.pods.byIndex(BY_SET, keyOf(set));
  const live = pods.filter((pod) => !isTerminating(pod));
  const { namespace } = set.metadata;
  const { replicas } = set.spec;
  let gpus = heldBy(pods.filter(isTerminating));
  const ofTargets = new Set<Pod>();
  targets.forEach(({ objects, templateReplicas, gpusPerReplica }, index) => {
    let ordered = 0;
    for (const object of objects) {
      const own = informers.pods
        .byIndex(BY_OBJECT, `${namespace}/${object.objectName}`)
        .filter((pod) => !isTerminating(pod));
      for (const pod of own) ofTargets.add(pod);
      ordered += object.replicas;
      gpus += Math.max(object.replicas * (gpusPerReplica ?? 0), heldBy(own));
    }
    // What the operator has yet to create starts from its template.
    const uncreated = Math.max(0, replicas - objects.length) * templateReplicas;
    gpus += uncreated * (gpusPerReplica ?? 0);
    if (gpusPerReplica === undefined && ordered + uncreated > 0) unknown ??= `replicas of ${resolved[index]?.name}`;
  });
  const others = live.filter((pod) => !ofTargets.has(pod));
  const isLeaving = (pod: Pod): boolean => Number(labelOf(pod, SET_REPLICA_INDEX)) >= replicas;
  gpus += Math.max(replicas * (fixedGpus ?? 0), heldBy(others.filter((pod) => !isLeaving(pod))));
  gpus += heldBy(others.filter(isLeaving));
  if (fixedGpus === undefined && replicas > 0) unknown ??= "cliques that are no target";
  return unknown === undefined ? { gpus } : { gpus, unknown };
}

/** Of several overrides the youngest is in force. */
function overrideInForce(policy: ScalingPolicy, { informers, nowMs }: ObserveContext): OverrideObservation | undefined {
  const live = informers.overrides
    .byIndex(BY_POLICY, keyOf(policy))
    .filter((override) => !isTerminating(override) && expiryMs(override) > nowMs)
    .toSorted((a, b) => createdMs(b) - createdMs(a) || (a.metadata.name < b.metadata.name ? -1 : 1));
  const [override] = live;
  if (override === undefined) return undefined;
  const { reason, force, scaleTargets } = override.spec;
  return { name: override.metadata.name, reason, force, expiresAtMs: expiryMs(override), scaleTargets };
}

export const expiryMs = ({ spec }: ScalingOverride): number => parseTime(spec.expiresAt);
const createdMs = ({ metadata }: ScalingOverride): number => parseTime(metadata.creationTimestamp ?? "");
