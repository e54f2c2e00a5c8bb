/** The built-in Grove operator: starts the caches and the controllers of all its kinds. */
import { keyOf } from "../api/kubernetes/meta.ts";
import type { Clock } from "../clock.ts";
import type { Controller } from "../kube/controller.ts";
import { createEventRecorder } from "../kube/events.ts";
import type { KubeApi } from "../kube/kube-api.ts";
import { noRuntimeMetrics, type RuntimeMetrics } from "../kube/runtime-metrics.ts";
import { type Logger, silentLogger } from "../log.ts";
import type { Random } from "../random.ts";
import { type GangPhaseListener, observeGangPhases } from "./gang-phases.ts";
import { startPodCliqueController } from "./pod-clique/controller.ts";
import { startScalingGroupController } from "./pod-clique-scaling-group/controller.ts";
import { startPodCliqueSetController } from "./pod-clique-set/controller.ts";
import type { OperatorContext } from "./runtime/context.ts";
import { startStores } from "./runtime/stores.ts";
import { DEFAULT_SETTINGS, type OperatorSettings } from "./settings.ts";

export interface GroveOperatorOptions {
  readonly api: KubeApi;
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
  readonly concurrency?: { readonly sets?: number; readonly groups?: number; readonly cliques?: number };
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
  const stores = startStores({
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
    recorderFor: (component) => createEventRecorder({ ...options, component, log }),
    settings: { ...DEFAULT_SETTINGS, ...options.settings },
  };
  let controllers: readonly Controller[] = [];

  const start = async (): Promise<void> => {
    await Promise.all(Object.values(stores).map(({ synced }) => synced));
    if (signal.aborted) return;
    const sets = startPodCliqueSetController(context, concurrency.sets ?? 10);
    const groups = startScalingGroupController(context, concurrency.groups ?? 5);
    const cliques = startPodCliqueController(context, concurrency.cliques ?? 10);
    controllers = [sets, groups, cliques];
    const enqueueAll = (priority: "fresh" | "resync"): void => {
      for (const set of stores.set.list()) sets.enqueue(keyOf(set), priority);
      for (const group of stores.group.list()) groups.enqueue(keyOf(group), priority);
      for (const clique of stores.clique.list()) cliques.enqueue(keyOf(clique), priority);
    };
    enqueueAll("fresh");
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
