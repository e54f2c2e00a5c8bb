import { describe, expect, test } from "vitest";
import type { PodCliqueSet, PodCliqueSetInput } from "../../api/grove/pod-clique-set.ts";
import type { Container } from "../../api/kubernetes/core.ts";
import type { ComputeDomain } from "../../api/nvidia/compute-domain.ts";
import type { Action } from "../actions.ts";
import { memberClique, standaloneClique } from "../pod-clique/clique-object.ts";
import { scalingGroup } from "../pod-clique-scaling-group/group-object.ts";
import { planPodCliqueSet } from "../pod-clique-set/plan.ts";
import { DEFAULT_SETTINGS } from "../settings.ts";
import { cliqueTemplate, storedSet } from "../test-objects.ts";
import { type DomainPlan, type DomainView, planComputeDomains, planDomainRemoval } from "./compute-domains.ts";
import { mnnvlGroupOf, withMnnvlClaim } from "./groups.ts";

const GROUP = "grove.io/mnnvl-group";
const gpu: Container = { name: "gpu", resources: { limits: { "nvidia.com/gpu": "4" } } };
const cpu: Container = { name: "cpu" };
type Clique = PodCliqueSetInput["spec"]["template"]["cliques"][number];

function clique(name: string, group?: string, containers: readonly Container[] = [gpu, cpu]): Clique {
  const template = cliqueTemplate(name);
  return {
    ...template,
    ...(group !== undefined && { annotations: { [GROUP]: group } }),
    spec: { ...template.spec, podSpec: { containers: [...containers] } },
  };
}

function annotated(set: PodCliqueSet, group: string): PodCliqueSet {
  return { ...set, metadata: { ...set.metadata, annotations: { [GROUP]: group } } };
}

const mixed = annotated(
  storedSet(
    {
      cliques: [clique("a"), clique("b", "none"), clique("c"), clique("d", "infer"), clique("e", undefined, [cpu])],
      podCliqueScalingGroups: [{ name: "g", cliqueNames: ["c", "d"], annotations: { [GROUP]: "train" } }],
    },
    2,
  ),
  "all",
);
const templateOf = (set: PodCliqueSet, name: string) => {
  const found = set.spec.template.cliques.find((one) => one.name === name);
  if (found === undefined) throw new Error(name);
  return found;
};

describe("the group of a clique", () => {
  test("is what the nearest level says; no GPUs, no group", () => {
    const groups = ["a", "b", "c", "d", "e"].map((name) => mnnvlGroupOf(templateOf(mixed, name), mixed));
    expect(groups).toEqual(["all", undefined, "train", "infer", undefined]);
    const set = annotated(storedSet({ cliques: [clique("x", "mine", [cpu])] }), "all");
    expect(mnnvlGroupOf(templateOf(set, "x"), set)).toBeUndefined();
  });

  test.each([
    ["requests", { containers: [{ name: "x", resources: { requests: { "nvidia.com/gpu": 1 } } }] }, true],
    ["an init container", { containers: [cpu], initContainers: [gpu] }, true],
    ["none of them", { containers: [{ name: "x", resources: { limits: { "nvidia.com/gpu": "0" } } }] }, false],
    ["other devices", { containers: [{ name: "x", resources: { limits: { "amd.com/gpu": "1" } } }] }, false],
  ])("GPUs in %s", (_, podSpec, has) => {
    const set = annotated(storedSet({ cliques: [clique("a")] }), "all");
    const one = { ...templateOf(set, "a"), spec: { ...templateOf(set, "a").spec, podSpec } };
    expect(mnnvlGroupOf(one, set)).toBe(has ? "all" : undefined);
  });
});

