/** Tells schedulers of PodGangs, and says which events make a gang worth looking at. */
import { equalJson } from "../../api/json.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import { type KubeObject, keyOf } from "../../api/kubernetes/meta.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import { type Controller, startController } from "../../kube/controller.ts";
import type { Change } from "../../kube/informer.ts";
import type { GangObjectKind } from "../backends/backend.ts";
import { backendOf, enabledBackends } from "../backends/registry.ts";
import { labelOf, SCHEDULER_NAME, TOPOLOGY_NAME_ANNOTATION } from "../labels.ts";
import type { OperatorContext } from "../runtime/context.ts";
import { runPass } from "../runtime/pass.ts";
import { BY_SET } from "../runtime/stores.ts";
import { observeGangBackend } from "./observe.ts";
import { planGangBackend } from "./plan.ts";

const NAME = "podgang";
/** Backends report under a name of their own (grove.md 8.5). */
const RECORDER = "scheduler-backend";

/** A scheduler and a person may both touch an object in the moment when we do. */
const HEAL_MS = 50;

export function startGangBackendController(context: OperatorContext, workers: number): Controller {
  const { stores, settings, log } = context;
  const recorder = context.recorderFor(RECORDER);
  const kinds = enabledBackends(settings).flatMap(({ gangObject }) =>
    gangObject === undefined ? [] : [gangObject.of],
  );
  const controller = startController({
    ...context,
    name: NAME,
    workers,
    reconcile: (key) =>
      runPass({
        context,
        recorder,
        store: stores.gang,
        observe: () => observeGangBackend(key, stores, settings),
        object: ({ gang }) => gang,
        plan(snapshot) {
          const plan = planGangBackend(snapshot, settings);
          if (plan.mappingProblem !== undefined) reportProblem(snapshot.gang, plan.mappingProblem);
          return plan;
        },
        // The status of a PodGang is the set's and the scheduler's.
        status: ({ gang }) => gang.status ?? {},
      }),
  });
  if (kinds.length === 0) return controller;

  stores.gang.onChange(({ before, after }) => {
    if (after !== undefined && (before === undefined || !equalJson(intent(before), intent(after)))) {
      controller.enqueue(keyOf(after));
    }
  });
  // The queue is said there.
  stores.set.onChange(({ before, after }) => {
    if (after === undefined || (before !== undefined && equalJson(intent(before), intent(after)))) return;
    for (const gang of stores.gang.byIndex(BY_SET, keyOf(after))) controller.enqueue(keyOf(gang));
  });
  // What KAI calls the topology is said there.
  stores.binding.onChange(({ before, after }) => {
    if (equalJson(before?.spec.schedulerTopologyBindings, after?.spec.schedulerTopologyBindings)) return;
    const name = (after ?? before)?.metadata.name;
    for (const gang of stores.gang.list()) {
      if (gang.metadata.annotations?.[TOPOLOGY_NAME_ANNOTATION] === name) controller.enqueue(keyOf(gang));
    }
  });
  for (const kind of kinds) follow(kind);
  return controller;

  function follow(kind: GangObjectKind): void {
    const store = stores[kind];
    store.onChange(({ before, after }: Change<KubeObject>) => {
      const object = after ?? before;
      if (object === undefined || (before && after && equalJson(intent(before), intent(after)))) return;
      controller.enqueueAfter(keyOf(object), HEAL_MS);
    });
    if (store.hasSynced()) return;
    log.warn({ kind }, "the objects of an enabled scheduler cannot be listed yet: are its CRDs installed?");
    void store.synced.then(() => {
      for (const gang of stores.gang.list()) controller.enqueue(keyOf(gang));
    });
  }

  function reportProblem(gang: PodGang, problem: string): void {
    const scheduler = backendOf(settings, labelOf(gang, SCHEDULER_NAME))?.name;
    log.warn({ gang: keyOf(gang), scheduler, problem }, "a PodGang has no scheduler object");
    if (scheduler === "kai-scheduler") recorder.event(gang, "Warning", "KAIBackendMappingFailed", problem);
  }
}

/** All but the status and the bookkeeping of the server. */
function intent(object: KubeObject): unknown {
  const { labels, annotations, ownerReferences } = object.metadata;
  const { spec } = object as KubeObject & { readonly spec?: unknown };
  return { spec, labels, annotations, ownerReferences, terminating: isTerminating(object) };
}
