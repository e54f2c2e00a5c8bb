/** One wrong thing at a time (grove.md 1.2 to 1.10): exactly one complaint, at its path, with a sentence that says the way out. */
import { describe, expect, test } from "vitest";
import { admit } from "../admission.ts";
import { DEFAULT_GROVE_ADMISSION } from "./admission-options.ts";

type Json = Record<string, unknown>;

const podSpec = { containers: [{ name: "main" }] };
const clique = (name: string, spec: Json = {}, rest: Json = {}): Json => ({
  name,
  ...rest,
  spec: { roleName: name, replicas: 2, podSpec, ...spec },
});
const group = (rest: Json = {}): Json => ({ name: "sg", cliqueNames: ["b"], ...rest });
const set = (template: Json = {}, spec: Json = {}, metadata: Json = {}): Json => ({
  apiVersion: "grove.io/v1alpha1",
  kind: "PodCliqueSet",
  metadata: { name: "w", namespace: "ns", ...metadata },
  spec: { replicas: 1, template: { cliques: [clique("a"), clique("b")], ...template }, ...spec },
});
const one = (spec: Json, rest: Json = {}): Json => set({ cliques: [clique("a", spec, rest)] });
const grouped = (rest: Json): Json => set({ podCliqueScalingGroups: [group(rest)] });
const inOrder = (...cliques: readonly Json[]): Json => set({ cliques, cliqueStartupType: "CliqueStartupTypeExplicit" });
const envNamed = (list: string, ...names: readonly string[]): Json =>
  one({ podSpec: { ...podSpec, [list]: [{ name: "x", env: names.map((name) => ({ name })) }] } });

const LEVELS = { grove: { ...DEFAULT_GROVE_ADMISSION, topologyLevels: new Map([["t", ["zone", "rack"]]]) } };
const errorsOf = (object: Json, oldObject?: Json): readonly string[] =>
  admit(
    {
      operation: oldObject === undefined ? "CREATE" : "UPDATE",
      object: object as never,
      ...(oldObject !== undefined && {
        oldObject: admit({ operation: "CREATE", object: oldObject as never }, LEVELS).object as never,
      }),
    },
    LEVELS,
  ).errors.map(({ field, message }) => `${field}: ${message}`);

const A = "spec.template.cliques[0]";
const G = "spec.template.podCliqueScalingGroups[0]";

