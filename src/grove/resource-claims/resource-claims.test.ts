import { describe, expect, test } from "vitest";
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import type { PodSpec } from "../../api/kubernetes/core.ts";
import type { ResourceClaim, ResourceClaimTemplate } from "../../api/kubernetes/resource-claim.ts";
import { memberClique, standaloneClique } from "../pod-clique/clique-object.ts";
import { planPodClique } from "../pod-clique/plan.ts";
import { podObject } from "../pod-clique/pod-object.ts";
import { scalingGroup } from "../pod-clique-scaling-group/group-object.ts";
import { planScalingGroup } from "../pod-clique-scaling-group/plan.ts";
import { DEFAULT_SETTINGS } from "../settings.ts";
import { cliqueTemplate, storedPod, storedSet } from "../test-objects.ts";
import { withSharedClaims } from "./inject.ts";
import { claimSlots, cliqueLevel, groupLevel, type SharingLevel, setLevel } from "./levels.ts";
import { type ClaimPlan, type ClaimView, planClaims } from "./plan.ts";

const spec = (name: string) => ({ devices: { requests: [{ name, exactly: { deviceClassName: "gpus" } }] } });
const set = storedSet(
  {
    resourceClaimTemplates: [{ name: "own", templateSpec: { spec: spec("own") } }],
    resourceSharing: [
      { name: "own", scope: "AllReplicas" },
      { name: "own-a", scope: "PerReplica", filter: { childCliqueNames: ["a"] } },
      { name: "own-g", scope: "AllReplicas", filter: { childScalingGroupNames: ["g"] } },
    ],
    cliques: [
      { ...cliqueTemplate("a", 2), resourceSharing: [{ name: "own", scope: "PerReplica" }] },
      { ...cliqueTemplate("b"), resourceSharing: [{ name: "far", namespace: "other", scope: "AllReplicas" }] },
    ],
    podCliqueScalingGroups: [
      {
        name: "g",
        cliqueNames: ["b"],
        replicas: 2,
        resourceSharing: [
          { name: "near", scope: "PerReplica" },
          { name: "own", scope: "AllReplicas", filter: { childCliqueNames: ["c"] } },
        ],
      },
    ],
  },
  2,
);
const stored = <T extends { readonly metadata: { readonly name: string } }>(object: T): T => ({
  ...object,
  metadata: { ...object.metadata, uid: `uid-${object.metadata.name}` },
});
const [a, b] = set.spec.template.cliques;
const [groupTemplate] = set.spec.template.podCliqueScalingGroups ?? [];
if (a === undefined || b === undefined || groupTemplate === undefined) throw new Error("templates");
const worker: PodClique = stored(standaloneClique(set, 1, a, { settings: DEFAULT_SETTINGS }));
const group = stored(scalingGroup(set, 0, groupTemplate));
const position = { set, setIndex: 0, group, groupTemplate, groupIndex: 1, settings: DEFAULT_SETTINGS };
const member: PodClique = stored(memberClique(b, position));

const template = (namespace: string, name: string): readonly [string, ResourceClaimTemplate] => [
  `${namespace}/${name}`,
  {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaimTemplate",
    metadata: { namespace, name },
    spec: { spec: spec(name) },
  },
];
const view = (change: Partial<ClaimView> = {}): ClaimView => ({
  isKnown: true,
  claims: [],
  templates: new Map([
    template("ns", "own-a"),
    template("ns", "own-g"),
    template("ns", "near"),
    template("other", "far"),
  ]),
  used: new Set(),
  ...change,
});
const claimsOf = (level: SharingLevel, of: PodCliqueSet = set): readonly ResourceClaim[] =>
  planClaims(of, level, view()).actions.map(({ object }) => stored(object as ResourceClaim));
const stepsOf = ({ actions }: Pick<ClaimPlan, "actions">): readonly string[] =>
  actions.map(({ kind, object }) => `${kind} ${object.metadata.name}`);

