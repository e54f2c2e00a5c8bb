/** Topology-aware scheduling, upstream's TAS2 to TAS16 and TAS23 (grove.md 10.6): what KAI is told, and where the pods are. */
import type { Pod } from "../../../src/api/kubernetes/core.ts";
import {
  BLOCK,
  disaggregated,
  fullHierarchy,
  groupAndClique,
  groupConstraintOnly,
  HOST,
  hostLevel,
  independentCliques,
  largeScale,
  preferredPack,
  RACK,
  scalingGroup,
  setAndClique,
  setConstraintOnly,
  tooLargeForRack,
  twoReplicas,
  unconstrained,
  ZONE,
  zoneOfSet,
} from "../topology-workloads.ts";
import type { Scenario, ScenarioWorld } from "./scenario-world.ts";
import { activePods, groupIndexOf, isGated, podsOf, setIndexOf, untilReady } from "./steps.ts";
import {
  type ExpectedSubGroup,
  requireOneDomain,
  type TopologyWorld,
  untilPodGroup,
  untilSetCondition,
  withTopology,
} from "./topology-view.ts";

const NODES = 28;

/** A scenario that deploys one workload and waits for its pods. */
function placing(
  name: string,
  workload: (constraints: TopologyWorld["constraints"]) => Parameters<ScenarioWorld["deploy"]>[0],
  pods: number,
  check: (topology: TopologyWorld) => Promise<void>,
): Scenario {
  return {
    name,
    run: (world) =>
      withTopology(world, async (topology) => {
        await world.prepare(NODES);
        await world.deploy(workload(topology.constraints));
        await untilReady(world, pods);
        await check(topology);
      }),
  };
}

const leaf = (name: string, minMember: number, more: Partial<ExpectedSubGroup> = {}): ExpectedSubGroup => ({
  name,
  minMember,
  ...more,
});
const parent = (name: string, minSubGroup: number, pack: Partial<ExpectedSubGroup>): ExpectedSubGroup => ({
  name,
  minSubGroup,
  ...pack,
});

/** Pods of one replica of a group. */
const groupPods = (world: ScenarioWorld, group: string, index: number): readonly Pod[] =>
  activePods(world).filter(
    (pod) => pod.metadata.labels?.["grove.io/podcliquescalinggroup"] === group && groupIndexOf(pod) === String(index),
  );

/** The trees of `disaggregated`, for one set replica. */
async function requireDisaggregated(
  topology: TopologyWorld,
  setIndex: number,
  prefillWorker: Partial<ExpectedSubGroup> = {},
): Promise<void> {
  const base = `tas-pcs-multi-pcsg-${setIndex}`;
  await untilPodGroup(topology, base, {
    top: { required: BLOCK },
    subGroups: [
      parent(`${base}-decoder-0`, 2, { required: RACK }),
      parent(`${base}-prefill-0`, 2, { required: RACK }),
      leaf(`${base}-router`, 2),
      leaf(`${base}-decoder-0-dworker`, 1, { parent: `${base}-decoder-0` }),
      leaf(`${base}-decoder-0-dleader`, 1, { parent: `${base}-decoder-0` }),
      leaf(`${base}-prefill-0-pworker`, 1, { parent: `${base}-prefill-0`, ...prefillWorker }),
      leaf(`${base}-prefill-0-pleader`, 1, { parent: `${base}-prefill-0` }),
    ],
  });
  // A scaled gang: the group's constraint is the whole gang's, and everything hangs at the root.
  await untilPodGroup(topology, `${base}-decoder-0`, {
    top: { required: RACK },
    subGroups: [leaf(`${base}-decoder-1-dworker`, 1), leaf(`${base}-decoder-1-dleader`, 1)],
  });
  await untilPodGroup(topology, `${base}-prefill-0`, {
    top: { required: RACK },
    subGroups: [leaf(`${base}-prefill-1-pworker`, 1, prefillWorker), leaf(`${base}-prefill-1-pleader`, 1)],
  });
  const { world } = topology;
  for (const group of ["decoder", "prefill"]) {
    for (const index of [0, 1]) requireOneDomain(topology, groupPods(world, `${base}-${group}`, index), RACK, 2);
  }
  // The base gang is one placement; scaled gangs are placed by themselves.
  const basePods = activePods(world).filter(({ metadata }) => metadata.labels?.["grove.io/podgang"] === base);
  requireOneDomain(topology, basePods, BLOCK, 6);
}

