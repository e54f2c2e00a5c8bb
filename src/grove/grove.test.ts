import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PodCliqueScalingGroup } from "../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSetInput } from "../api/grove/pod-clique-set.ts";
import { conditionOf } from "../api/kubernetes/conditions.ts";
import { cliqueEnvironment, withEnvironment } from "./environment.ts";
import { mergePatch } from "./merge-patch.ts";
import { lastErrorsOf } from "./pass-outcome.ts";
import { memberClique } from "./pod-clique/clique-object.ts";
import { scalingGroup } from "./pod-clique-scaling-group/group-object.ts";
import { planScalingGroup } from "./pod-clique-scaling-group/plan.ts";
import { scalingGroupStatus } from "./pod-clique-scaling-group/status.ts";
import { expectedPodGangs } from "./pod-gang/compose.ts";
import { canonicalJson, generationHash, podTemplateHash } from "./pod-template-hash.ts";
import { DEFAULT_SETTINGS } from "./settings.ts";
import { startsAfter } from "./startup-order.ts";
import { cliqueTemplate, storedSet } from "./test-objects.ts";

type Template = PodCliqueSetInput["spec"]["template"];

const cliques = [cliqueTemplate("a", 2, 1), cliqueTemplate("b", 1, 1), cliqueTemplate("c", 3, 1)];
const grouped = (minAvailable: number, replicas = 2): Template => ({
  cliques,
  podCliqueScalingGroups: [{ name: "g", cliqueNames: ["b", "c"], replicas, minAvailable }],
});
const liveGroup = (template: Template, replicas: number): PodCliqueScalingGroup => {
  const set = storedSet(template);
  const group = scalingGroup(set, 0, set.spec.template.podCliqueScalingGroups![0]!);
  return {
    ...group,
    metadata: { ...group.metadata, uid: "group-uid", generation: 1 },
    spec: { ...group.spec, replicas },
  };
};

describe("gang composition", () => {
  const namesOf = (template: Template, groups: readonly PodCliqueScalingGroup[] = [], replicas = 1) =>
    expectedPodGangs(storedSet(template, replicas), new Map(groups.map((group) => [group.metadata.name, group]))).map(
      ({ name, podGroups }) => [name, podGroups.map(({ clique, minReplicas }) => `${clique}:${minReplicas}`)],
    );

  test("all replicas of the group in the base gang", () => {
    expect(namesOf(grouped(2))).toEqual([
      ["w-0", ["w-0-a:1", "w-0-g-0-b:1", "w-0-g-0-c:1", "w-0-g-1-b:1", "w-0-g-1-c:1"]],
    ]);
  });

  test("replicas above the minimum are gangs of their own, counted from the minimum", () => {
    expect(namesOf(grouped(1, 3)).map(([name]) => name)).toEqual(["w-0", "w-0-g-0", "w-0-g-1"]);
    expect(namesOf(grouped(1))[1]).toEqual(["w-0-g-0", ["w-0-g-1-b:1", "w-0-g-1-c:1"]]);
  });

  test("live replicas win over the template's, also below the minimum", () => {
    expect(namesOf(grouped(1), [liveGroup(grouped(1), 4)]).length).toBe(4);
    expect(namesOf(grouped(2), [liveGroup(grouped(2), 1)])).toEqual(namesOf(grouped(2)));
  });

  test("every set replica has its own", () => {
    expect(namesOf(grouped(1), [], 2).map(([name]) => name)).toEqual(["w-0", "w-0-g-0", "w-1", "w-1-g-0"]);
  });
});

