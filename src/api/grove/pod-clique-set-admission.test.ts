import { describe, expect, test } from "vitest";
import { type AdmissionOptions, admit } from "../admission.ts";
import { DEFAULT_GROVE_ADMISSION } from "./admission-options.ts";
import type { PodCliqueSet } from "./pod-clique-set.ts";

type Json = Record<string, unknown>;

const clique = (name: string, spec: Json = {}, rest: Json = {}): Json => ({
  name,
  ...rest,
  spec: { roleName: name, replicas: 2, podSpec: { containers: [{ name: "main" }] }, ...spec },
});
const group = (rest: Json = {}): Json => ({ name: "sg", cliqueNames: ["b", "c"], ...rest });

function pcs(template: Json = {}, rest: Json = {}): PodCliqueSet {
  return {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { name: "w", namespace: "ns" },
    spec: {
      replicas: 1,
      template: {
        cliques: [clique("a"), clique("b"), clique("c")],
        podCliqueScalingGroups: [group()],
        ...template,
      },
    },
    ...rest,
  } as unknown as PodCliqueSet;
}

const errorsOf = (set: PodCliqueSet, options?: AdmissionOptions): readonly string[] =>
  admit({ operation: "CREATE", object: set }, options).errors.map(({ field, message }) => `${field}: ${message}`);
const pathsOf = (set: PodCliqueSet, options?: AdmissionOptions): readonly string[] =>
  admit({ operation: "CREATE", object: set }, options).errors.map(({ field }) => field);
const updateErrors = (old: PodCliqueSet, next: PodCliqueSet): readonly string[] => {
  const stored = admit({ operation: "CREATE", object: old }).object;
  return admit({ operation: "UPDATE", object: next, oldObject: stored }).errors.map(({ field }) => field);
};

describe("defaults", () => {
  test("everything that may be left out is filled in, and a second pass changes nothing", () => {
    const object = pcs(
      { cliques: [clique("a", { autoScalingConfig: { maxReplicas: 4 } }), clique("b"), clique("c")] },
      { metadata: { name: "w" } },
    );
    const first = admit({ operation: "CREATE", object });
    expect(first.errors).toEqual([]);
    const set = first.object as PodCliqueSet;
    expect(set.metadata.namespace).toBe("default");
    expect(set.spec.template).toMatchObject({
      cliqueStartupType: "CliqueStartupTypeAnyOrder",
      headlessServiceConfig: { publishNotReadyAddresses: true },
      terminationDelay: "4h",
      podCliqueScalingGroups: [{ replicas: 1, minAvailable: 1 }],
    });
    expect(set.spec.template.cliques[0]?.spec).toMatchObject({
      minAvailable: 2,
      autoScalingConfig: { minReplicas: 2 },
      podSpec: { restartPolicy: "Always", terminationGracePeriodSeconds: 30 },
    });
    expect(admit({ operation: "UPDATE", object: set, oldObject: set })).toEqual({
      object: set,
      errors: [],
      warnings: [],
    });
  });

  test("headlessServiceConfig: {} publishes too", () => {
    const set = admit({ operation: "CREATE", object: pcs({ headlessServiceConfig: {} }) }).object as PodCliqueSet;
    expect(set.spec.template.headlessServiceConfig).toEqual({ publishNotReadyAddresses: true });
  });

  test("replicas 0 without minAvailable becomes 1 with minAvailable 0 and is refused, as upstream does", () => {
    expect(pathsOf(pcs({ cliques: [clique("a", { replicas: 0 })], podCliqueScalingGroups: [] }))).toEqual([
      "spec.template.cliques[0].spec.minAvailable",
    ]);
  });

  test("scaleConfig.minReplicas follows the group's replicas", () => {
    const object = pcs({ podCliqueScalingGroups: [group({ replicas: 3, scaleConfig: { maxReplicas: 5 } })] });
    const set = admit({ operation: "CREATE", object }).object as PodCliqueSet;
    expect(set.spec.template.podCliqueScalingGroups?.[0]?.scaleConfig?.minReplicas).toBe(3);
  });
});

