/** Reconciles PodCliques, and says which events make one worth looking at. */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import { equalJson } from "../../api/json.ts";
import { isPodScheduled, isTerminating, type Pod, podCondition } from "../../api/kubernetes/core.ts";
import { keyOf } from "../../api/kubernetes/meta.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import { type Controller, startController } from "../../kube/controller.ts";
import { newBreachLookMs } from "../breach.ts";
import { BASE_POD_GANG, indexLabelOf, labelOf, PART_OF, POD_CLIQUE, POD_GANG, SET_REPLICA_INDEX } from "../labels.ts";
import type { OperatorContext } from "../runtime/context.ts";
import { runPass } from "../runtime/pass.ts";
import { statusDelay } from "../runtime/status-delay.ts";
import { BY_BASE_GANG, BY_SET, scoped } from "../runtime/stores.ts";
import { observePodClique } from "./observe.ts";
import { planPodClique } from "./plan.ts";
import { podCliqueStatus } from "./status.ts";

const NAME = "podclique-controller";

/** Pods of one clique are bound and become ready in bursts; one status write tells of many. */
const COALESCE_MS = 20;

export function startPodCliqueController(context: OperatorContext, workers: number): Controller {
  const { stores, settings } = context;
  const recorder = context.recorderFor(NAME);
  const delay = statusDelay<PodClique>(
    ({ spec }, status) =>
      // Whoever updates it pod by pod by hand looks at its counts after each.
      status.updateProgress !== undefined ||
      (status.readyReplicas >= spec.replicas && status.scheduledReplicas >= spec.replicas),
  );
  const controller = startController({
    ...context,
    name: NAME,
    workers,
    reconcile: (key) =>
      runPass({
        context,
        recorder,
        store: stores.clique,
        observe: () => observePodClique(key, stores),
        object: ({ clique }) => clique,
        statusDelay: delay,
        plan: (snapshot, now) => planPodClique(snapshot, { settings, now }),
        status: (snapshot, outcome, now) => podCliqueStatus({ ...snapshot, outcome, now }),
        onStatus: (clique, status) => {
          if ((clique.status?.scheduledReplicas ?? 0) > 0 && (status as PodClique["status"])?.scheduledReplicas === 0) {
            recorder.event(
              clique,
              "Warning",
              "AllScheduledReplicasLost",
              `No pod of ${clique.metadata.name} is scheduled`,
            );
          }
        },
      }),
  });

  // A status of ours whose answer was lost, or somebody else's, need not be what the cache made us think.
  stores.clique.onForeignChange(({ before, after }) => {
    if (before === undefined || after === undefined || equalJson(before.status, after.status)) return;
    controller.enqueueAfter(keyOf(after), COALESCE_MS);
  });
  stores.clique.onChange(({ before, after }) => {
    if (after === undefined) return;
    const changed = before?.metadata.generation !== after.metadata.generation;
    if (before === undefined || changed || isTerminating(after)) controller.enqueue(keyOf(after));
    const set = stores.set.get(after.metadata.namespace, labelOf(after, PART_OF) ?? "");
    const lookMs = newBreachLookMs(before, after, set);
    if (lookMs !== undefined) controller.enqueueAfter(keyOf(after), lookMs);
  });
  stores.pod.onChange(({ before, after }) => {
    const pod = after ?? before;
    const clique = pod && labelOf(pod, POD_CLIQUE);
    if (pod === undefined || clique === undefined) return;
    if (before !== undefined && after !== undefined && !isPodScheduled(before) && isPodScheduled(after)) {
      enqueueWaiting(after);
    }
    if (before === undefined || after === undefined || !equalJson(vitals(before), vitals(after))) {
      controller.enqueueAfter(scoped(pod.metadata.namespace, clique), COALESCE_MS);
    }
  });
  stores.gang.onChange(({ before, after }) => {
    const gang = after ?? before;
    if (gang === undefined || (before && after && equalJson(before.spec, after.spec))) return;
    for (const { name } of changedGroups(before, after)) controller.enqueue(scoped(gang.metadata.namespace, name));
  });
  stores.set.onChange(({ before, after }) => {
    if (after === undefined) return;
    const cliques = stores.clique.byIndex(BY_SET, keyOf(after));
    if (before?.status?.currentGenerationHash !== after.status?.currentGenerationHash) {
      for (const clique of cliques) controller.enqueue(keyOf(clique));
      return;
    }
    const [was, is] = [before, after].map((set) => set?.status?.updateProgress?.currentlyUpdating?.[0]?.replicaIndex);
    if (was === is) return;
    for (const clique of cliques) {
      const index = indexLabelOf(clique, SET_REPLICA_INDEX);
      if (index === was || index === is) controller.enqueue(keyOf(clique));
    }
  });
  return controller;

  /** Cliques of scaled gangs wait for the pods of their base gang to be scheduled. */
  function enqueueWaiting(pod: Pod): void {
    const gang = labelOf(pod, POD_GANG);
    if (gang === undefined || labelOf(pod, BASE_POD_GANG) !== undefined) return;
    for (const clique of stores.clique.byIndex(BY_BASE_GANG, scoped(pod.metadata.namespace, gang))) {
      controller.enqueueAfter(keyOf(clique), COALESCE_MS);
    }
  }
}

/** What of a pod a clique's plan and status depend on. */
function vitals(pod: Pod): unknown {
  const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return {
    terminating: isTerminating(pod),
    nodeName: pod.spec.nodeName,
    gates: pod.spec.schedulingGates,
    labels: pod.metadata.labels,
    scheduled: [podCondition(pod, "PodScheduled")?.status, podCondition(pod, "PodScheduled")?.reason],
    ready: podCondition(pod, "Ready")?.status,
    containers: containers.map(({ name, started, ready, lastState }) => [
      name,
      started,
      ready,
      (lastState?.terminated?.exitCode ?? 0) !== 0,
    ]),
  };
}

function changedGroups(before: PodGang | undefined, after: PodGang | undefined) {
  const old = new Map(before?.spec.podgroups.map((group) => [group.name, group]));
  return (
    (after ?? before)?.spec.podgroups.filter(
      (group) => after === undefined || !equalJson(old.get(group.name), group),
    ) ?? []
  );
}
