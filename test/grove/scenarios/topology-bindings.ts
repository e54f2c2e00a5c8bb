/** Bindings of topologies to schedulers, upstream's TAS1 and TAS17 to TAS22 (grove.md 10.6). */
import {
  CLUSTER_TOPOLOGY_BINDINGS,
  type ClusterTopologyBinding,
} from "../../../src/api/grove/cluster-topology-binding.ts";
import { POD_CLIQUE_SETS } from "../../../src/api/grove/pod-clique-set.ts";
import type { TopologyConstraint } from "../../../src/api/grove/topology-constraint.ts";
import { isPodReady } from "../../../src/api/kubernetes/core.ts";
import {
  BLOCK,
  binding,
  constrainedAs,
  constraintsIn,
  HOST,
  type Levels,
  packedAtBlock,
  RACK,
  topologyCondition,
  ZONE,
} from "../topology-workloads.ts";
import type { Scenario, ScenarioWorld } from "./scenario-world.ts";
import { activePods, untilPods } from "./steps.ts";
import {
  GROVE_TOPOLOGY,
  requireOneDomain,
  type TopologyWorld,
  untilBindingCondition,
  untilPodGroup,
  untilSetCondition,
  untilTopology,
  withTopology,
} from "./topology-view.ts";

const ZONE_LEVEL = { domain: "zone", key: ZONE };
const RACK_LEVEL = { domain: "rack", key: RACK };
const HOST_LEVEL = { domain: "host", key: HOST };

const scenario = (name: string, run: (topology: TopologyWorld, world: ScenarioWorld) => Promise<void>): Scenario => ({
  name,
  run: (world) => withTopology(world, (topology) => run(topology, world)),
});