describe("PodCliques", () => {
  const on = { settings: { autoMnnvl: true } };

  test("have the claim in their pod spec, on GPU containers only", () => {
    const { podSpec } = standaloneClique(mixed, 1, templateOf(mixed, "a"), on).spec;
    expect(podSpec.resourceClaims).toEqual([{ name: "mnnvl-claim", resourceClaimTemplateName: "w-1-all" }]);
    expect(podSpec.containers.map(({ resources }) => resources?.claims)).toEqual([
      [{ name: "mnnvl-claim" }],
      undefined,
    ]);
  });

  test("of a group have the one of the set replica", () => {
    const [groupTemplate] = mixed.spec.template.podCliqueScalingGroups ?? [];
    if (groupTemplate === undefined) throw new Error("no group");
    const made = scalingGroup(mixed, 1, groupTemplate);
    const group = { ...made, metadata: { ...made.metadata, uid: "g" } };
    const position = { set: mixed, setIndex: 1, group, groupTemplate, groupIndex: 0, ...on };
    expect(memberClique(templateOf(mixed, "d"), position).spec.podSpec.resourceClaims).toEqual([
      { name: "mnnvl-claim", resourceClaimTemplateName: "w-1-infer" },
    ]);
  });

  test("have none when the feature is off, and never two", () => {
    const off = standaloneClique(mixed, 0, templateOf(mixed, "a"), { settings: { autoMnnvl: false } });
    expect(off.spec.podSpec).toBe(templateOf(mixed, "a").spec.podSpec);
    const once = withMnnvlClaim(off.spec.podSpec, templateOf(mixed, "a"), mixed, 0);
    expect(withMnnvlClaim(once, templateOf(mixed, "a"), mixed, 0)).toBe(once);
  });
});