describe("claims of a level", () => {
  const placed = (level: SharingLevel) =>
    claimSlots(level).map(({ name, labels }) => [name, Object.entries(labels).slice(3).flat().join("=")]);

  test("have their names and the labels of their place", () => {
    expect(placed(setLevel(set))).toEqual([
      ["w-all-own", ""],
      ["w-0-own-a", "grove.io/podcliqueset-replica-index=0"],
      ["w-1-own-a", "grove.io/podcliqueset-replica-index=1"],
      ["w-all-own-g", ""],
    ]);
    expect(placed(groupLevel(group, set)).map(([name]) => name)).toEqual([
      "w-0-g-0-near",
      "w-0-g-1-near",
      "w-0-g-all-own",
    ]);
    expect(placed(cliqueLevel(worker, set))).toEqual([
      ["w-1-a-0-own", "grove.io/podclique=w-1-a=grove.io/podclique-pod-index=0"],
      ["w-1-a-1-own", "grove.io/podclique=w-1-a=grove.io/podclique-pod-index=1"],
    ]);
  });

  test("are made from the set's own template, or from the cluster's in the namespace that is named", () => {
    const [claim] = claimsOf(cliqueLevel(worker, set));
    expect(claim).toMatchObject({
      kind: "ResourceClaim",
      metadata: {
        namespace: "ns",
        labels: {
          "app.kubernetes.io/managed-by": "grove-operator",
          "app.kubernetes.io/part-of": "w",
          "app.kubernetes.io/component": "resource-claim",
        },
        ownerReferences: [{ kind: "PodClique", name: "w-1-a", uid: "uid-w-1-a", controller: true }],
      },
      spec: spec("own"),
    });
    expect(claimsOf(cliqueLevel(member, set)).map((one) => one.spec)).toEqual([spec("far")]);
    expect(claimsOf(groupLevel(group, set)).map((one) => one.spec)).toEqual([spec("near"), spec("near"), spec("own")]);
  });

  test("are not made at all when a template is missing, and it is named", () => {
    const plan = planClaims(set, setLevel(set), view({ templates: new Map([template("ns", "own-a")]) }));
    expect(plan.actions).toEqual([]);
    expect(plan.isIncomplete).toBe(true);
    expect(plan.problem).toEqual({
      code: "ERR_SYNC_PCS_RESOURCE_CLAIM",
      description: expect.stringContaining("no ResourceClaimTemplate ns/own-g in the cluster"),
    });
  });

  test("that exist need their template no more", () => {
    const claims = claimsOf(setLevel(set));
    expect(planClaims(set, setLevel(set), view({ claims, templates: new Map() }))).toEqual({
      actions: [],
      isIncomplete: false,
    });
  });

  test("keep their spec, whatever the template says now; labels are put right", () => {
    const [first, ...others] = claimsOf(setLevel(set));
    if (first === undefined) throw new Error("no claims");
    const labels = { ...first.metadata.labels, "app.kubernetes.io/component": "mine", team: "x" };
    const edited = { ...first, spec: spec("older"), metadata: { ...first.metadata, labels } };
    const { actions } = planClaims(set, setLevel(set), view({ claims: [edited, ...others] }));
    expect(actions).toMatchObject([
      { kind: "patch", patch: { metadata: { labels: { "app.kubernetes.io/component": "resource-claim" } } } },
    ]);
    expect(actions[0]).toHaveProperty("patch", {
      metadata: { labels: { "app.kubernetes.io/component": "resource-claim" } },
    });
  });

  test("of replicas that are no more go when no pod uses them", () => {
    const claims = claimsOf(setLevel(set));
    const smaller = { ...set, spec: { ...set.spec, replicas: 1 } };
    expect(stepsOf(planClaims(smaller, setLevel(smaller), view({ claims })))).toEqual(["delete w-1-own-a"]);
    const used = new Set(["w-1-own-a"]);
    expect(stepsOf(planClaims(smaller, setLevel(smaller), view({ claims, used })))).toEqual([]);
    const none = { ...set, spec: { ...set.spec, replicas: 0 } };
    expect(stepsOf(planClaims(none, setLevel(none), view({ claims })))).toEqual([
      "delete w-0-own-a",
      "delete w-1-own-a",
    ]);
  });

  test("that are going or are somebody else's are waited for", () => {
    const [first, ...others] = claimsOf(setLevel(set));
    if (first === undefined) throw new Error("no claims");
    const going = { ...first, metadata: { ...first.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
    expect(planClaims(set, setLevel(set), view({ claims: [going] }))).toMatchObject({
      waitingFor: "ResourceClaim w-all-own, which is terminating",
      isIncomplete: false,
    });
    const foreign = { ...first, metadata: { ...first.metadata, ownerReferences: [] } };
    const plan = planClaims(set, setLevel(set), view({ claims: [foreign, ...others] }));
    expect(plan).toEqual({
      actions: [],
      isIncomplete: false,
      waitingFor: "ResourceClaim w-all-own, which has another owner",
    });
  });

  test("are not judged before they are known; an API that is not there is a problem that is told", () => {
    expect(planClaims(set, setLevel(set), view({ isKnown: false }))).toEqual({
      actions: [],
      isIncomplete: true,
      waitingFor: "the list of resource claims",
    });
    expect(
      planClaims(set, setLevel(set), view({ isKnown: false, failure: "not found" })).problem?.description,
    ).toContain("resource.k8s.io/v1 (dynamic resource allocation), which cannot be read: not found");
  });

  test("where nothing is shared there is nothing to do", () => {
    const plain = storedSet({ cliques: [cliqueTemplate("a")] });
    expect(planClaims(plain, setLevel(plain), undefined)).toEqual({ actions: [], isIncomplete: false });
  });
});

describe("what needs claims is not made without them", () => {
  const missing = view({ templates: new Map() });

  test("members of a group", () => {
    const options = { settings: DEFAULT_SETTINGS, now: "2026-01-01T00:00:00Z" };
    const kinds = (claims: ClaimView) =>
      planScalingGroup({ group, set, cliques: [], claims }, options)
        .stages.map(({ actions }) => actions.map(({ kind, of }) => `${kind} ${of}`))
        .filter((actions) => actions.length > 0);
    expect(kinds(missing)).toEqual([]);
    expect(kinds(view())).toEqual([Array(3).fill("create claim"), Array(2).fill("create clique")]);
  });

  test("pods of a clique", () => {
    const snapshot = { clique: member, set, pods: [], gang: undefined, baseGang: undefined, baseScheduled: new Map() };
    const options = { settings: DEFAULT_SETTINGS, now: "2026-01-01T00:00:00Z" };
    const plan = planPodClique({ ...snapshot, claims: missing }, options);
    expect(plan.stages.flatMap(({ actions }) => actions)).toEqual([]);
    expect(plan.problem?.code).toBe("ERR_SYNC_PCLQ_RESOURCE_CLAIM");
    const steps = planPodClique({ ...snapshot, claims: view() }, options).stages.map(({ actions }) =>
      actions.map(({ kind, of }) => `${kind} ${of}`),
    );
    expect(steps.filter((actions) => actions.length > 0)).toEqual([["create claim"], ["create pod"]]);
  });
});

describe("pods", () => {
  const names = (podSpec: PodSpec): unknown => podSpec.resourceClaims?.map(({ name }) => name);

  test("refer to the claims of their levels in order, and every container does", () => {
    const { containers, resourceClaims } = podObject({
      clique: worker,
      set,
      settings: DEFAULT_SETTINGS,
      podIndex: 1,
    }).spec;
    expect(resourceClaims).toEqual(
      ["w-all-own", "w-1-own-a", "w-1-a-1-own"].map((name) => ({ name, resourceClaimName: name })),
    );
    expect(containers[0]?.resources?.claims).toEqual([
      { name: "w-all-own" },
      { name: "w-1-own-a" },
      { name: "w-1-a-1-own" },
    ]);
  });

  test("of a group have the group's too, as far as the filters let them", () => {
    expect(names(withSharedClaims({ containers: [] }, member, set, 0))).toEqual([
      "w-all-own",
      "w-all-own-g",
      "w-0-g-1-near",
      "w-0-g-1-b-all-far",
    ]);
  });

  test("init containers of the user have them; the one that waits for parents has not", () => {
    const settings = { ...DEFAULT_SETTINGS, initContainerImage: "wait:1" };
    const podSpec = { initContainers: [{ name: "mine" }], containers: [{ name: "main" }] };
    const after = { ...worker, spec: { ...worker.spec, podSpec, startsAfter: ["w-1-g-0-b"] } };
    const [mine, wait] = podObject({ clique: after, set, settings, podIndex: 0 }).spec.initContainers ?? [];
    expect(mine?.resources?.claims).toHaveLength(3);
    expect([wait?.name, wait?.resources]).toEqual(["grove-initc", undefined]);
  });

  test("keep their own claims, and an entry that already has the name", () => {
    const own = [
      { name: "mine", resourceClaimName: "x" },
      { name: "w-all-own", resourceClaimName: "y" },
    ];
    const { resourceClaims } = withSharedClaims({ containers: [], resourceClaims: own }, worker, set, 0);
    expect(resourceClaims).toEqual([
      ...own,
      ...["w-1-own-a", "w-1-a-0-own"].map((name) => ({ name, resourceClaimName: name })),
    ]);
  });

  test("without sharing are as they were", () => {
    const plain = storedSet({ cliques: [cliqueTemplate("a")] });
    const [one] = plain.spec.template.cliques;
    if (one === undefined) throw new Error("no clique");
    const clique = stored(standaloneClique(plain, 0, one, { settings: DEFAULT_SETTINGS }));
    expect(withSharedClaims(clique.spec.podSpec, clique, plain, 0)).toBe(clique.spec.podSpec);
    expect(storedPod(clique).spec).not.toHaveProperty("resourceClaims");
  });
});
