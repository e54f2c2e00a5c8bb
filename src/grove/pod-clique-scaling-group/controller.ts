/** Reconciles PodCliqueScalingGroups, and says which events make one worth looking at. */
import type { PodCliqueScalingGroup, PodCliqueScalingGroupStatus } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { equalJson } from "../../api/json.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import { keyOf } from "../../api/kubernetes/meta.ts";
import { type Controller, startController } from "../../kube/controller.ts";
import { newBreachLookMs } from "../breach.ts";
import { labelOf, PART_OF, SCALING_GROUP } from "../labels.ts";
import type { OperatorContext } from "../runtime/context.ts";
import { runPass } from "../runtime/pass.ts";
import { statusDelay } from "../runtime/status-delay.ts";
import { BY_SET, scoped } from "../runtime/stores.ts";
import { observeScalingGroup } from "./observe.ts";
import { planScalingGroup } from "./plan.ts";
import { scalingGroupStatus } from "./status.ts";

const NAME = "podcliquescalinggroup-controller";

/** Members report in bursts. */
const COALESCE_MS = 20;
/** A member that is deleted by hand is made again under its old name: late enough that whoever waits for the deletion has seen it. */
const RECREATE_MS = 250;

export function startScalingGroupController(context: OperatorContext, workers: number): Controller {
  const { stores, settings } = context;
  const recorder = context.recorderFor(NAME);
  const delay = statusDelay<PodCliqueScalingGroup>(
    ({ spec }, status) => status.availableReplicas >= spec.replicas && status.scheduledReplicas >= spec.replicas,
  );
  const controller = startController({
    ...context,
    name: NAME,
    workers,
    reconcile: (key) =>
      runPass({
        context,
        recorder,
        store: stores.group,
        observe: () => observeScalingGroup(key, stores, settings.podGangNames),
        object: ({ group }) => group,
        statusDelay: delay,
        plan: (snapshot, now) => planScalingGroup(snapshot, { settings, now }),
        status: (snapshot, outcome, now) => scalingGroupStatus({ ...snapshot, outcome, now }),
        onStatus: (group, status) => {
          const { scheduledReplicas } = status as PodCliqueScalingGroupStatus;
          if ((group.status?.scheduledReplicas ?? 0) > 0 && scheduledReplicas === 0) {
            recorder.event(
              group,
              "Warning",
              "AllScheduledReplicasLost",
              `No replica of ${group.metadata.name} is scheduled`,
            );
          }
        },
      }),
  });

  // A status of ours whose answer was lost, or somebody else's, need not be what the cache made us think.
  stores.group.onForeignChange(({ before, after }) => {
    if (before === undefined || after === undefined || equalJson(before.status, after.status)) return;
    controller.enqueueAfter(keyOf(after), COALESCE_MS);
  });
  stores.group.onChange(({ before, after }) => {
    if (after === undefined) return;
    if (before?.metadata.generation !== after.metadata.generation || isTerminating(after))
      controller.enqueue(keyOf(after));
    const set = stores.set.get(after.metadata.namespace, labelOf(after, PART_OF) ?? "");
    const lookMs = newBreachLookMs(before, after, set);
    if (lookMs !== undefined) controller.enqueueAfter(keyOf(after), lookMs);
  });
  stores.clique.onChange(({ before, after }) => {
    const clique = after ?? before;
    const group = clique && labelOf(clique, SCALING_GROUP);
    if (clique === undefined || group === undefined) return;
    const same =
      before && after && isTerminating(before) === isTerminating(after) && equalJson(before.status, after.status);
    const isGoing = after === undefined || isTerminating(after);
    if (!same) controller.enqueueAfter(scoped(clique.metadata.namespace, group), isGoing ? RECREATE_MS : COALESCE_MS);
  });
  stores.set.onChange(({ before, after }) => {
    if (after === undefined) return;
    const same =
      before !== undefined &&
      before.status?.currentGenerationHash === after.status?.currentGenerationHash &&
      before.metadata.generation === after.metadata.generation &&
      equalJson(turnOf(before), turnOf(after));
    if (same) return;
    for (const group of stores.group.byIndex(BY_SET, keyOf(after))) controller.enqueue(keyOf(group));
  });
  return controller;
}

/** Whose turn it is in an update. */
const turnOf = ({ status }: PodCliqueSet): unknown => {
  const { updateEndedAt, currentlyUpdating } = status?.updateProgress ?? {};
  return [updateEndedAt, currentlyUpdating?.[0]?.replicaIndex];
};