describe("create", () => {
  test.each<readonly [string, Json, string | RegExp]>([
    ["set replicas below 0", set({}, { replicas: -1 }), /^spec\.replicas: must be at least 0/],
    [
      "unknown update strategy",
      set({}, { updateStrategy: { type: "Coherent" } }),
      /^spec\.updateStrategy\.type: .*RollingRecreate.*OnDelete/,
    ],
    ["bad name of the set", set({}, {}, { name: "W_1" }), /^metadata\.name: .*DNS-1123/],
    [
      "clique without a name",
      set({ cliques: [clique("", { roleName: "r" })] }),
      `${A}.name: must be a DNS-1123 subdomain; use a-z, 0-9, '-' and '.'`,
    ],
    ["no role", one({ roleName: "" }), `${A}.spec.roleName: is required`],
    ["clique minAvailable 0", one({ minAvailable: 0 }), `${A}.spec.minAvailable: must be greater than 0`],
    [
      "clique minAvailable above replicas",
      one({ minAvailable: 3 }),
      `${A}.spec.minAvailable: must not be greater than replicas (2); lower it or raise replicas`,
    ],
    [
      "bad annotation key",
      one({}, { annotations: { "a b": "x" } }),
      `${A}.annotations: "a b" is not a valid annotation key`,
    ],
    ["bad label value", one({}, { labels: { k: "-v" } }), `${A}.labels[k]: "-v" is not a valid label value`],
    [
      "no container",
      one({ podSpec: { containers: [] } }),
      `${A}.spec.podSpec.containers: must have at least one container`,
    ],
    [
      "nodeName",
      one({ podSpec: { ...podSpec, nodeName: "n" } }),
      `${A}.spec.podSpec.nodeName: must not be set; use nodeSelector or affinity`,
    ],
    [
      "spread constraints",
      one({
        podSpec: {
          ...podSpec,
          topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "z", whenUnsatisfiable: "DoNotSchedule" }],
        },
      }),
      `${A}.spec.podSpec.topologySpreadConstraints: must not be set; use topologyConstraint`,
    ],
    [
      "variable twice",
      envNamed("containers", "X", "X"),
      `${A}.spec.podSpec.containers[0].env[1]: repeats name "X"; every entry must differ`,
    ],
    [
      "variable of an init container",
      envNamed("initContainers", "9="),
      `${A}.spec.podSpec.initContainers[0].env[0].name: "9=" is not a valid environment variable name`,
    ],
    [
      "autoscaling below minAvailable",
      one({ autoScalingConfig: { minReplicas: 1, maxReplicas: 4 } }),
      `${A}.spec.autoScalingConfig.minReplicas: must not be below minAvailable (2); raise it`,
    ],
    [
      "autoscaling maximum below minimum",
      one({ minAvailable: 1, autoScalingConfig: { minReplicas: 3, maxReplicas: 2 } }),
      `${A}.spec.autoScalingConfig.maxReplicas: must not be below minReplicas (3); raise it or lower minReplicas`,
    ],
    [
      "autoscaling maximum below replicas",
      one({ replicas: 4, minAvailable: 1, autoScalingConfig: { minReplicas: 1, maxReplicas: 3 } }),
      `${A}.spec.autoScalingConfig.maxReplicas: must not be below replicas (4); raise it or lower replicas`,
    ],
    [
      "autoscaling of a member",
      set({
        cliques: [clique("a"), clique("b", { autoScalingConfig: { maxReplicas: 4 } })],
        podCliqueScalingGroups: [group()],
      }),
      /^spec\.template\.cliques\[1\]\.spec\.autoScalingConfig: .*group/,
    ],
    [
      "group without a name",
      grouped({ name: "" }),
      `${G}.name: must be a DNS-1123 subdomain; use a-z, 0-9, '-' and '.'`,
    ],
    [
      "group without members",
      grouped({ cliqueNames: [] }),
      /^spec\.template\.podCliqueScalingGroups\[0\]\.cliqueNames: must have at least (1|one) entry/,
    ],
    [
      "group of a stranger",
      grouped({ cliqueNames: ["x"] }),
      `${G}.cliqueNames[0]: "x" is not a clique of this template`,
    ],
    ["group minAvailable 0", grouped({ minAvailable: 0 }), `${G}.minAvailable: must be greater than 0`],
    [
      "group minAvailable above replicas",
      grouped({ minAvailable: 2 }),
      `${G}.minAvailable: must not be greater than replicas (1); lower it or raise replicas`,
    ],
    [
      "scaling below the group's minAvailable",
      grouped({ replicas: 2, minAvailable: 2, scaleConfig: { minReplicas: 1, maxReplicas: 4 } }),
      `${G}.scaleConfig.minReplicas: must not be below minAvailable (2); raise it`,
    ],
    [
      "scaling maximum below minimum (unchecked upstream)",
      grouped({ scaleConfig: { minReplicas: 3, maxReplicas: 2 } }),
      `${G}.scaleConfig.maxReplicas: must not be below minReplicas (3); raise it or lower minReplicas`,
    ],
    [
      "scaling maximum below replicas (unchecked upstream)",
      grouped({ replicas: 4, scaleConfig: { minReplicas: 1, maxReplicas: 3 } }),
      `${G}.scaleConfig.maxReplicas: must not be below replicas (4); raise it or lower replicas`,
    ],
    [
      "starts after itself",
      inOrder(clique("a", { startsAfter: ["a"] })),
      `${A}.spec.startsAfter[0]: a clique cannot start after itself; remove it`,
    ],
    [
      "starts after a stranger",
      inOrder(clique("a", { startsAfter: ["x"] })),
      `${A}.spec.startsAfter[0]: "x" is not a clique of this template`,
    ],
    [
      "starts after nothing",
      inOrder(clique("a", { startsAfter: [""] })),
      `${A}.spec.startsAfter[0]: must not be empty`,
    ],
    [
      "starts after one twice",
      inOrder(clique("a", { startsAfter: ["b", "b"] }), clique("b")),
      `${A}.spec.startsAfter[1]: Duplicate value: "b"; every entry must differ`,
    ],
    [
      "a cycle of three",
      inOrder(
        clique("a", { startsAfter: ["b"] }),
        clique("b", { startsAfter: ["c"] }),
        clique("c", { startsAfter: ["a"] }),
      ),
      /^spec\.template\.cliques: .*a.*b.*c/,
    ],
    [
      "terminationDelay 0",
      set({ terminationDelay: "0s" }),
      "spec.template.terminationDelay: must be a duration above 0, such as 30s or 4h",
    ],
    [
      "unknown scheduler",
      one({ podSpec: { ...podSpec, schedulerName: "slurm" } }),
      /^spec\.template\.cliques\[0\]\.spec\.podSpec\.schedulerName: scheduler "slurm" is not enabled; enabled: /,
    ],
    [
      "name over the length rule",
      set({ cliques: [clique("a".repeat(45))] }),
      /^spec\.template\.cliques\[0\]\.name: .* at most 45 fit into a pod name/,
    ],
    [
      "names of a member over the length rule",
      set({
        cliques: [clique("a"), clique("b".repeat(30))],
        podCliqueScalingGroups: [group({ name: "g".repeat(15), cliqueNames: ["b".repeat(30)] })],
      }),
      /^spec\.template\.cliques\[1\]\.name: .* at most 45 fit into a pod name/,
    ],
    [
      "claim template without a name",
      set({
        resourceClaimTemplates: [{ name: "", templateSpec: { spec: { devices: { requests: [{ name: "g" }] } } } }],
      }),
      "spec.template.resourceClaimTemplates[0].name: is required",
    ],
    [
      "claim template without requests",
      set({ resourceClaimTemplates: [{ name: "g", templateSpec: { spec: {} } }] }),
      "spec.template.resourceClaimTemplates[0].templateSpec.spec.devices.requests: must have at least one entry",
    ],
    [
      "unknown sharing scope",
      set({ resourceSharing: [{ name: "g", scope: "Some" }] }),
      /^spec\.template\.resourceSharing\[0\]\.scope: .*AllReplicas.*PerReplica/,
    ],
    [
      "sharing with an unknown group",
      set({ resourceSharing: [{ name: "g", scope: "AllReplicas", filter: { childScalingGroupNames: ["x"] } }] }),
      'spec.template.resourceSharing[0].filter.childScalingGroupNames[0]: "x" is not a scaling group of this set',
    ],
    [
      "missing topology",
      set({ topologyConstraint: { topologyName: "nowhere", pack: { required: "rack" } } }),
      /^spec\.template\.topologyConstraint: .*"nowhere" does not exist; create it first/,
    ],
    [
      "missing level",
      set({ topologyConstraint: { topologyName: "t", pack: { required: "block" } } }),
      /^spec\.template\.topologyConstraint\.pack\.required: .*"?block"?/,
    ],
    [
      "child wider than its parent",
      set({
        topologyConstraint: { topologyName: "t", pack: { required: "rack" } },
        cliques: [clique("a", {}, { topologyConstraint: { pack: { required: "zone" } } })],
      }),
      /topologyConstraint: required domain zone of clique "a" is broader than rack of the PodCliqueSet; a parent must not be narrower$/,
    ],
    [
      "two topologies",
      set({
        topologyConstraint: { topologyName: "t", pack: { required: "zone" } },
        cliques: [clique("a", {}, { topologyConstraint: { topologyName: "u", pack: { required: "rack" } } })],
      }),
      /^spec\.template\.cliques\[0\]\.topologyConstraint\.topologyName: /,
    ],
  ])("%s", (_, object, sentence) => {
    const errors = errorsOf(object);
    expect(errors).toHaveLength(1);
    if (typeof sentence === "string") expect(errors[0]).toBe(sentence);
    else expect(errors[0]).toMatch(sentence);
  });
});