describe("create", () => {
  const cliques = (...list: readonly Json[]): Json => ({ cliques: list, podCliqueScalingGroups: [] });
  test.each<{ name: string; template: Json; want: readonly string[] }>([
    { name: "no cliques", template: cliques(), want: ["spec.template.cliques"] },
    {
      name: "two cliques of one name",
      template: cliques(clique("a"), clique("a", { roleName: "other" })),
      want: ["spec.template.cliques[1]"],
    },
    {
      name: "two cliques of one role",
      template: cliques(clique("a"), clique("b", { roleName: "a" })),
      want: ["spec.template.cliques[1].spec.roleName"],
    },
    { name: "upper case name", template: cliques(clique("A")), want: ["spec.template.cliques[0].name"] },
    {
      name: "minAvailable above replicas",
      template: cliques(clique("a", { minAvailable: 3 })),
      want: ["spec.template.cliques[0].spec.minAvailable"],
    },
    {
      name: "negative replicas",
      template: cliques(clique("a", { replicas: -1, minAvailable: 1 })),
      want: ["spec.template.cliques[0].spec.replicas", "spec.template.cliques[0].spec.minAvailable"],
    },
    {
      name: "autoscaling below minAvailable",
      template: cliques(clique("a", { autoScalingConfig: { minReplicas: 1, maxReplicas: 4 } })),
      want: ["spec.template.cliques[0].spec.autoScalingConfig.minReplicas"],
    },
    {
      name: "autoscaling max below min and below replicas",
      template: cliques(clique("a", { autoScalingConfig: { maxReplicas: 1 } })),
      want: [
        "spec.template.cliques[0].spec.autoScalingConfig.maxReplicas",
        "spec.template.cliques[0].spec.autoScalingConfig.maxReplicas",
      ],
    },
    {
      name: "topologySpreadConstraints and nodeName",
      template: cliques(
        clique("a", {
          podSpec: {
            containers: [{ name: "m" }],
            nodeName: "n1",
            topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "z", whenUnsatisfiable: "DoNotSchedule" }],
          },
        }),
      ),
      want: [
        "spec.template.cliques[0].spec.podSpec.topologySpreadConstraints",
        "spec.template.cliques[0].spec.podSpec.nodeName",
      ],
    },
    {
      name: "an invalid environment variable name",
      template: cliques(clique("a", { podSpec: { containers: [{ name: "m", env: [{ name: "9=" }] }] } })),
      want: ["spec.template.cliques[0].spec.podSpec.containers[0].env[0].name"],
    },
    {
      name: "bad label",
      template: cliques(clique("a", {}, { labels: { "k/": "v", k: "-v" } })),
      want: ["spec.template.cliques[0].labels", "spec.template.cliques[0].labels[k]"],
    },
    { name: "terminationDelay 0s", template: { terminationDelay: "0s" }, want: ["spec.template.terminationDelay"] },
    { name: "terminationDelay text", template: { terminationDelay: "4 h" }, want: ["spec.template.terminationDelay"] },
    {
      name: "unknown member",
      template: { podCliqueScalingGroups: [group({ cliqueNames: ["x"] })] },
      want: ["spec.template.podCliqueScalingGroups[0].cliqueNames[0]"],
    },
    {
      name: "a clique in two groups",
      template: { podCliqueScalingGroups: [group(), group({ name: "sh", cliqueNames: ["c"] })] },
      want: ["spec.template.podCliqueScalingGroups[1].cliqueNames[0]"],
    },
    {
      name: "two groups of one name",
      template: { podCliqueScalingGroups: [group({ cliqueNames: ["b"] }), group({ cliqueNames: ["c"] })] },
      want: ["spec.template.podCliqueScalingGroups[1].name"],
    },
    {
      name: "group minAvailable above replicas",
      template: { podCliqueScalingGroups: [group({ minAvailable: 2 })] },
      want: ["spec.template.podCliqueScalingGroups[0].minAvailable"],
    },
    {
      name: "group scaleConfig with max below min (unchecked upstream)",
      template: { podCliqueScalingGroups: [group({ scaleConfig: { minReplicas: 3, maxReplicas: 2 } })] },
      want: ["spec.template.podCliqueScalingGroups[0].scaleConfig.maxReplicas"],
    },
    {
      name: "autoscaling on a member",
      template: { cliques: [clique("a"), clique("b", { autoScalingConfig: { maxReplicas: 4 } }), clique("c")] },
      want: ["spec.template.cliques[1].spec.autoScalingConfig"],
    },
    {
      name: "two schedulers, one of them by default",
      template: cliques(
        clique("a"),
        clique("b", { podSpec: { containers: [{ name: "m" }], schedulerName: "volcano" } }),
      ),
      want: ["spec.template.cliques[1].spec.podSpec.schedulerName"],
    },
    {
      name: "an unknown scheduler",
      template: cliques(clique("a", { podSpec: { containers: [{ name: "m" }], schedulerName: "mine" } })),
      want: ["spec.template.cliques[0].spec.podSpec.schedulerName"],
    },
    {
      name: "startsAfter is not looked at in any order",
      template: cliques(clique("a", { startsAfter: ["x"] })),
      want: [],
    },
    {
      name: "startsAfter itself, unknown, twice",
      template: {
        ...cliques(clique("a", { startsAfter: ["a", "x", "b", "b"] }), clique("b")),
        cliqueStartupType: "CliqueStartupTypeExplicit",
      },
      want: [3, 0, 1].map((at) => `spec.template.cliques[0].spec.startsAfter[${at}]`),
    },
    {
      name: "a cycle of three",
      template: {
        ...cliques(
          clique("a", { startsAfter: ["b"] }),
          clique("b", { startsAfter: ["c"] }),
          clique("c", { startsAfter: ["a"] }),
        ),
        cliqueStartupType: "CliqueStartupTypeExplicit",
      },
      want: ["spec.template.cliques"],
    },
    {
      name: "a diamond is no cycle",
      template: {
        ...cliques(
          clique("a"),
          clique("b", { startsAfter: ["a"] }),
          clique("c", { startsAfter: ["a"] }),
          clique("d", { startsAfter: ["b", "c"] }),
        ),
        cliqueStartupType: "CliqueStartupTypeExplicit",
      },
      want: [],
    },
    {
      name: "unknown start-up type",
      template: { cliqueStartupType: "Sometimes" },
      want: ["spec.template.cliqueStartupType"],
    },
    {
      name: "a claim template without requests, used with a namespace",
      template: {
        resourceClaimTemplates: [{ name: "gpu", templateSpec: { spec: {} } }],
        resourceSharing: [{ name: "gpu", namespace: "x", scope: "AllReplicas" }],
      },
      want: [
        "spec.template.resourceClaimTemplates[0].templateSpec.spec.devices.requests",
        "spec.template.resourceSharing[0].namespace",
      ],
    },
    {
      name: "filters that name nothing, or strangers",
      template: {
        resourceSharing: [
          { name: "x", scope: "PerReplica", filter: {} },
          { name: "x", scope: "PerReplica", filter: { childCliqueNames: ["z"], childScalingGroupNames: ["sg"] } },
        ],
        podCliqueScalingGroups: [
          group({ resourceSharing: [{ name: "y", scope: "PerReplica", filter: { childCliqueNames: ["a"] } }] }),
        ],
      },
      want: [
        "spec.template.resourceSharing[0].filter",
        "spec.template.resourceSharing[1].name",
        "spec.template.resourceSharing[1].filter.childCliqueNames[0]",
        "spec.template.podCliqueScalingGroups[0].resourceSharing[0].filter.childCliqueNames[0]",
      ],
    },
  ])("$name", ({ template, want }) => {
    expect(pathsOf(pcs(template))).toEqual(want);
  });

  test("names fill up to 45 characters and no further", () => {
    const named = (length: number): PodCliqueSet =>
      pcs({}, { metadata: { name: "x".repeat(length), namespace: "ns" } });
    expect(pathsOf(named(42))).toEqual([]);
    expect(pathsOf(named(43))).toEqual(["spec.template.cliques[1].name", "spec.template.cliques[2].name"]);
    expect(pathsOf(named(45)).length).toBe(3);
  });

  test("errors say the way out", () => {
    expect(errorsOf(pcs({ podCliqueScalingGroups: [group({ minAvailable: 2 })] }))).toEqual([
      "spec.template.podCliqueScalingGroups[0].minAvailable: must not be greater than replicas (1); lower it or raise replicas",
    ]);
  });

  test("only a restartPolicy that is really ignored gives a warning", () => {
    const set = pcs({
      cliques: [clique("a", { podSpec: { containers: [{ name: "m" }], restartPolicy: "Never" } })],
      podCliqueScalingGroups: [],
    });
    expect(admit({ operation: "CREATE", object: set }).warnings.length).toBe(1);
    expect(admit({ operation: "CREATE", object: pcs() }).warnings).toEqual([]);
  });
});