/** Nothing in them needs a webhook. */
export const TOPOLOGY_BINDINGS: readonly Scenario[] = [
  scenario("Test_TAS1_TopologyInfrastructure", async (topology, world) => {
    const keys = [ZONE, BLOCK, RACK, HOST];
    await untilTopology(topology, GROVE_TOPOLOGY, keys);
    await untilBindingCondition(topology, GROVE_TOPOLOGY, "False", "InSync");
    for (const name of world.nodeNames) {
      const labels = topology.node(name)?.metadata.labels ?? {};
      const missing = keys.filter((key) => !labels[key]);
      if (missing.length > 0) throw new Error(`node ${name} lacks ${missing.join()}`);
    }
  }),
  scenario("Test_TAS17_HeterogeneousGPUCluster", async (topology, world) => {
    const NVL_BLOCK = "example.com/nvl-block";
    const NVLINK_DOMAIN = "example.com/nvlink-domain";
    await world.prepare(28);
    const h100 = world.nodeNames.slice(0, 14);
    const gb200 = world.nodeNames.slice(14, 28);
    for (const [index, node] of gb200.entries()) {
      await topology.relabel(node, {
        [RACK]: null,
        [NVL_BLOCK]: `block-${Math.floor(index / 7)}`,
        [NVLINK_DOMAIN]: `nvl-domain-${index}`,
      });
    }
    await topology.createBinding("h100-topology", [{ domain: "block", key: RACK }, HOST_LEVEL]);
    await topology.createBinding("gb200-topology", [
      { domain: "block", key: NVL_BLOCK },
      { domain: "rack", key: NVLINK_DOMAIN },
      HOST_LEVEL,
    ]);
    await untilTopology(topology, "h100-topology", [RACK, HOST]);
    await untilTopology(topology, "gb200-topology", [NVL_BLOCK, NVLINK_DOMAIN, HOST]);
    for (const [set, topologyName, key, nodes] of [
      ["tas-h100-workload", "h100-topology", RACK, h100],
      ["tas-gb200-workload", "gb200-topology", NVL_BLOCK, gb200],
    ] as const) {
      await world.deploy(packedAtBlock(set, constraintsIn(topology.named(topologyName))));
      const pods = () =>
        activePods(world).filter(({ metadata }) => metadata.labels?.["app.kubernetes.io/part-of"] === set);
      await world.until(`the pods of ${set}`, () => pods().length === 2 && pods().every(isPodReady));
      requireOneDomain(topology, pods(), key, 2);
      const stray = pods().find(({ spec }) => !nodes.includes(spec.nodeName ?? ""));
      if (stray !== undefined) throw new Error(`${stray.metadata.name} is on ${stray.spec.nodeName}`);
      await untilPodGroup(topology, `${set}-0`, {
        topologyName: topology.named(topologyName),
        top: { required: key },
        subGroups: [{ name: `${set}-0-worker`, minMember: 2 }],
      });
    }
  }),
  scenario("Test_TAS18_ClusterTopologyDriftDetection", async (topology, world) => {
    const reference = "non-existent-kai-topo";
    await topology.createBinding(
      "drift-detect-topo",
      [ZONE_LEVEL, RACK_LEVEL, HOST_LEVEL],
      [{ schedulerName: "kai-scheduler", topologyReference: reference }],
    );
    await untilBindingCondition(topology, "drift-detect-topo", "True", "Drift");
    const [entry, ...more] = topology.bindingNamed("drift-detect-topo")?.status?.schedulerTopologyStatuses ?? [];
    const asExpected = entry?.inSync === false && entry.topologyReference === reference && more.length === 0;
    if (!asExpected) throw new Error(`status entries: ${JSON.stringify([entry, ...more])}`);
    // What a binding refers to is never made by us.
    await world.always("no topology is made", () => topology.topologyNamed("drift-detect-topo") === undefined, 2_000);
  }),
  scenario("Test_TAS19_AutoManagedCTLifecycle", async (topology, world) => {
    const name = "lifecycle-topo";
    await topology.createBinding(name, [ZONE_LEVEL, HOST_LEVEL]);
    await untilTopology(topology, name, [ZONE, HOST]);
    await untilBindingCondition(topology, name, "False", "InSync");
    await topology.setLevels(name, [ZONE_LEVEL, RACK_LEVEL, HOST_LEVEL]);
    const drift = () => topology.bindingNamed(name)?.status?.conditions?.[0];
    const since = drift()?.lastTransitionTime;
    await untilTopology(topology, name, [ZONE, RACK, HOST]);
    await world.until("the binding's status to follow", () => {
      const { metadata, status } = topology.bindingNamed(name) ?? {};
      return status?.observedGeneration === metadata?.generation;
    });
    await untilBindingCondition(topology, name, "False", "InSync");
    // It was never out of sync in between.
    if (drift()?.lastTransitionTime !== since)
      throw new Error("the condition changed while the topology was made anew");
  }),
  scenario("Test_TAS20_PCSTopologyLevelsUnavailableCondition", async (topology, world) => {
    const set = "tas-topology-condition";
    const levels: Levels = [ZONE_LEVEL, RACK_LEVEL, HOST_LEVEL];
    await world.prepare(2);
    await topology.createBinding("tas20-topology", levels);
    await world.deploy(topologyCondition(constraintsIn(topology.named("tas20-topology"))));
    await untilSetCondition(world, set, "False", "AllClusterTopologyLevelsAvailable");
    await topology.deleteBinding("tas20-topology");
    await untilSetCondition(world, set, "Unknown", "ClusterTopologyNotFound");
    await world.scale("set", set, 1);
    await untilPods(world, 2);
    const named = [...world.view.gangs(), ...world.view.cliques()].filter(
      ({ metadata }) => metadata.annotations?.["grove.io/topology-name"] !== undefined,
    );
    if (named.length > 0 || world.view.gangs().length !== 1) throw new Error("a topology is named that does not exist");
    await untilPodGroup(topology, `${set}-0`, { subGroups: [{ name: `${set}-0-worker`, minMember: 2 }] });
    await world.scale("set", set, 0);
    await untilPods(world, 0);
    await topology.createBinding("tas20-topology", levels);
    await untilSetCondition(world, set, "False", "AllClusterTopologyLevelsAvailable");
  }),
];

async function requireRefused(what: string, attempt: Promise<unknown>, fragments: readonly string[]): Promise<void> {
  const message = await attempt.then(
    () => undefined,
    (error: unknown) => String(error),
  );
  if (message === undefined) throw new Error(`${what}: admitted`);
  const missing = fragments.filter((fragment) => !message.includes(fragment));
  if (missing.length > 0) throw new Error(`${what}: ${JSON.stringify(missing)} is not in ${message}`);
}

