/** Reconciles ClusterTopologyBindings, and says which events make one worth looking at. */
import type { ClusterTopologyBinding, ClusterTopologyBindingStatus } from "../../api/grove/cluster-topology-binding.ts";
import { CLUSTER_TOPOLOGY_BINDINGS } from "../../api/grove/cluster-topology-binding.ts";
import { conditionOf } from "../../api/kubernetes/conditions.ts";
import { controllerOf, type KubeObject } from "../../api/kubernetes/meta.ts";
import { type Controller, startController } from "../../kube/controller.ts";
import { enabledBackends } from "../backends/registry.ts";
import type { OperatorContext } from "../runtime/context.ts";
import { runPass } from "../runtime/pass.ts";
import { observeBinding } from "./observe.ts";
import { planBinding, referenceOf } from "./plan.ts";
import { bindingStatus, DRIFT } from "./status.ts";

const NAME = "clustertopology-controller";

/** A topology that is made anew goes and comes: one look at the end of it. */
const COALESCE_MS = 100;
/** The first list of a scheduler's kind: so long it is waited for before a binding says that it cannot be looked up. */
const WARM_UP_MS = 10_000;
const WARM_UP_STEP_MS = 1_000;

export function startClusterTopologyController(context: OperatorContext, workers = 1): Controller {
  const { stores, settings, clock } = context;
  const recorder = context.recorderFor(NAME);
  const startedAtMs = clock.monotonicMs();
  const kinds = enabledBackends(settings).flatMap(({ topologyObject }) =>
    topologyObject === undefined ? [] : [topologyObject.of],
  );
  const isWarmingUp = (): boolean =>
    clock.monotonicMs() - startedAtMs < WARM_UP_MS && kinds.some((kind) => !stores[kind].hasSynced());
  const controller = startController({
    ...context,
    name: NAME,
    workers,
    async reconcile(name) {
      if (isWarmingUp()) return { requeueAfterMs: WARM_UP_STEP_MS };
      return runPass({
        context,
        recorder,
        store: stores.binding,
        observe: () => observeBinding(name, stores, settings),
        object: ({ binding }) => binding,
        plan: planBinding,
        status: (snapshot, outcome, now) => bindingStatus({ ...snapshot, outcome, now }),
        onStatus: reportTransition,
      });
    },
  });

  stores.binding.onChange(({ before, after }) => {
    if (after !== undefined && before?.metadata.generation !== after.metadata.generation) {
      controller.enqueue(after.metadata.name);
    }
  });
  for (const { name, topologyObject } of enabledBackends(settings)) {
    if (topologyObject === undefined) continue;
    const store = stores[topologyObject.of];
    store.onChange(({ before, after }) => {
      const topology = after ?? before;
      if (topology === undefined) return;
      for (const binding of concerned(topology, name)) controller.enqueueAfter(binding, COALESCE_MS);
    });
    if (!store.hasSynced()) {
      void store.synced.then(() => {
        for (const binding of stores.binding.list()) controller.enqueue(binding.metadata.name);
      });
    }
  }
  return controller;

  /** Bindings that own the topology, refer to it, or would like to have its name. */
  function concerned(topology: KubeObject, scheduler: string): readonly string[] {
    const owner = controllerOf(topology);
    const names = stores.binding
      .list()
      .filter((binding) => (referenceOf(binding, scheduler) ?? binding.metadata.name) === topology.metadata.name)
      .map(({ metadata }) => metadata.name);
    return owner?.kind === CLUSTER_TOPOLOGY_BINDINGS.kind ? [...new Set([...names, owner.name])] : names;
  }

  function reportTransition(binding: ClusterTopologyBinding, status: object): void {
    const before = conditionOf(binding.status?.conditions, DRIFT)?.status;
    const after = conditionOf((status as ClusterTopologyBindingStatus).conditions, DRIFT);
    if (after === undefined || after.status === before) return;
    if (after.status === "True") recorder.event(binding, "Warning", "TopologyDriftDetected", after.message);
    if (after.status === "False") recorder.event(binding, "Normal", "TopologyInSync", after.message);
  }
}