describe("topology constraints", () => {
  const grove = { ...DEFAULT_GROVE_ADMISSION, topologyLevels: new Map([["t", ["zone", "block", "rack", "host"]]]) };
  const at = (root: Json | undefined, groupConstraint?: Json, member?: Json): PodCliqueSet =>
    pcs({
      ...(root && { topologyConstraint: root }),
      cliques: [clique("a"), clique("b", {}, member && { topologyConstraint: member }), clique("c")],
      podCliqueScalingGroups: [group(groupConstraint && { topologyConstraint: groupConstraint })],
    });
  const pack = (required: string, topologyName = "t"): Json => ({ topologyName, pack: { required } });
  const ROOT = "spec.template.topologyConstraint";
  test.each<{ name: string; set: PodCliqueSet; want: readonly string[] }>([
    {
      name: "block over rack over host",
      set: at(pack("block"), pack("rack"), { pack: { required: "host" } }),
      want: [],
    },
    { name: "neither pack nor packDomain", set: at({ topologyName: "t" }), want: [`${ROOT}.pack`] },
    { name: "an empty pack", set: at({ topologyName: "t", pack: {} }), want: [`${ROOT}.pack`] },
    { name: "packDomain on create", set: at({ topologyName: "t", packDomain: "rack" }), want: [`${ROOT}.packDomain`] },
    {
      name: "packDomain and pack.required",
      set: at({ topologyName: "t", packDomain: "rack", pack: { required: "rack" } }),
      want: [`${ROOT}.pack.required`, `${ROOT}.packDomain`],
    },
    { name: "no name anywhere", set: at({ pack: { required: "rack" } }), want: [`${ROOT}.topologyName`] },
    {
      name: "two names",
      set: at(pack("block"), pack("rack", "u")),
      want: ["spec.template.podCliqueScalingGroups[0].topologyConstraint.topologyName"],
    },
    { name: "an unknown topology", set: at(pack("rack", "nope")), want: [ROOT] },
    { name: "an unknown level", set: at(pack("row")), want: [`${ROOT}.pack.required`] },
    {
      name: "a parent narrower than its child",
      set: at(pack("rack"), pack("block")),
      want: ["spec.template.podCliqueScalingGroups[0].topologyConstraint"],
    },
  ])("$name", ({ set, want }) => {
    expect(pathsOf(set, { grove })).toEqual(want);
  });

  test("the texts that clients match", () => {
    expect(errorsOf(at({ topologyName: "t", packDomain: "rack" }), { grove })).toEqual([
      `${ROOT}.packDomain: packDomain is deprecated and cannot be used on new workloads; use pack.required`,
    ]);
  });

  test("a preferred domain broader than the required one is a warning", () => {
    const set = at({ topologyName: "t", pack: { required: "rack", preferred: "block" } });
    const result = admit({ operation: "CREATE", object: set }, { grove });
    expect([result.errors, result.warnings.length]).toEqual([[], 1]);
  });

  test("without topology-aware scheduling a constraint is refused on create and passes on update", () => {
    const off = { grove: { ...grove, topologyAwareScheduling: false } };
    const set = at(pack("rack"));
    expect(pathsOf(set, off)).toEqual([ROOT]);
    const stored = admit({ operation: "CREATE", object: set }, { grove }).object;
    expect(admit({ operation: "UPDATE", object: set, oldObject: stored }, off).errors).toEqual([]);
  });
});