test("a group of no replicas is also one below its minimum, which cannot be lower than 1", () => {
  expect(errorsOf(grouped({ replicas: 0 }))).toEqual([
    `${G}.replicas: must be greater than 0`,
    `${G}.minAvailable: must not be greater than replicas (0); lower it or raise replicas`,
  ]);
});

describe("update", () => {
  const claim = { name: "g", templateSpec: { spec: { devices: { requests: [{ name: "g" }] } } } };
  test.each<readonly [string, Json, Json, string]>([
    ["a clique more", set(), set({ cliques: [clique("a"), clique("b"), clique("c")] }), "spec.template.cliques"],
    ["a clique less", set(), set({ cliques: [clique("a")] }), "spec.template.cliques"],
    [
      "a clique of another name",
      set(),
      set({ cliques: [clique("a"), clique("c", { roleName: "b" })] }),
      "spec.template.cliques",
    ],
    ["a group more", set(), grouped({}), "spec.template.podCliqueScalingGroups"],
    ["a group of another name", grouped({}), grouped({ name: "other" }), "spec.template.podCliqueScalingGroups"],
    ["role", one({}), one({ roleName: "z" }), `${A}.spec.roleName`],
    ["minAvailable", one({}), one({ minAvailable: 1 }), `${A}.spec.minAvailable`],
    [
      "startsAfter",
      set(),
      set({ cliques: [clique("a", { startsAfter: ["b"] }), clique("b")] }),
      `${A}.spec.startsAfter`,
    ],
    [
      "scheduler",
      one({}),
      one({ podSpec: { ...podSpec, schedulerName: "volcano" } }),
      `${A}.spec.podSpec.schedulerName`,
    ],
    ["start-up type", set(), set({ cliqueStartupType: "CliqueStartupTypeInOrder" }), "spec.template.cliqueStartupType"],
    ["members of a group", grouped({}), grouped({ cliqueNames: ["a"] }), `${G}.cliqueNames`],
    [
      "minAvailable of a group",
      grouped({ replicas: 2 }),
      grouped({ replicas: 2, minAvailable: 2 }),
      `${G}.minAvailable`,
    ],
    ["claim templates", set(), set({ resourceClaimTemplates: [claim] }), "spec.template.resourceClaimTemplates"],
    [
      "sharing of the set",
      set(),
      set({ resourceSharing: [{ name: "g", scope: "AllReplicas" }] }),
      "spec.template.resourceSharing",
    ],
    [
      "sharing of a clique",
      one({}),
      one({}, { resourceSharing: [{ name: "g", scope: "AllReplicas" }] }),
      `${A}.resourceSharing`,
    ],
    [
      "sharing of a group",
      grouped({}),
      grouped({ resourceSharing: [{ name: "g", scope: "AllReplicas" }] }),
      `${G}.resourceSharing`,
    ],
    [
      "topology of a clique",
      one({}),
      one({}, { topologyConstraint: { topologyName: "t", pack: { required: "rack" } } }),
      `${A}.topologyConstraint`,
    ],
    [
      "topology of a group",
      grouped({}),
      grouped({ topologyConstraint: { topologyName: "t", pack: { required: "rack" } } }),
      `${G}.topologyConstraint`,
    ],
    [
      "MNNVL group",
      set(),
      set({}, {}, { annotations: { "grove.io/mnnvl-group": "none" } }),
      "metadata.annotations[grove.io/mnnvl-group]",
    ],
  ])("%s", (_, old, next, field) => {
    const errors = errorsOf(next, old);
    expect(errors).toHaveLength(1);
    expect(errors[0]?.startsWith(`${field}: `)).toBe(true);
  });
});