export const TOPOLOGY_PLACEMENT: readonly Scenario[] = [
  placing("Test_TAS2_MultipleCliquesWithDifferentConstraints", independentCliques, 7, async (topology) => {
    const { world } = topology;
    requireOneDomain(topology, podsOf(world, "tas-indep-clq-0-worker-rack"), RACK, 3);
    requireOneDomain(topology, podsOf(world, "tas-indep-clq-0-worker-block"), BLOCK, 4);
    await untilPodGroup(topology, "tas-indep-clq-0", {
      subGroups: [
        leaf("tas-indep-clq-0-worker-rack", 3, { required: RACK }),
        leaf("tas-indep-clq-0-worker-block", 4, { required: BLOCK }),
      ],
    });
  }),
  placing("Test_TAS3_PCSOnlyConstraint", setConstraintOnly, 4, async (topology) => {
    requireOneDomain(topology, activePods(topology.world), RACK, 4);
    await untilPodGroup(topology, "tas-sl-pcs-only-0", {
      top: { required: RACK },
      subGroups: [
        leaf("tas-sl-pcs-only-0-router", 2),
        leaf("tas-sl-pcs-only-0-workers-0-worker", 1),
        leaf("tas-sl-pcs-only-0-workers-1-worker", 1),
      ],
    });
  }),
  placing("Test_TAS4_PCSGOnlyConstraint", groupConstraintOnly, 4, async (topology) => {
    const base = "tas-sl-pcsg-only-0";
    for (const index of [0, 1]) {
      requireOneDomain(topology, groupPods(topology.world, `${base}-workers`, index), RACK, 1);
    }
    await untilPodGroup(topology, base, {
      subGroups: [
        parent(`${base}-workers-0`, 1, { required: RACK }),
        parent(`${base}-workers-1`, 1, { required: RACK }),
        leaf(`${base}-router`, 2),
        leaf(`${base}-workers-0-worker`, 1, { parent: `${base}-workers-0` }),
        leaf(`${base}-workers-1-worker`, 1, { parent: `${base}-workers-1` }),
      ],
    });
  }),
  placing("Test_TAS5_HostLevelConstraint", hostLevel, 2, async (topology) => {
    requireOneDomain(topology, activePods(topology.world), HOST, 2);
    await untilPodGroup(topology, "tas-host-level-0", {
      subGroups: [leaf("tas-host-level-0-worker", 2, { required: HOST })],
    });
  }),
  placing("Test_TAS6_StandalonePCLQOnlyPCSZoneConstraint", zoneOfSet, 4, async (topology) => {
    requireOneDomain(topology, activePods(topology.world), ZONE, 4);
    await untilPodGroup(topology, "tas-standalone-pclq-0", {
      top: { required: ZONE },
      subGroups: [leaf("tas-standalone-pclq-0-worker", 4)],
    });
  }),
  placing("Test_TAS7_NoTopologyConstraint", unconstrained, 4, async (topology) => {
    await untilPodGroup(topology, "tas-no-constraint-0", {
      subGroups: [leaf("tas-no-constraint-0-workers-0-worker", 2), leaf("tas-no-constraint-0-workers-1-worker", 2)],
    });
    await untilSetCondition(topology.world, "tas-no-constraint", "False", "AllClusterTopologyLevelsAvailable");
  }),
  placing("Test_TAS8_FullHierarchyWithCascadingConstraints", fullHierarchy, 8, async (topology) => {
    const base = "tas-hierarchy-0";
    const group = `${base}-inference-group`;
    for (const index of [0, 1]) {
      for (const name of ["prefill", "decode"]) {
        requireOneDomain(topology, podsOf(topology.world, `${group}-${index}-${name}`), HOST, 2);
      }
      requireOneDomain(topology, groupPods(topology.world, group, index), RACK, 4);
    }
    requireOneDomain(topology, activePods(topology.world), BLOCK, 8);
    await untilPodGroup(topology, base, {
      top: { required: BLOCK },
      subGroups: [
        parent(`${group}-0`, 2, { required: RACK }),
        parent(`${group}-1`, 2, { required: RACK }),
        ...[0, 1].flatMap((index) =>
          ["prefill", "decode"].map((name) =>
            leaf(`${group}-${index}-${name}`, 2, { required: HOST, parent: `${group}-${index}` }),
          ),
        ),
      ],
    });
  }),
  placing("Test_TAS9_PCSPlusPCLQConstraint", setAndClique, 2, async (topology) => {
    requireOneDomain(topology, activePods(topology.world), HOST, 2);
    await untilPodGroup(topology, "tas-pcs-pclq-0", {
      top: { required: BLOCK },
      subGroups: [leaf("tas-pcs-pclq-0-worker", 2, { required: HOST })],
    });
  }),
  placing("Test_TAS10_PCSGScalingWithTopologyConstraints", scalingGroup, 6, async (topology) => {
    const group = "tas-pcsg-scale-0-inference-group";
    for (const index of [0, 1, 2]) requireOneDomain(topology, groupPods(topology.world, group, index), RACK, 2);
    await untilPodGroup(topology, "tas-pcsg-scale-0", {
      top: { required: RACK },
      subGroups: [parent(`${group}-0`, 1, { required: RACK }), leaf(`${group}-0-worker`, 2, { parent: `${group}-0` })],
    });
    for (const index of [1, 2]) {
      await untilPodGroup(topology, `${group}-${index - 1}`, {
        top: { required: RACK },
        subGroups: [leaf(`${group}-${index}-worker`, 2)],
      });
    }
  }),
  placing("Test_TAS11_PCSGPlusPCLQNoParentConstraint", groupAndClique, 4, async (topology) => {
    const group = "tas-pcsg-pclq-0-workers";
    for (const index of [0, 1]) requireOneDomain(topology, groupPods(topology.world, group, index), HOST, 2);
    await untilPodGroup(topology, "tas-pcsg-pclq-0", {
      subGroups: [
        parent(`${group}-0`, 1, { required: RACK }),
        parent(`${group}-1`, 1, { required: RACK }),
        leaf(`${group}-0-worker`, 2, { required: HOST, parent: `${group}-0` }),
        leaf(`${group}-1-worker`, 2, { required: HOST, parent: `${group}-1` }),
      ],
    });
  }),
  placing("Test_TAS12_LargeScalingRatio", largeScale, 20, async (topology) => {
    const group = "tas-large-scale-0-workers";
    const worker = (index: number) => leaf(`${group}-${index}-worker`, 2, { required: HOST });
    for (let index = 0; index < 10; index++) {
      requireOneDomain(topology, groupPods(topology.world, group, index), HOST, 2);
      requireOneDomain(topology, groupPods(topology.world, group, index), BLOCK, 2);
    }
    await untilPodGroup(topology, "tas-large-scale-0", {
      top: { required: BLOCK },
      subGroups: [worker(0), worker(1), worker(2)],
    });
    // The group has no constraint of its own, so its scaled gangs have the set's.
    for (let index = 3; index < 10; index++) {
      await untilPodGroup(topology, `${group}-${index - 3}`, { top: { required: BLOCK }, subGroups: [worker(index)] });
    }
    if (topology.podGroups().length !== 8) throw new Error(`${topology.podGroups().length} PodGroups, not 8`);
  }),
  {
    name: "Test_TAS13_InsufficientNodesForConstraint",
    run: (world) =>
      withTopology(world, async (topology) => {
        await world.prepare(NODES);
        await world.deploy(tooLargeForRack(topology.constraints));
        await world.until("10 unschedulable pods", () => world.view.unschedulablePods().length === 10);
        const isNoneBound = (): boolean => activePods(world).every((pod) => !pod.spec.nodeName && !isGated(pod));
        await world.always("no pod bound", isNoneBound, 2_000);
        await untilPodGroup(topology, "tas-insuffic-0", {
          top: { required: RACK },
          subGroups: [leaf("tas-insuffic-0-worker", 10)],
        });
      }),
  },
  placing("Test_TAS14_MultiReplicaWithRackConstraint", twoReplicas, 4, async (topology) => {
    for (const index of [0, 1]) {
      const pods = activePods(topology.world).filter((pod) => setIndexOf(pod) === String(index));
      requireOneDomain(topology, pods, RACK, 2);
      await untilPodGroup(topology, `tas-multirep-${index}`, {
        top: { required: RACK },
        subGroups: [leaf(`tas-multirep-${index}-worker`, 2)],
      });
    }
  }),
  placing(
    "Test_TAS15_DisaggregatedInferenceMultiplePCSGs",
    (constraints) => disaggregated(constraints),
    10,
    (topology) => requireDisaggregated(topology, 0),
  ),
  placing(
    "Test_TAS16_MultiReplicaPCSWithThreeLevelHierarchy",
    (constraints) => disaggregated(constraints, { replicas: 2, prefillWorker: constraints.required("host") }),
    20,
    async (topology) => {
      for (const index of [0, 1]) await requireDisaggregated(topology, index, { required: HOST });
    },
  ),
  placing("Test_TAS23_PreferredPackConstraintPropagation", preferredPack, 3, async (topology) => {
    const group = "tas-preferred-pack-0-workers";
    await untilPodGroup(topology, "tas-preferred-pack-0", {
      top: { required: BLOCK, preferred: RACK },
      subGroups: [
        parent(`${group}-0`, 1, { preferred: HOST }),
        leaf("tas-preferred-pack-0-router", 1, { preferred: HOST }),
        leaf(`${group}-0-worker`, 1, { parent: `${group}-0` }),
      ],
    });
    await untilPodGroup(topology, `${group}-0`, {
      top: { preferred: HOST },
      subGroups: [leaf(`${group}-1-worker`, 1)],
    });
    await untilSetCondition(topology.world, "tas-preferred-pack", "False", "AllClusterTopologyLevelsAvailable");
  }),
];