describe("update", () => {
  const base = pcs();
  const template = "spec.template";
  test.each<{ name: string; next: PodCliqueSet; want: readonly string[] }>([
    { name: "set replicas", next: pcs({}, { spec: { ...base.spec, replicas: 3 } }), want: [] },
    {
      name: "image, labels, terminationDelay, priority class, clique order in any order",
      next: pcs({
        cliques: [
          clique("c"),
          clique("b"),
          clique("a", { podSpec: { containers: [{ name: "main", image: "x" }] } }, { labels: { k: "v" } }),
        ],
        terminationDelay: "1h",
        priorityClassName: "high",
      }),
      want: [],
    },
    {
      name: "turning autoscaling on",
      next: pcs({ podCliqueScalingGroups: [group({ scaleConfig: { maxReplicas: 3 } })] }),
      want: [],
    },
    {
      name: "a clique more",
      next: pcs({ cliques: [clique("a"), clique("b"), clique("c"), clique("d")] }),
      want: [`${template}.cliques`],
    },
    {
      name: "role, minAvailable, startsAfter, scheduler",
      next: pcs({
        cliques: [clique("a", { roleName: "z", minAvailable: 1, startsAfter: ["b"] }), clique("b"), clique("c")].map(
          (entry) => ({
            ...entry,
            spec: { ...(entry["spec"] as Json), podSpec: { containers: [{ name: "main" }], schedulerName: "volcano" } },
          }),
        ),
      }),
      want: [
        `${template}.cliques[0].spec.roleName`,
        `${template}.cliques[0].spec.minAvailable`,
        `${template}.cliques[0].spec.startsAfter`,
        `${template}.cliques[0].spec.podSpec.schedulerName`,
        `${template}.cliques[1].spec.podSpec.schedulerName`,
        `${template}.cliques[2].spec.podSpec.schedulerName`,
      ],
    },
    {
      name: "naming the default scheduler changes nothing",
      next: pcs({
        cliques: ["a", "b", "c"].map((name) =>
          clique(name, { podSpec: { containers: [{ name: "main" }], schedulerName: "default-scheduler" } }),
        ),
      }),
      want: [],
    },
    {
      name: "group members and minimum",
      next: pcs({ podCliqueScalingGroups: [group({ cliqueNames: ["c", "b"], replicas: 2, minAvailable: 2 })] }),
      want: [`${template}.podCliqueScalingGroups[0].cliqueNames`, `${template}.podCliqueScalingGroups[0].minAvailable`],
    },
    {
      name: "start-up type",
      next: pcs({ cliqueStartupType: "CliqueStartupTypeInOrder" }),
      want: [`${template}.cliqueStartupType`],
    },
    {
      name: "sharing and the MNNVL group",
      next: pcs(
        { resourceSharing: [{ name: "x", scope: "AllReplicas" }] },
        { metadata: { name: "w", namespace: "ns", annotations: { "grove.io/mnnvl-group": "g" } } },
      ),
      want: ["metadata.annotations[grove.io/mnnvl-group]", `${template}.resourceSharing`],
    },
    {
      name: "a new topology constraint",
      next: pcs({ topologyConstraint: { topologyName: "t", pack: { required: "rack" } } }),
      want: [`${template}.topologyConstraint`],
    },
  ])("$name", ({ next, want }) => {
    expect(updateErrors(base, next)).toEqual(want);
  });

  test("the order of cliques is fixed when start-up follows it", () => {
    const inOrder = { cliqueStartupType: "CliqueStartupTypeInOrder" };
    const swapped = pcs({ ...inOrder, cliques: [clique("b"), clique("a"), clique("c")] });
    expect(updateErrors(pcs(inOrder), swapped)).toEqual(["spec.template.cliques"]);
  });

  test("a legacy constraint may gain its name and move to pack.required, and nothing else", () => {
    const legacy = admit({
      operation: "CREATE",
      object: pcs({ topologyConstraint: { packDomain: "rack" } }),
    }).object;
    const update = (topologyConstraint: Json): readonly string[] =>
      admit({ operation: "UPDATE", object: pcs({ topologyConstraint }), oldObject: legacy }).errors.map(
        ({ field }) => field,
      );
    expect(update({ topologyName: "t", packDomain: "rack" })).toEqual([]);
    expect(update({ topologyName: "t", pack: { required: "rack" } })).toEqual([]);
    expect(update({ topologyName: "t", pack: { required: "host" } })).toEqual(["spec.template.topologyConstraint"]);
    expect(update({ topologyName: "t", pack: { required: "rack", preferred: "host" } })).toEqual([
      "spec.template.topologyConstraint",
    ]);
  });
});