describe("ComputeDomains", () => {
  const view = (domains: readonly ComputeDomain[] = [], change: Partial<DomainView> = {}): DomainView => ({
    isKnown: true,
    domains,
    ...change,
  });
  const actionsOf = ({ stages }: Pick<DomainPlan, "stages">): readonly Action[] =>
    stages.flatMap(({ actions }) => actions);
  const stepsOf = (plan: Pick<DomainPlan, "stages">): readonly string[] =>
    actionsOf(plan).map(({ kind, object }) => `${kind} ${object.metadata.name}`);
  const made = actionsOf(planComputeDomains(mixed, view())).map(
    ({ object }) => ({ ...object, metadata: { ...object.metadata, uid: object.metadata.name } }) as ComputeDomain,
  );
  const going = (domain: ComputeDomain): ComputeDomain => ({
    ...domain,
    metadata: { ...domain.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" },
  });

  test("one for each group and set replica", () => {
    expect(made.map(({ metadata }) => metadata.name)).toEqual([
      "w-0-all",
      "w-0-train",
      "w-0-infer",
      "w-1-all",
      "w-1-train",
      "w-1-infer",
    ]);
    expect(made[1]).toEqual({
      apiVersion: "resource.nvidia.com/v1beta1",
      kind: "ComputeDomain",
      metadata: {
        name: "w-0-train",
        uid: "w-0-train",
        namespace: "ns",
        labels: {
          "app.kubernetes.io/managed-by": "grove-operator",
          "app.kubernetes.io/part-of": "w",
          "app.kubernetes.io/name": "w-0-train",
          "app.kubernetes.io/component": "pcs-computedomain",
          "grove.io/podcliqueset-replica-index": "0",
          "grove.io/mnnvl-group": "train",
        },
        ownerReferences: [expect.objectContaining({ kind: "PodCliqueSet", name: "w", controller: true })],
        finalizers: ["grove.io/computedomain-finalizer"],
      },
      spec: { numNodes: 0, channel: { resourceClaimTemplate: { name: "w-0-train" } } },
    });
    expect(stepsOf(planComputeDomains(mixed, view(made)))).toEqual([]);
  });

  test("in excess lose their finalizer, then go; at 0 replicas all of them", () => {
    const scaled = (replicas: number) => ({ ...mixed, spec: { ...mixed.spec, replicas } });
    expect(stepsOf(planComputeDomains(scaled(1), view(made)))).toEqual([
      ...["patch w-1-all", "patch w-1-train", "patch w-1-infer"],
      ...["delete w-1-all", "delete w-1-train", "delete w-1-infer"],
    ]);
    const { stages } = planComputeDomains(scaled(0), view(made));
    expect(stages.map(({ actions }) => actions.length)).toEqual([0, 6, 6]);
    expect(stages[2]?.actions[0]?.events).toEqual({
      success: "ComputeDomainDeleteSuccessful",
      failure: "ComputeDomainDeleteFailed",
    });
  });

  test("that somebody deletes stay while they are wanted, and are let go with their replica", () => {
    const [first, ...others] = made;
    if (first === undefined) throw new Error("no domains");
    const domains = [going(first), ...others];
    expect(stepsOf(planComputeDomains(mixed, view(domains)))).toEqual([]);
    const none = { ...mixed, spec: { ...mixed.spec, replicas: 0 } };
    expect(stepsOf(planComputeDomains(none, view([going(first)])))).toEqual(["patch w-0-all"]);
  });

  test("get back a finalizer that was taken off; those of others are left alone", () => {
    const [first, ...others] = made;
    if (first === undefined) throw new Error("no domains");
    const bare = { ...first, metadata: { ...first.metadata, finalizers: [] } };
    expect(actionsOf(planComputeDomains(mixed, view([bare, ...others])))).toMatchObject([
      { kind: "patch", patch: { metadata: { finalizers: ["grove.io/computedomain-finalizer"] } } },
    ]);
    const foreign = made.map((domain) => ({ ...domain, metadata: { ...domain.metadata, ownerReferences: [] } }));
    const none = { ...mixed, spec: { ...mixed.spec, replicas: 0 } };
    expect(stepsOf(planComputeDomains(none, view(foreign)))).toEqual([]);
  });

  test("go with their set", () => {
    expect(planDomainRemoval(mixed, view([], { isKnown: false })).waitingFor).toBe("the list of ComputeDomains");
    expect(stepsOf(planDomainRemoval(mixed, view(made.slice(0, 1))))).toEqual(["patch w-0-all", "delete w-0-all"]);
    const orphaning = { ...mixed, metadata: { ...mixed.metadata, finalizers: ["orphan"] } };
    expect(stepsOf(planDomainRemoval(orphaning, view(made.slice(0, 1))))).toEqual(["patch w-0-all"]);
    expect(planDomainRemoval(mixed, view([], { isKnown: false, failure: "gone" }))).toEqual({
      stages: expect.anything(),
    });
  });

  test("of a set that was made again under its name go, with either of the two", () => {
    const former = made.map((domain) => ({
      ...domain,
      metadata: {
        ...domain.metadata,
        ownerReferences: (domain.metadata.ownerReferences ?? []).map((one) => ({ ...one, uid: "former" })),
      },
    }));
    const steps = ["patch w-0-all", "delete w-0-all"];
    expect(stepsOf(planComputeDomains(mixed, view([...made.slice(1), ...former.slice(0, 1)])))).toEqual(steps);
    expect(stepsOf(planDomainRemoval(mixed, view(former.slice(0, 1))))).toEqual(steps);
  });

  test("that cannot be read hold up the set that needs them, and no other", () => {
    const unknown = view([], { isKnown: false, failure: "not found" });
    expect(planComputeDomains(mixed, unknown).problem).toEqual({
      code: "ERR_SYNC_COMPUTEDOMAIN",
      description: "ComputeDomains cannot be read: not found",
    });
    expect(planComputeDomains(storedSet({ cliques: [clique("a")] }), unknown)).toEqual({ stages: [] });
  });

  test("come before the cliques, and before the finalizer of a set that is deleted", () => {
    const snapshot = {
      set: mixed,
      ...{ cliques: [], groups: [], gangs: [], pods: [], services: [], serviceAccounts: [], roles: [] },
      ...{ roleBindings: [], secrets: [], autoscalers: [], computeDomains: view() },
    };
    const options = { settings: { ...DEFAULT_SETTINGS, autoMnnvl: true }, now: "2026-01-01T00:00:00Z" };
    const kinds = planPodCliqueSet(snapshot, options).stages.map(({ actions }) => new Set(actions.map(({ of }) => of)));
    const first = (kind: string): number => kinds.findIndex((of) => of.has(kind as never));
    expect(first("computeDomain")).toBeGreaterThan(-1);
    expect(first("computeDomain")).toBeLessThan(first("clique"));
    const deleted = {
      ...mixed,
      metadata: {
        ...mixed.metadata,
        deletionTimestamp: "2026-01-01T00:00:00Z",
        finalizers: ["grove.io/podcliqueset.grove.io"],
      },
    };
    const removal = planPodCliqueSet({ ...snapshot, set: deleted, computeDomains: view(made) }, options);
    const steps = removal.stages.filter(({ actions }) => actions.length > 0);
    expect(steps.map(({ actions }) => `${actions.length} ${actions[0]?.of}`)).toEqual([
      "6 computeDomain",
      "6 computeDomain",
      "1 set",
    ]);
  });
});