const PACK_DOMAIN = "packDomain is deprecated and cannot be used on new workloads; use pack.required";

/** Needs the validating webhooks. */
export const TOPOLOGY_ADMISSION: readonly Scenario[] = [
  scenario("Test_TAS21_TopologyValidationWebhooks", async ({ constraints, named }, { api, namespace }) => {
    const twoLevels: Levels = [ZONE_LEVEL, RACK_LEVEL];
    const scheduler = (index: number): string => `spec.schedulerTopologyReferences[${index}].schedulerName`;
    const cases: readonly (readonly [string, ClusterTopologyBinding, readonly string[]])[] = [
      [
        "domain twice",
        binding(named("tas21-domain"), [ZONE_LEVEL, { domain: "zone", key: RACK }]),
        ["spec.levels[1].domain", "Duplicate value"],
      ],
      [
        "key twice",
        binding(named("tas21-key"), [ZONE_LEVEL, { domain: "rack", key: ZONE }]),
        ["spec.levels[1].key", "Duplicate value"],
      ],
      [
        "scheduler twice",
        binding(named("tas21-twice"), twoLevels, [
          { schedulerName: "kai-scheduler", topologyReference: "kai-topology-a" },
          { schedulerName: "kai-scheduler", topologyReference: "kai-topology-b" },
        ]),
        [scheduler(1), "Duplicate value"],
      ],
      [
        "unknown scheduler",
        binding(named("tas21-unknown"), twoLevels, [{ schedulerName: "unknown-scheduler", topologyReference: "t" }]),
        [scheduler(0), "scheduler backend is not enabled in Grove"],
      ],
      [
        "scheduler without topologies",
        binding(named("tas21-plain"), twoLevels, [{ schedulerName: "default-scheduler", topologyReference: "t" }]),
        [scheduler(0), "scheduler backend does not implement topology-aware scheduling"],
      ],
    ];
    for (const [what, object, fragments] of cases) {
      await requireRefused(what, api.create(CLUSTER_TOPOLOGY_BINDINGS, object), fragments);
    }
    const inherits = constrainedAs("tas21-inherits", {
      set: constraints.required("zone"),
      worker: { pack: { required: "host" } },
    });
    await api.create(POD_CLIQUE_SETS, { ...inherits, metadata: { ...inherits.metadata, namespace } } as never);
  }),
];

/** Needs the rules of the CRDs. */
export const TOPOLOGY_CEL: readonly Scenario[] = [
  scenario("Test_TAS22_PodCliqueSetTopologyCELValidation", async ({ constraints, named }, { api, namespace }) => {
    const topologyName = named(GROVE_TOPOLOGY);
    const rack = constraints.required("rack");
    const create = (name: string, parts: Parameters<typeof constrainedAs>[1]) => {
      const set = constrainedAs(name, parts);
      return api.create(POD_CLIQUE_SETS, { ...set, metadata: { ...set.metadata, namespace } } as never);
    };
    const refused: readonly (readonly [string, Parameters<typeof constrainedAs>[1], string])[] = [
      ["tas22-legacy-pcs", { set: { topologyName, packDomain: "host" } }, PACK_DOMAIN],
      [
        "tas22-missing-pack",
        { set: { topologyName } },
        "topologyConstraint must specify pack or deprecated packDomain",
      ],
      [
        "tas22-empty-pack",
        { set: { topologyName, pack: {} } },
        "pack must specify at least one of required or preferred",
      ],
      [
        "tas22-ambiguous-pack",
        { set: { topologyName, packDomain: "host", pack: { required: "host" } } },
        "must not set both pack.required and deprecated packDomain",
      ],
      ["tas22-legacy-pclq", { set: rack, worker: { packDomain: "host" } as TopologyConstraint }, PACK_DOMAIN],
      ["tas22-legacy-pcsg", { set: rack, workers: { packDomain: "host" } as TopologyConstraint }, PACK_DOMAIN],
    ];
    for (const [name, parts, fragment] of refused) await requireRefused(name, create(name, parts), [fragment]);
    await create("tas22-preferred-only", { set: { topologyName, pack: { preferred: "host" } } });
  }),
];
