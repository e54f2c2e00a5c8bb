/** OnDelete, upstream's OD1 to OD9 (grove.md 10.4): a new template reaches a pod when somebody deletes the pod, and not before. */
import type { Pod } from "../../../src/api/kubernetes/core.ts";
import { workloadOnDelete } from "../workloads.ts";
import { untilUpdated } from "./rolling-updates.ts";
import type { Scenario, ScenarioWorld } from "./scenario-world.ts";
import { activePods, cliqueOf, deployReady, podsOf, survive, uidOf, uidsOf, untilReady } from "./steps.ts";
import { requireNewTemplate, triggerOf } from "./update-checks.ts";

const SET = "workload-ondelete";
/** How long no deletion is waited for. */
const CALM_MS = 3_000;

/** The status says at once that the update has ended, and no pod is touched. */
async function requireCalmUpdate(world: ScenarioWorld, pods: ReadonlySet<string>): Promise<void> {
  await world.until("the update to be marked as ended", () => {
    const { metadata, status } = world.view.set(SET) ?? {};
    return status?.observedGeneration === metadata?.generation && status?.updateProgress?.updateEndedAt !== undefined;
  });
  await world.always("no pod is deleted", () => survive(world, pods), CALM_MS);
  const progress = world.view.set(SET)?.status?.updateProgress;
  if ((progress?.currentlyUpdating ?? []).length > 0) throw new Error("a replica is being updated");
}

/** Deletes a pod and waits for its replacement. @returns the replacement */
async function replace(world: ScenarioWorld, pod: Pod): Promise<Pod> {
  const before = uidsOf(activePods(world));
  const total = before.size;
  await world.deletePod(pod.metadata.name);
  await world.until(`${pod.metadata.name} to go`, () => world.view.pods().every((each) => uidOf(each) !== uidOf(pod)));
  await untilReady(world, total);
  const fresh = activePods(world).find((each) => !before.has(uidOf(each)));
  if (fresh === undefined || cliqueOf(fresh) !== cliqueOf(pod))
    throw new Error(`${pod.metadata.name} was not replaced`);
  return fresh;
}

function firstOf(world: ScenarioWorld, clique: string): Pod {
  const [pod] = podsOf(world, `${SET}-0-${clique}`);
  if (pod === undefined) throw new Error(`there is no pod of ${clique}`);
  return pod;
}

/** A new template for these cliques; nothing happens. @returns its value */
async function calmUpdate(world: ScenarioWorld, cliques: readonly string[]): Promise<string> {
  const before = uidsOf(activePods(world));
  const value = await world.triggerUpdate(SET, cliques);
  await requireCalmUpdate(world, before);
  return value;
}

async function requireReplacedBy(world: ScenarioWorld, clique: string, value: string): Promise<void> {
  const fresh = await replace(world, firstOf(world, clique));
  if (triggerOf(fresh) !== value) throw new Error(`the replacement has the template ${triggerOf(fresh)}, not ${value}`);
}

const untilUpdatedPods = (world: ScenarioWorld, clique: string, pods: number): Promise<void> =>
  world.until(`${pods} updated pods of ${clique}`, () => world.view.clique(clique)?.status?.updatedReplicas === pods);

