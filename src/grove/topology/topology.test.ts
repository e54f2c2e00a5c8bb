import { describe, expect, test } from "vitest";
import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import type { PodCliqueSet, PodCliqueSetInput } from "../../api/grove/pod-clique-set.ts";
import type { TopologyConstraint } from "../../api/grove/topology-constraint.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import { expectedPodGangs } from "../pod-gang/compose.ts";
import { planPodGangs } from "../pod-gang/plan.ts";
import { DEFAULT_SETTINGS } from "../settings.ts";
import { cliqueTemplate, storedSet } from "../test-objects.ts";
import { withLevelsCondition } from "./levels-condition.ts";
import { topologyNameOf } from "./topology-of-set.ts";
import { gangTopology } from "./translate.ts";

type Clique = PodCliqueSetInput["spec"]["template"]["cliques"][number];

const BINDING: ClusterTopologyBinding = {
  apiVersion: "grove.io/v1alpha1",
  kind: "ClusterTopologyBinding",
  metadata: { name: "topo", uid: "topo-uid", generation: 1 },
  spec: {
    levels: [
      { domain: "block", key: "k/block" },
      { domain: "rack", key: "k/rack" },
      { domain: "host", key: "k/host" },
    ],
  },
};

const required = (domain: string): TopologyConstraint => ({ topologyName: "topo", pack: { required: domain } });
const pack = (key: string) => ({ packConstraint: { required: key } });

function constrained(name: string, topologyConstraint?: TopologyConstraint): Clique {
  return { ...cliqueTemplate(name), ...(topologyConstraint !== undefined && { topologyConstraint }) };
}

interface Constraints {
  readonly set?: TopologyConstraint;
  readonly group?: TopologyConstraint;
  readonly member?: TopologyConstraint;
  readonly alone?: TopologyConstraint;
}

/** A clique of its own, and a group of three replicas, two of them in the base gang. */
const setWith = ({ set, group, member, alone }: Constraints): PodCliqueSet =>
  storedSet({
    cliques: [constrained("alone", alone), constrained("member", member)],
    podCliqueScalingGroups: [
      {
        name: "g",
        cliqueNames: ["member"],
        replicas: 3,
        minAvailable: 2,
        ...(group !== undefined && { topologyConstraint: group }),
      },
    ],
    ...(set !== undefined && { topologyConstraint: set }),
  });

function translated(constraints: Constraints, binding: ClusterTopologyBinding | undefined = BINDING) {
  const set = setWith(constraints);
  const [base, scaled] = expectedPodGangs(set, new Map()).map((gang) => {
    const { podGroups, ...rest } = gangTopology(gang, set.spec.template, binding);
    return { ...rest, podGroups: Object.fromEntries(podGroups) };
  });
  return { base, scaled };
}

describe("translation", () => {
  const NONE = { groupConfigs: [], podGroups: {} };

  test.each<readonly [string, Constraints, object, object]>([
    ["nothing", {}, NONE, NONE],
    [
      "the set's is the whole gang's, also of scaled gangs",
      { set: required("block") },
      { ...NONE, topologyName: "topo", gang: pack("k/block") },
      { ...NONE, topologyName: "topo", gang: pack("k/block") },
    ],
    [
      "a group's is one entry for each base replica, and the whole scaled gang's",
      { group: required("rack") },
      {
        topologyName: "topo",
        groupConfigs: [
          { name: "w-0-g-0", podGroupNames: ["w-0-g-0-member"], topologyConstraint: pack("k/rack") },
          { name: "w-0-g-1", podGroupNames: ["w-0-g-1-member"], topologyConstraint: pack("k/rack") },
        ],
        podGroups: {},
      },
      { ...NONE, topologyName: "topo", gang: pack("k/rack") },
    ],
    [
      "in a scaled gang the group's wins over the set's",
      { set: required("block"), group: required("rack"), member: required("host") },
      {
        topologyName: "topo",
        gang: pack("k/block"),
        groupConfigs: [0, 1].map((index) => ({
          name: `w-0-g-${index}`,
          podGroupNames: [`w-0-g-${index}-member`],
          topologyConstraint: pack("k/rack"),
        })),
        podGroups: { "w-0-g-0-member": pack("k/host"), "w-0-g-1-member": pack("k/host") },
      },
      {
        topologyName: "topo",
        gang: pack("k/rack"),
        groupConfigs: [],
        podGroups: { "w-0-g-2-member": pack("k/host") },
      },
    ],
    [
      "a clique's is its pod group's; a gang without that clique names no topology",
      { alone: required("host") },
      { topologyName: "topo", groupConfigs: [], podGroups: { "w-0-alone": pack("k/host") } },
      NONE,
    ],
    [
      "the deprecated spelling",
      { set: { topologyName: "topo", packDomain: "rack" } },
      { ...NONE, topologyName: "topo", gang: pack("k/rack") },
      { ...NONE, topologyName: "topo", gang: pack("k/rack") },
    ],
    [
      "a missing domain drops its half",
      { set: { topologyName: "topo", pack: { required: "cage", preferred: "rack" } } },
      { ...NONE, topologyName: "topo", gang: { packConstraint: { preferred: "k/rack" } } },
      { ...NONE, topologyName: "topo", gang: { packConstraint: { preferred: "k/rack" } } },
    ],
    [
      "a group without a usable constraint falls back to the set's",
      { set: required("block"), group: required("cage") },
      { ...NONE, topologyName: "topo", gang: pack("k/block") },
      { ...NONE, topologyName: "topo", gang: pack("k/block") },
    ],
    ["nothing that can be translated names no topology", { set: required("cage") }, NONE, NONE],
  ])("%s", (_, constraints, base, scaled) => {
    expect(translated(constraints)).toEqual({ base, scaled });
  });

  test("without a binding nothing is translated", () => {
    const all = { set: required("block"), group: required("rack"), member: required("host") };
    const set = setWith(all);
    for (const gang of expectedPodGangs(set, new Map())) {
      expect(gangTopology(gang, set.spec.template, undefined)).toEqual({ groupConfigs: [], podGroups: new Map() });
    }
  });

  test("the name may stand on any level", () => {
    const onClique = setWith({ set: { pack: { required: "block" } }, alone: required("host") });
    expect(topologyNameOf(onClique.spec.template)).toBe("topo");
    expect(topologyNameOf(setWith({ set: { pack: { required: "block" } } }).spec.template)).toBeUndefined();
  });
});