describe("hashes", () => {
  const hashOf = (change: object, priority?: string) =>
    podTemplateHash(
      storedSet({ cliques: [{ ...cliqueTemplate("a"), ...change } as never] }).spec.template.cliques[0]!,
      priority,
    );
  const spec = (change: object) => ({ spec: { ...cliqueTemplate("a").spec, ...change } });
  const podSpec = (change: object) => spec({ podSpec: { containers: [{ name: "main", image: "x:1" }], ...change } });

  test("is the same in every version of the operator", () => {
    // A new value here would roll every running workload when the operator is upgraded.
    expect([hashOf({}), generationHash(storedSet({ cliques }).spec.template)]).toMatchInlineSnapshot(`
      [
        "747b4bb8cd84949994d",
        "8bfc88b9c954cd56b8",
      ]
    `);
  });

  test.each<[string, object]>([
    ["replicas, minAvailable, roleName", spec({ replicas: 7, minAvailable: 3, roleName: "z" })],
    ["startsAfter", spec({ startsAfter: ["b"] })],
    ["autoscaling", spec({ autoScalingConfig: { maxReplicas: 3 } })],
    ["the order of keys", podSpec({ containers: [{ image: "x:1", name: "main" }] })],
    ["empty lists and maps", { ...podSpec({ tolerations: [], nodeSelector: {} }), labels: {} }],
    ["defaults of the server", podSpec({ restartPolicy: "Always", terminationGracePeriodSeconds: 30 })],
  ])("ignores %s", (_name, change) => {
    expect(hashOf(change)).toBe(hashOf({}));
  });

  test("a port with and without the default protocol is one port", () => {
    const port = (extra: object) =>
      podSpec({ containers: [{ name: "main", ports: [{ containerPort: 80, ...extra }] }] });
    expect(hashOf(port({}))).toBe(hashOf(port({ protocol: "TCP" })));
    expect(hashOf(port({}))).not.toBe(hashOf(port({ protocol: "UDP" })));
  });

  test.each<[string, object]>([
    ["labels", { labels: { k: "v" } }],
    ["annotations", { annotations: { k: "v" } }],
    ["the image", podSpec({ containers: [{ name: "main", image: "x:2" }] })],
    ["the order of arguments", podSpec({ containers: [{ name: "main", image: "x:1", args: ["b", "a"] }] })],
  ])("sees %s", (_name, change) => {
    expect(hashOf(change)).not.toBe(hashOf({}));
  });

  test("sees the priority class", () => {
    expect(hashOf({}, "high")).not.toBe(hashOf({}));
  });

  test("an empty selector is not an absent one", () => {
    expect(canonicalJson({ namespaceSelector: {} })).not.toBe(canonicalJson({}));
  });
});

test("environment: ours first, the user's of the same name replaced, init containers too", () => {
  const pod = withEnvironment(
    {
      containers: [
        {
          name: "m",
          env: [
            { name: "A", value: "1" },
            { name: "GROVE_PCS_NAME", value: "x" },
          ],
        },
      ],
      initContainers: [{ name: "i" }],
    },
    cliqueEnvironment({ set: "w", setIndex: 2, clique: "w-2-a", namespace: "ns" }),
  );
  expect(pod.containers[0]?.env?.map(({ name, value }) => `${name}=${value}`)).toEqual([
    "GROVE_PCS_NAME=w",
    "GROVE_PCS_INDEX=2",
    "GROVE_PCLQ_NAME=w-2-a",
    "GROVE_HEADLESS_SERVICE=w-2.ns.svc.cluster.local",
    "GROVE_PCLQ_POD_INDEX=undefined",
    "A=1",
  ]);
  expect(pod.initContainers?.[0]?.env?.length).toBe(5);
});

describe("start-up order", () => {
  const parentsOf = (
    type: Template["cliqueStartupType"],
    name: string,
    groupIndex?: number,
    parents: Record<string, string[]> = {},
  ) => {
    const template = {
      ...grouped(2, 3),
      cliques: cliques.map((clique) => ({
        ...clique,
        spec: { ...clique.spec, ...(parents[clique.name] && { startsAfter: parents[clique.name]! }) },
      })),
      ...(type !== undefined && { cliqueStartupType: type }),
    };
    const set = storedSet(template);
    const clique = set.spec.template.cliques.find((entry) => entry.name === name)!;
    return startsAfter(clique, {
      set: "w",
      setIndex: 0,
      template: set.spec.template,
      ...(groupIndex !== undefined && { groupIndex }),
    });
  };
  const explicit = { b: ["a"], c: ["a", "b"] };
  test.each<[string, readonly string[], readonly string[]]>([
    ["any order ignores startsAfter", parentsOf("CliqueStartupTypeAnyOrder", "b", 0, explicit), []],
    ["in order: the first waits for nobody", parentsOf("CliqueStartupTypeInOrder", "a"), []],
    ["in order: the base gang waits for the clique before", parentsOf("CliqueStartupTypeInOrder", "b", 1), ["w-0-a"]],
    [
      "in order: for all base replicas of a group",
      parentsOf("CliqueStartupTypeInOrder", "c", 0),
      ["w-0-g-0-b", "w-0-g-1-b"],
    ],
    ["in order: a scaled gang waits inside itself", parentsOf("CliqueStartupTypeInOrder", "c", 2), ["w-0-g-2-b"]],
    ["in order: and not for the base gang", parentsOf("CliqueStartupTypeInOrder", "b", 2), []],
    [
      "explicit: every parent, expanded",
      parentsOf("CliqueStartupTypeExplicit", "c", 0, explicit),
      ["w-0-a", "w-0-g-0-b", "w-0-g-1-b"],
    ],
    ["explicit: a scaled gang keeps its own", parentsOf("CliqueStartupTypeExplicit", "c", 2, explicit), ["w-0-g-2-b"]],
  ])("%s", (_name, got, want) => {
    expect(got).toEqual(want);
  });
});

const NOW = "2026-01-01T00:00:00Z";
const OPTIONS = { settings: DEFAULT_SETTINGS, now: NOW };