describe("ClusterTopologyBinding", () => {
  const binding = (spec: Json) =>
    admit({
      operation: "CREATE",
      object: {
        apiVersion: "grove.io/v1alpha1",
        kind: "ClusterTopologyBinding",
        metadata: { name: "t" },
        spec,
      } as never,
    }).errors.map(({ field, message }) => `${field}: ${message.split(":")[0]}`);
  const levels = [{ domain: "zone", key: "z" }];
  test.each<{ name: string; spec: Json; want: readonly string[] }>([
    {
      name: "good",
      spec: { levels, schedulerTopologyBindings: [{ schedulerName: "kai-scheduler", topologyReference: "t" }] },
      want: [],
    },
    {
      name: "repeated domain and key",
      spec: { levels: [...levels, ...levels] },
      want: ["spec.levels[1].domain: Duplicate value", "spec.levels[1].key: Duplicate value"],
    },
    {
      name: "repeated, disabled and topology-blind schedulers",
      spec: {
        levels,
        schedulerTopologyBindings: ["kai-scheduler", "kai-scheduler", "mine", "volcano"].map((schedulerName) => ({
          schedulerName,
          topologyReference: "t",
        })),
      },
      want: [
        "spec.schedulerTopologyReferences[1].schedulerName: Duplicate value",
        "spec.schedulerTopologyReferences[2].schedulerName: scheduler backend is not enabled in Grove",
        "spec.schedulerTopologyReferences[3].schedulerName: scheduler backend does not implement topology-aware scheduling",
      ],
    },
    { name: "no levels", spec: { levels: [] }, want: ["spec.levels: must have at least 1 entry"] },
  ])("$name", ({ spec, want }) => {
    expect(binding(spec)).toEqual(want);
  });
});

test("children are not validated, so that /scale below minAvailable works", () => {
  const child = {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueScalingGroup",
    metadata: { name: "x" },
    spec: { cliqueNames: ["a"], replicas: 0, minAvailable: 2 },
  };
  expect(admit({ operation: "UPDATE", object: child, oldObject: child }).errors).toEqual([]);
});
