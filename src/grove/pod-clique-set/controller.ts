/** Reconciles PodCliqueSets, and says which events make one worth looking at. */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { equalJson } from "../../api/json.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import { controllerOf, type KubeObject, keyOf, type OwnerReference, parseKey } from "../../api/kubernetes/meta.ts";
import { type Controller, type ReconcileResult, startController } from "../../kube/controller.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Change } from "../../kube/informer.ts";
import { labelOf, PART_OF, RECONCILE_TRIGGER_ANNOTATION } from "../labels.ts";
import { planOrphanRemoval } from "../mnnvl/compute-domains.ts";
import { carryOut } from "../runtime/act.ts";
import type { OperatorContext } from "../runtime/context.ts";
import { runPass } from "../runtime/pass.ts";
import { statusDelay } from "../runtime/status-delay.ts";
import { BY_SET, BY_TOPOLOGY, scoped } from "../runtime/stores.ts";
import { observePodCliqueSet } from "./observe.ts";
import { planPodCliqueSet } from "./plan.ts";
import { podCliqueSetStatus } from "./status.ts";

const NAME = "podcliqueset-controller";

/**
 * Children report in bursts, and a pass looks at all of them: a set of 500 replicas would be looked at 2,000 times while
 * it comes up, at the price of 500 children each time.
 */
const COALESCE_MS = 50;
/** A child that is deleted by hand is made again under its old name: late enough that whoever waits for the deletion has seen it. */
const RECREATE_MS = 250;

export function startPodCliqueSetController(context: OperatorContext, workers: number): Controller {
  const { stores, settings } = context;
  const recorder = context.recorderFor(NAME);
  const delay = statusDelay<PodCliqueSet>(({ spec }, status) => status.availableReplicas >= spec.replicas);
  const controller = startController({
    ...context,
    name: NAME,
    workers,
    reconcile: async (key) => {
      const { namespace, name } = parseKey(key);
      if (settings.autoMnnvl && stores.set.get(namespace, name) === undefined) {
        return removeOrphanedDomains(key, context, recorder);
      }
      return runPass({
        context,
        recorder,
        store: stores.set,
        observe: () => observePodCliqueSet(key, stores, settings),
        object: ({ set }) => set,
        statusDelay: delay,
        plan: (snapshot, now) => planPodCliqueSet(snapshot, { settings, now }),
        status: (snapshot, outcome, now) => podCliqueSetStatus({ ...snapshot, outcome, settings, now }),
      });
    },
  });

  // A status of ours whose answer was lost, or somebody else's, need not be what the cache made us think.
  stores.set.onForeignChange(({ before, after }) => {
    if (before === undefined || after === undefined || equalJson(before.status, after.status)) return;
    controller.enqueueAfter(keyOf(after), COALESCE_MS);
  });
  stores.set.onChange(({ before, after }) => {
    if (after !== undefined && (before === undefined || isTerminating(after) || !sameIntent(before, after))) {
      controller.enqueue(keyOf(after));
    }
  });
  const enqueueSet = (object: KubeObject | undefined, delayMs = COALESCE_MS): void => {
    const set = object && labelOf(object, PART_OF);
    if (object === undefined || set === undefined) return;
    controller.enqueueAfter(scoped(object.metadata.namespace, set), delayMs);
  };
  const onStatus = ({ before, after }: Change<KubeObject & { readonly status?: unknown }>): void => {
    const same =
      before &&
      after &&
      isTerminating(before) === isTerminating(after) &&
      before.metadata.generation === after.metadata.generation &&
      equalJson(before.status, after.status);
    const isGoing = after === undefined || isTerminating(after);
    if (!same) enqueueSet(after ?? before, isGoing ? RECREATE_MS : COALESCE_MS);
  };
  stores.clique.onChange(onStatus);
  stores.group.onChange(onStatus);
  stores.gang.onChange(({ before, after }) => {
    if (before?.metadata.resourceVersion !== after?.metadata.resourceVersion) enqueueSet(after ?? before);
  });
  stores.binding.onChange(({ before, after }) => {
    const binding = after ?? before;
    if (binding === undefined || equalJson(before?.spec, after?.spec)) return;
    for (const set of stores.set.byIndex(BY_TOPOLOGY, binding.metadata.name)) controller.enqueue(keyOf(set));
  });
  // A pod that goes or is gone leaves the gang's references; the clique's own status tells of the rest.
  stores.pod.onChange(({ before, after }) => {
    if (before !== undefined && (after === undefined || isTerminating(before) !== isTerminating(after)))
      enqueueSet(before);
  });
  // Deleted by hand: heals at once.
  const { service, serviceAccount, role, roleBinding, autoscaler, computeDomain } = stores;
  for (const store of [service, serviceAccount, role, roleBinding, autoscaler, computeDomain]) {
    store.onChange(({ before, after }: Change<KubeObject>) => {
      if (after === undefined && before !== undefined && controllerOf(before) !== undefined) enqueueSet(before);
    });
  }
  stores.computeDomain.onChange(({ after }) => {
    if (after === undefined) return;
    const { namespace } = after.metadata;
    const set = stores.set.get(namespace, labelOf(after, PART_OF) ?? "");
    if (set === undefined) enqueueSet(after);
  });
  // The token controller fills the secret in.
  stores.secret.onChange(({ before, after }) => {
    if (!equalJson(before?.data, after?.data)) enqueueSet(after ?? before);
  });
  return controller;
}

async function removeOrphanedDomains(
  key: string,
  { stores }: OperatorContext,
  recorder: EventRecorder,
): Promise<ReconcileResult | undefined> {
  for (const regarding of stores.computeDomain.byIndex(BY_SET, key)) {
    const isThere = ({ name, uid }: OwnerReference): boolean =>
      stores.set.get(regarding.metadata.namespace, name)?.metadata.uid === uid;
    const plan = planOrphanRemoval([regarding], isThere);
    const { failures, stale } = await carryOut(plan, { stores, recorder, regarding });
    const [failure] = failures;
    if (failure !== undefined) throw new Error(`${failure.code}: ${failure.description}`);
    if (stale) return { requeueAfterMs: COALESCE_MS };
  }
  return undefined;
}

/** What a user says: the spec, the mirrored metadata, and the reconcile trigger. */
function sameIntent(before: KubeObject, after: KubeObject): boolean {
  return (
    before.metadata.generation === after.metadata.generation &&
    before.metadata.annotations?.[RECONCILE_TRIGGER_ANNOTATION] ===
      after.metadata.annotations?.[RECONCILE_TRIGGER_ANNOTATION] &&
    equalJson(before.metadata.labels, after.metadata.labels) &&
    equalJson(before.metadata.annotations, after.metadata.annotations)
  );
}