describe("PodGangs", () => {
  function plan(set: PodCliqueSet, live?: PodGang, { isBound = true, on = true } = {}) {
    return planPodGangs({
      set,
      expected: expectedPodGangs(set, new Map()).slice(0, 1),
      gangs: new Map(live === undefined ? [] : [[live.metadata.name, live]]),
      cliques: new Map(),
      podsByClique: new Map(),
      binding: isBound ? BINDING : undefined,
      settings: { ...DEFAULT_SETTINGS, topologyAwareScheduling: on },
      now: "t1",
    });
  }
  const set = setWith({ set: required("block"), group: required("rack"), alone: required("host") });
  function created(options?: Parameters<typeof plan>[2]): PodGang {
    const [action] = plan(set, undefined, options).creates;
    if (action?.kind !== "create" || action.of !== "gang") throw new TypeError("no gang");
    return { ...action.object, metadata: { ...action.object.metadata, uid: "gang-uid", resourceVersion: "1" } };
  }

  test("carry the constraints and the annotation from the start", () => {
    const { metadata, spec } = created();
    expect(metadata.annotations).toEqual({ "grove.io/topology-name": "topo" });
    expect(spec.topologyConstraint).toEqual(pack("k/block"));
    expect(spec.topologyConstraintGroupConfigs?.map(({ name }) => name)).toEqual(["w-0-g-0", "w-0-g-1"]);
    expect(spec.podgroups[0]).toMatchObject({ name: "w-0-alone", topologyConstraint: pack("k/host") });
  });

  test("lose them with the binding, and get them back with it", () => {
    const live = created();
    const [gone] = plan(set, live, { isBound: false }).updates;
    expect(gone).toMatchObject({
      patch: {
        metadata: { annotations: { "grove.io/topology-name": null } },
        spec: { topologyConstraint: null, topologyConstraintGroupConfigs: null },
      },
    });
    const bare = created({ isBound: false });
    expect(bare.metadata.annotations).toEqual({});
    expect(plan(set, bare).updates).toMatchObject([
      { patch: { metadata: { annotations: { "grove.io/topology-name": "topo" } } } },
    ]);
  });

  test("have none while topology-aware scheduling is off", () => {
    const { metadata, spec } = created({ on: false });
    expect(metadata.annotations).toEqual({});
    expect(Object.keys(spec)).toEqual(["podgroups"]);
    expect(spec.podgroups.every((group) => !("topologyConstraint" in group))).toBe(true);
  });
});

describe("the condition TopologyLevelsUnavailable", () => {
  const conditionOf = (constraints: Constraints, on: boolean, binding?: ClusterTopologyBinding) =>
    withLevelsCondition({ set: setWith(constraints), binding, topologyAwareScheduling: on, now: "t1" })?.[0];

  test.each<readonly [string, Constraints, boolean, ClusterTopologyBinding | undefined, string, string]>([
    ["off, constrained", { set: required("rack") }, false, BINDING, "Unknown", "TopologyAwareSchedulingDisabled"],
    ["no name", { set: { pack: { required: "rack" } } }, true, undefined, "Unknown", "TopologyNameMissing"],
    ["no binding", { set: required("rack") }, true, undefined, "Unknown", "ClusterTopologyNotFound"],
    ["a missing level", { set: required("cage") }, true, BINDING, "True", "ClusterTopologyLevelsUnavailable"],
    ["all there", { set: required("rack") }, true, BINDING, "False", "AllClusterTopologyLevelsAvailable"],
    ["on, no constraints", {}, true, undefined, "False", "AllClusterTopologyLevelsAvailable"],
  ])("%s", (_, constraints, on, binding, status, reason) => {
    expect(conditionOf(constraints, on, binding)).toMatchObject({
      type: "TopologyLevelsUnavailable",
      status,
      reason,
      observedGeneration: 1,
      lastTransitionTime: "t1",
    });
  });

  test("is absent where nothing is on and nothing is constrained, and goes when it comes to that", () => {
    expect(conditionOf({}, false)).toBeUndefined();
    const set = setWith({});
    const conditions = [
      {
        type: "TopologyLevelsUnavailable",
        status: "False" as const,
        reason: "R",
        message: "",
        lastTransitionTime: "t0",
      },
      { type: "Other", status: "True" as const, reason: "R", message: "", lastTransitionTime: "t0" },
    ];
    const old = { ...set, status: { conditions } as unknown as NonNullable<PodCliqueSet["status"]> };
    expect(
      withLevelsCondition({ set: old, binding: undefined, topologyAwareScheduling: false, now: "t1" }),
    ).toMatchObject([{ type: "Other" }]);
  });

  test("lists all missing levels, required and preferred, of all parts", () => {
    const message = conditionOf(
      { set: { topologyName: "topo", pack: { required: "cage", preferred: "shelf" } }, alone: required("socket") },
      true,
      BINDING,
    )?.message;
    expect(message).toContain("cage, shelf, socket");
  });
});