describe("scaling group", () => {
  const set = {
    ...storedSet(grouped(1)),
    status: { availableReplicas: 0, updatedReplicas: 0, currentGenerationHash: "gen" },
  };
  const group = liveGroup(grouped(1), 2);
  const groupTemplate = set.spec.template.podCliqueScalingGroups![0]!;
  const member = (name: string, groupIndex: number, status?: object) => {
    const template = set.spec.template.cliques.find((entry) => entry.name === name)!;
    const clique = memberClique(template, {
      set,
      setIndex: 0,
      group,
      groupTemplate,
      groupIndex,
      settings: DEFAULT_SETTINGS,
    });
    return {
      ...clique,
      metadata: { ...clique.metadata, uid: `uid-${clique.metadata.name}` },
      ...(status && { status: status as never }),
    };
  };

  test("makes the missing members and removes every index above, holes or not", () => {
    const actions = planScalingGroup(
      {
        group,
        set,
        cliques: [member("b", 0), member("c", 0), member("b", 5)],
      },
      OPTIONS,
    ).stages.flatMap((stage) => stage.actions);
    expect(actions.map((action) => `${action.kind} ${action.object.metadata.name}`)).toEqual([
      "delete w-0-g-5-b",
      "create w-0-g-1-b",
      "create w-0-g-1-c",
    ]);
  });

  test("waits for members that are still going, and for a set that is gone", () => {
    const going = member("b", 0);
    const terminating = { ...going, metadata: { ...going.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
    const one = { ...group, spec: { ...group.spec, replicas: 1 } };
    expect(planScalingGroup({ group: one, set, cliques: [terminating, member("c", 0)] }, OPTIONS)).toMatchObject({
      waitingFor: "PodClique w-0-g-0-b, which is terminating",
    });
    expect(planScalingGroup({ group, set: undefined, cliques: [] }, OPTIONS)).toEqual({
      stages: [],
      waitingFor: "its PodCliqueSet",
    });
  });

  test("counts replicas whose members are all there, scheduled, ready", () => {
    const condition = (type: string, status: string) => ({
      type,
      status,
      reason: "R",
      message: "",
      lastTransitionTime: "t",
    });
    const scheduled = { readyReplicas: 0, conditions: [condition("PodCliqueScheduled", "True")] };
    const ready = { readyReplicas: 1, conditions: [condition("PodCliqueScheduled", "True")] };
    const breached = {
      readyReplicas: 1,
      conditions: [condition("PodCliqueScheduled", "True"), condition("MinAvailableBreached", "True")],
    };
    const statusOf = (b0: object, c0: object, b1?: object) =>
      scalingGroupStatus({
        group,
        set,
        cliques: [member("b", 0, b0), member("c", 0, c0), ...(b1 ? [member("b", 1, b1), member("c", 1, ready)] : [])],
        outcome: { complete: true, lastErrors: [] },
        now: "t1",
      });
    expect(statusOf(ready, ready, scheduled)).toMatchObject({
      replicas: 2,
      scheduledReplicas: 2,
      availableReplicas: 1,
    });
    const incomplete = statusOf(ready, ready);
    expect(incomplete).toMatchObject({ scheduledReplicas: 1, availableReplicas: 1 });
    const breach = (status: typeof incomplete) => conditionOf(status.conditions, "MinAvailableBreached")?.status;
    // One healthy replica is the minimum; an incomplete one is in breach.
    expect([breach(incomplete), breach(statusOf(breached, ready)), breach(statusOf(breached, ready, ready))]).toEqual([
      "False",
      "True",
      "False",
    ]);
  });
});

test("a merge patch turns one object into the other, and says nothing when they are equal", () => {
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small" },
      fc.integer(),
      fc.string(),
      fc.boolean(),
      fc.array(fc.integer(), { maxLength: 3 }),
      tie("object"),
    ),
    object: fc.dictionary(fc.constantFrom("a", "b", "c", "d"), tie("value"), { maxKeys: 4 }),
  })).object as fc.Arbitrary<Record<string, unknown>>;
  fc.assert(
    fc.property(json, json, (before, after) => {
      const patch = mergePatch(before, after);
      expect(patch === undefined ? before : applied(before, patch)).toEqual(after);
      expect(mergePatch(after, structuredClone(after))).toBeUndefined();
    }),
  );
});

/** RFC 7386, as its pseudo code says. */
function applied(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = applied(result[key], value);
  }
  return result;
}

test("a failure that repeats keeps its first time", () => {
  const failure = { code: "ERR_CREATE_POD", description: "quota" };
  const first = lastErrorsOf([failure], undefined, "t1");
  expect(lastErrorsOf([failure], first, "t2")).toEqual(first);
  expect(lastErrorsOf([{ ...failure, description: "other" }], first, "t2")[0]?.observedAt).toBe("t2");
  expect(lastErrorsOf([], first, "t2")).toEqual([]);
});
