/** The built-in Grove operator: starts the caches and the controllers of all its kinds. */
import { keyOf } from "../api/kubernetes/meta.ts";
import type { Clock } from "../clock.ts";
import type { Controller } from "../kube/controller.ts";
import { createEventRecorder } from "../kube/events.ts";
import type { KubeApi } from "../kube/kube-api.ts";
import { noRuntimeMetrics, type RuntimeMetrics } from "../kube/runtime-metrics.ts";
import { type Logger, silentLogger } from "../log.ts";
import type { Random } from "../random.ts";
import { enabledBackends } from "./backends/registry.ts";
import { startClusterTopologyController } from "./cluster-topology/controller.ts";
import { type GangPhaseListener, observeGangPhases } from "./gang-phases.ts";
import type { KindName } from "./kinds.ts";
import { startPodCliqueController } from "./pod-clique/controller.ts";
import { startScalingGroupController } from "./pod-clique-scaling-group/controller.ts";
import { startPodCliqueSetController } from "./pod-clique-set/controller.ts";
import { startGangBackendController } from "./pod-gang-backend/controller.ts";
import { wakeOnClaims } from "./resource-claims/wake.ts";
import type { OperatorContext } from "./runtime/context.ts";
import { ON_DEMAND_KINDS, OPTIONAL_KINDS, startStores } from "./runtime/stores.ts";
import { DEFAULT_SETTINGS, type OperatorSettings } from "./settings.ts";

export interface GroveOperatorOptions {
  readonly api: KubeApi;
  /** For Events, which should not wait in line with what they tell of; `api` when absent. */
  readonly eventsApi?: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  /** Stops everything. */
  readonly signal: AbortSignal;
  readonly log?: Logger;
  readonly metrics?: RuntimeMetrics;
  /** All when absent. */
  readonly namespaces?: readonly string[];
  /** How often every object is looked at again without an event; default 3 minutes. */
  readonly resyncMs?: number;
  /** Objects of each kind that are reconciled at the same time; defaults are upstream's. */
  readonly concurrency?: {
    readonly sets?: number;
    readonly groups?: number;
    readonly cliques?: number;
    readonly gangs?: number;
  };
  /** Told how long each PodGang took to each phase. */
  readonly onGangPhase?: GangPhaseListener;
  /** What is not given is as in {@link DEFAULT_SETTINGS}. */
  readonly settings?: Partial<OperatorSettings>;
}

export interface GroveOperator {
  /** Resolves when the caches hold everything and the controllers run. */
  readonly ready: Promise<void>;
  /** Nothing is being reconciled or waits to be; keys that come back later do not count. */
  isIdle(): boolean;
}

/** A lost event may leave a stale condition behind; upstream chose the same interval. */
const RESYNC_MS = 180_000;

export function startGroveOperator(options: GroveOperatorOptions): GroveOperator {
  const { clock, signal, log = silentLogger, metrics = noRuntimeMetrics, concurrency = {} } = options;
  const settings: OperatorSettings = { ...DEFAULT_SETTINGS, ...options.settings };
  const stores = startStores({
    without: kindsWithout(settings),
    api: options.api,
    clock,
    random: options.random,
    signal,
    log,
    metrics,
    ...(options.namespaces !== undefined && { namespaces: options.namespaces }),
  });
  if (options.onGangPhase !== undefined) observeGangPhases(stores, clock, options.onGangPhase);
  const context: OperatorContext = {
    stores,
    clock,
    random: options.random,
    signal,
    log,
    metrics,
    recorderFor: (component) =>
      createEventRecorder({ ...options, api: options.eventsApi ?? options.api, component, log }),
    settings,
  };
  let controllers: readonly Controller[] = [];

  const start = async (): Promise<void> => {
    const needed = Object.entries(stores).filter(
      ([kind]) => ![OPTIONAL_KINDS, ON_DEMAND_KINDS].some((kinds) => kinds.has(kind as KindName)),
    );
    await Promise.all(needed.map(([, { synced }]) => synced));
    if (signal.aborted) return;
    const sets = startPodCliqueSetController(context, concurrency.sets ?? 10);
    const groups = startScalingGroupController(context, concurrency.groups ?? 5);
    const cliques = startPodCliqueController(context, concurrency.cliques ?? 10);
    const gangBackends = startGangBackendController(context, concurrency.gangs ?? 5);
    const topologies = settings.topologyAwareScheduling ? startClusterTopologyController(context) : undefined;
    controllers = [sets, groups, cliques, gangBackends, ...(topologies === undefined ? [] : [topologies])];
    wakeOnClaims(stores, { set: sets.enqueue, group: groups.enqueue, clique: cliques.enqueue });
    const enqueueAll = (priority: "fresh" | "resync"): void => {
      for (const set of stores.set.list()) sets.enqueue(keyOf(set), priority);
      for (const group of stores.group.list()) groups.enqueue(keyOf(group), priority);
      for (const clique of stores.clique.list()) cliques.enqueue(keyOf(clique), priority);
      for (const gang of stores.gang.list()) gangBackends.enqueue(keyOf(gang), priority);
      for (const binding of stores.binding.list()) topologies?.enqueue(keyOf(binding), priority);
    };
    enqueueAll("fresh");
    void stores.computeDomain.synced.then(() => enqueueAll("fresh"));
    let timer = clock.setTimer(options.resyncMs ?? RESYNC_MS, function resync() {
      enqueueAll("resync");
      timer = clock.setTimer(options.resyncMs ?? RESYNC_MS, resync);
    });
    signal.addEventListener("abort", () => timer.cancel(), { once: true });
    log.info({ sets: stores.set.list().length }, "grove operator is running");
  };
  return {
    ready: start(),
    isIdle: () => controllers.length > 0 && controllers.every(({ isIdle }) => isIdle),
  };
}

/** Kinds that these settings have no use for. */
function kindsWithout(settings: OperatorSettings): ReadonlySet<KindName> {
  const backends = enabledBackends(settings);
  const used = new Set<KindName>(
    backends.flatMap(({ gangObject }) => (gangObject === undefined ? [] : [gangObject.of])),
  );
  if (settings.topologyAwareScheduling) {
    used.add("binding");
    for (const { topologyObject } of backends) if (topologyObject !== undefined) used.add(topologyObject.of);
  }
  return new Set<KindName>([...OPTIONAL_KINDS, "binding" as const].filter((kind) => !used.has(kind)));
}