export const ON_DELETE: readonly Scenario[] = [
  {
    name: "Test_OD1_NoAutomaticDeletionOnSpecChange",
    async run(world) {
      await deployReady(world, workloadOnDelete());
      await calmUpdate(world, ["pc-a"]);
      await untilUpdatedPods(world, `${SET}-0-pc-a`, 0);
    },
  },
  {
    name: "Test_OD2_ManualDeletionCreatesUpdatedPod",
    async run(world) {
      await deployReady(world, workloadOnDelete());
      await requireReplacedBy(world, "pc-a", await calmUpdate(world, ["pc-a"]));
      await untilUpdatedPods(world, `${SET}-0-pc-a`, 1);
    },
  },
  {
    name: "Test_OD3_ScaleInPrefersOutdatedPods",
    async run(world) {
      await deployReady(world, workloadOnDelete());
      await calmUpdate(world, ["pc-a"]);
      // The newest pod would go first by age; it has the new template and must stay.
      const fresh = await replace(world, firstOf(world, "pc-a"));
      await world.scale("clique", `${SET}-0-pc-a`, 1);
      await untilReady(world, 9);
      const left = podsOf(world, `${SET}-0-pc-a`);
      if (left.length !== 1 || left[0]?.metadata.uid !== fresh.metadata.uid) throw new Error("the updated pod went");
    },
  },
  {
    name: "Test_OD4_PCSGNoAutomaticDeletionOnSpecChange",
    async run(world) {
      await deployReady(world, workloadOnDelete());
      await calmUpdate(world, ["pc-b"]);
    },
  },
  {
    name: "Test_OD5_PCSGManualDeletionCreatesUpdatedReplica",
    async run(world) {
      await deployReady(world, workloadOnDelete());
      await requireReplacedBy(world, "sg-x-0-pc-c", await calmUpdate(world, ["pc-c"]));
      await untilUpdatedPods(world, `${SET}-0-sg-x-0-pc-c`, 1);
    },
  },
  {
    name: "Test_OD6_MixedPCLQsAndPCSG",
    async run(world) {
      await deployReady(world, workloadOnDelete());
      const before = uidsOf(activePods(world));
      const values: string[] = [];
      for (const clique of ["pc-a", "pc-b", "pc-c"]) values.push(await world.triggerUpdate(SET, [clique]));
      await requireCalmUpdate(world, before);
      await requireReplacedBy(world, "pc-a", values[0] ?? "");
      await requireReplacedBy(world, "sg-x-0-pc-c", values[2] ?? "");
    },
  },
  {
    name: "Test_OD7_MultipleReplicasPCS",
    async run(world) {
      await deployReady(world, workloadOnDelete(), { nodes: 20 });
      await world.scale("set", SET, 2);
      await untilReady(world, 20);
      await calmUpdate(world, ["pc-a"]);
    },
  },
  {
    name: "Test_OD8_NodeFailureRecoveryWorkflow",
    async run(world) {
      await deployReady(world, workloadOnDelete(), { nodes: 11 });
      const victim = firstOf(world, "pc-a");
      const failedNode = victim.spec.nodeName ?? "";
      const before = uidsOf(activePods(world));
      const others = uidsOf(activePods(world).filter((pod) => pod.spec.nodeName !== failedNode));
      await excludeNode(world, "pc-a", failedNode);
      await requireCalmUpdate(world, before);
      const fresh = await replace(world, victim);
      if (!JSON.stringify(fresh.spec["affinity"]).includes(`"NotIn","values":["${failedNode}"]`)) {
        throw new Error("the replacement may go to the failed node");
      }
      if (fresh.spec.nodeName === failedNode) throw new Error("the replacement is on the failed node");
      if (!survive(world, others)) throw new Error("pods of other nodes were replaced");
    },
  },
  {
    name: "Test_OD9_StrategyTransition",
    async run(world) {
      await deployReady(world, workloadOnDelete());
      await calmUpdate(world, ["pc-a"]);

      await world.editTemplate(SET, () => ({ updateStrategy: { type: "RollingRecreate" } }));
      const before = uidsOf(activePods(world));
      await world.always("the strategy alone changes nothing", () => survive(world, before), CALM_MS);
      const value = await world.triggerUpdate(SET, ["pc-b"]);
      await untilUpdated(world, SET, 1);
      await untilReady(world, 10);
      requireNewTemplate(world, ["pc-b"], value);

      await world.editTemplate(SET, () => ({ updateStrategy: { type: "OnDelete" } }));
      await calmUpdate(world, ["pc-c"]);
    },
  },
];

/** Adds a rule to the node affinity of a clique's pods: not on this node. */
async function excludeNode(world: ScenarioWorld, clique: string, node: string): Promise<void> {
  const rule = { key: "kubernetes.io/hostname", operator: "NotIn", values: [node] };
  await world.editTemplate(SET, (template) => ({
    template: {
      ...template,
      cliques: template.cliques.map((each) => {
        if (each.name !== clique) return each;
        const { podSpec } = each.spec;
        const required = { nodeSelectorTerms: [{ matchExpressions: [rule] }] };
        const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: required } };
        return { ...each, spec: { ...each.spec, podSpec: { ...podSpec, affinity } } };
      }),
    },
  }));
}
