/** Puts a scenario world together from its parts: actions, view, and a way to wait. */
import { isPodReady, isTerminating } from "../../../src/api/kubernetes/core.ts";
import type { FollowedCluster } from "./cluster-view.ts";
import type { ClusterView, ScenarioWorld } from "./scenario-world.ts";
import { type ActionsOptions, worldActions } from "./world-actions.ts";

export interface Waiting {
  /** Until it holds. @returns whether it did within the world's limit */
  waitFor(holds: () => boolean): Promise<boolean>;
  /** While it holds. @returns whether it held for so long */
  watchFor(holds: () => boolean, forMs: number): Promise<boolean>;
  pass(durationMs: number): Promise<void>;
  settle(): Promise<void>;
}

export interface AssembleOptions extends ActionsOptions, Waiting {
  readonly terminationDelayMs: number;
  readonly cluster: FollowedCluster;
  crashPod(name: string): void;
  /** Lines of the operator's log that are errors: part of what a failure shows. */
  readonly problems: readonly string[];
}

/** Time that managed objects have to go after their set was deleted, in steps. */
const CLEAN_UP_STEPS = 120;
const CLEAN_UP_STEP_MS = 500;

export function assembleWorld(options: AssembleOptions): ScenarioWorld {
  const { cluster, api, clock, namespace, nodeNames, terminationDelayMs, problems, pass } = options;
  const { view } = cluster;
  const { deleteSets, leftovers, ...actions } = worldActions(options);
  const fail = (sentence: string): never => {
    throw new Error(`${sentence}\n${describeCluster(view)}\n${problems.slice(-5).join("\n")}`);
  };
  return {
    ...actions,
    api,
    clock,
    namespace,
    nodeNames,
    terminationDelayMs,
    view,
    crashPod: options.crashPod,
    async until(what, holds) {
      if (!(await options.waitFor(holds))) fail(`waited in vain for ${what}`);
    },
    async always(what, holds, forMs) {
      if (!(await options.watchFor(holds, forMs))) fail(`no longer: ${what}`);
    },
    pass,
    settle: options.settle,
    record: cluster.record,
    async cleanUp() {
      await deleteSets();
      for (let step = 0; ; step++) {
        const left = await leftovers();
        if (left.length === 0) return;
        if (step === CLEAN_UP_STEPS) fail(`left after the deletion of all sets: ${left.join(", ")}`);
        await pass(CLEAN_UP_STEP_MS);
      }
    },
  };
}

/** One line a pod, and what the levels above say. */
function describeCluster(view: ClusterView): string {
  const waiting = new Set(view.unschedulablePods());
  const pods = view.pods().map((pod) => {
    const marks = [
      pod.status?.phase ?? "",
      (pod.spec.schedulingGates ?? []).length > 0 && "gated",
      waiting.has(pod) && "unschedulable",
      isPodReady(pod) && "ready",
      isTerminating(pod) && "terminating",
      pod.spec.nodeName,
    ];
    return `  ${pod.spec.hostname} ${pod.metadata.name} ${marks.filter(Boolean).join(" ")}`;
  });
  const cliques = view.cliques().map(({ metadata, spec, status }) => {
    const breach = status?.conditions?.find(({ type }) => type === "MinAvailableBreached");
    return (
      `  ${metadata.name} replicas ${status?.replicas}/${spec.replicas} scheduled ${status?.scheduledReplicas} ` +
      `ready ${status?.readyReplicas} updated ${status?.updatedReplicas} breached ${breach?.status}/${breach?.reason}`
    );
  });
  return ["pods:", ...pods, "cliques:", ...cliques].join("\n");
}
