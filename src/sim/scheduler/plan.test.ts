import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Node, Pod } from "../../api/kubernetes/core.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import { plan, type SchedulingSnapshot } from "./plan.ts";

interface NodeShape {
  readonly gpus?: number;
  readonly rack?: string;
  readonly block?: string;
  readonly unschedulable?: boolean;
  readonly taint?: string;
}

const node = (name: string, { gpus = 8, rack = "r0", block = "b0", unschedulable, taint }: NodeShape = {}): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, labels: { rack, block, host: name } },
  spec: {
    ...(unschedulable && { unschedulable }),
    ...(taint && { taints: [{ key: taint, value: "yes", effect: "NoSchedule" }] }),
  },
  status: { allocatable: { cpu: "64", memory: "1Ti", pods: "100", "nvidia.com/gpu": gpus } },
});

interface PodShape {
  readonly gang?: string;
  readonly clique?: string;
  readonly gpus?: number;
  readonly on?: string;
  readonly terminating?: boolean;
  readonly gated?: boolean;
  readonly spec?: Partial<Pod["spec"]>;
  readonly replica?: number;
}

const pod = (name: string, shape: PodShape = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    namespace: "ns",
    name,
    uid: name,
    labels: {
      ...(shape.gang && { "grove.io/podgang": shape.gang }),
      ...(shape.clique && { "grove.io/podclique": shape.clique }),
      "app.kubernetes.io/part-of": "set",
      "grove.io/podcliqueset-replica-index": String(shape.replica ?? 0),
    },
    ...(shape.terminating && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
  },
  spec: {
    containers: [{ name: "c", resources: { requests: { cpu: "1", "nvidia.com/gpu": shape.gpus ?? 1 } } }],
    ...(shape.on && { nodeName: shape.on }),
    ...(shape.gated && { schedulingGates: [{ name: "grove.io/podgang-pending-creation" }] }),
    ...shape.spec,
  },
});

type Pack = { required?: string; preferred?: string };
const constraint = (pack: Pack | undefined): object => (pack ? { topologyConstraint: { packConstraint: pack } } : {});

function gang(
  name: string,
  groups: Record<string, number>,
  options: { pack?: Pack; groupPacks?: Record<string, Pack>; configs?: { names: string[]; pack: Pack }[] } = {},
): PodGang {
  return {
    apiVersion: "scheduler.grove.io/v1alpha1",
    kind: "PodGang",
    metadata: { namespace: "ns", name },
    spec: {
      podgroups: Object.entries(groups).map(([clique, minReplicas]) => ({
        name: clique,
        minReplicas,
        podReferences: [],
        ...constraint(options.groupPacks?.[clique]),
      })),
      ...constraint(options.pack),
      ...(options.configs && {
        topologyConstraintGroupConfigs: options.configs.map(({ names, pack }, index) => ({
          name: `config-${index}`,
          podGroupNames: names,
          ...constraint(pack),
        })),
      }),
    },
  } as PodGang;
}

const placed = (snapshot: Partial<SchedulingSnapshot>): Record<string, string> =>
  Object.fromEntries(
    plan({ nodes: [], pods: [], gangs: [], ...snapshot }).bindings.map(({ pod: { metadata }, nodeName }) => [
      metadata.name,
      nodeName,
    ]),
  );
const refusals = (snapshot: Partial<SchedulingSnapshot>): string[] =>
  plan({ nodes: [], pods: [], gangs: [], ...snapshot }).unschedulable.map(({ message }) => message);

describe("single pods", () => {
  test("take the tightest node that fits", () => {
    const pods = [pod("big", { gpus: 6, on: "b" }), pod("p", { gpus: 2 })];
    expect(placed({ nodes: [node("a"), node("b"), node("c")], pods })).toEqual({ p: "b" });
  });

  test.each<{ name: string; shape: NodeShape; spec?: Partial<Pod["spec"]>; message: string }>([
    { name: "too few GPUs", shape: { gpus: 0 }, message: "1 Insufficient nvidia.com/gpu" },
    { name: "cordoned", shape: { unschedulable: true }, message: "1 node(s) were unschedulable" },
    { name: "tainted", shape: { taint: "infra" }, message: "1 node(s) had untolerated taint {infra: yes}" },
    {
      name: "selector",
      shape: {},
      spec: { nodeSelector: { rack: "elsewhere" } },
      message: "1 node(s) didn't match Pod's node affinity/selector",
    },
  ])("$name: unschedulable, and the message says why", ({ shape, spec, message }) => {
    const pods = [pod("p", spec ? { spec } : {})];
    expect(refusals({ nodes: [node("n", shape)], pods })).toEqual([`0/1 nodes are available: ${message}.`]);
  });

  test("a toleration opens a tainted node", () => {
    const tolerant = pod("p", { spec: { tolerations: [{ key: "infra", operator: "Exists" }] } });
    expect(placed({ nodes: [node("n", { taint: "infra" })], pods: [tolerant] })).toEqual({ p: "n" });
  });

  test("gated, terminating and foreign pods are left alone; GPUs of terminating pods still count", () => {
    const nodes = [node("n", { gpus: 1 })];
    const foreign = pod("foreign", { spec: { schedulerName: "other" } });
    const pods = [pod("gated", { gated: true }), pod("going", { terminating: true }), foreign];
    expect(plan({ nodes, pods, gangs: [], schedulerNames: new Set(["default-scheduler"]) })).toEqual({
      bindings: [],
      unschedulable: [],
    });
    const leaving = pod("leaving", { on: "n", terminating: true });
    expect(placed({ nodes, pods: [leaving, pod("p")] })).toEqual({});
  });
});

describe("gangs", () => {
  const gangs = [gang("g", { a: 1, b: 2 })];
  const members = [
    pod("a0", { gang: "g", clique: "a", gpus: 4 }),
    pod("b0", { gang: "g", clique: "b", gpus: 4 }),
    pod("b1", { gang: "g", clique: "b", gpus: 4 }),
  ];

  test("all of the minimum or nothing", () => {
    expect(placed({ nodes: [node("n")], pods: members, gangs })).toEqual({});
    expect(refusals({ nodes: [node("n")], pods: members, gangs })[0]).toContain(
      "does not fit as a whole (3 pods at once)",
    );
    expect(Object.keys(placed({ nodes: [node("m"), node("n")], pods: members, gangs }))).toHaveLength(3);
  });

  test("waits for pods that are not there or are still gated", () => {
    const nodes = [node("m"), node("n")];
    expect(placed({ nodes, pods: members.slice(0, 2), gangs })).toEqual({});
    const gated = [...members.slice(0, 2), pod("b1", { gang: "g", clique: "b", gated: true })];
    expect(refusals({ nodes, pods: gated, gangs })[0]).toContain("pod group b has 1 schedulable pods and needs 2 more");
    expect(refusals({ nodes, pods: members, gangs: [] })[0]).toBe("waiting for PodGang ns/g");
  });

  test("a replacement joins a gang that is bound otherwise, and extras are placed one by one", () => {
    const running = [pod("a0", { gang: "g", clique: "a", on: "m" }), pod("b0", { gang: "g", clique: "b", on: "m" })];
    const extras = [1, 2, 3].map((i) => pod(`b${i}`, { gang: "g", clique: "b", gpus: 4 }));
    const nodes = [node("m", { gpus: 6 }), node("n", { gpus: 4 })];
    expect(placed({ nodes, pods: [...running, ...extras], gangs })).toEqual({ b1: "m", b2: "n" });
  });

  test("one gang that does not fit does not block another", () => {
    const small = pod("s", { gang: "small", clique: "s" });
    const all = [...gangs, gang("small", { s: 1 })];
    expect(placed({ nodes: [node("n")], pods: [...members, small], gangs: all })).toEqual({ s: "n" });
  });

  test("packs onto few nodes", () => {
    const nodes = [node("a"), node("b"), node("c", { gpus: 16 })];
    const where = placed({ nodes, pods: members, gangs });
    expect(new Set(Object.values(where))).toEqual(new Set(["c"]));
  });

  test("spreads set replicas among equal nodes", () => {
    const pods = [pod("r0", { on: "a", replica: 0 }), pod("x", { on: "b", replica: 1 }), pod("r1", { replica: 1 })];
    expect(placed({ nodes: [node("a"), node("b")], pods })).toEqual({ r1: "b" });
  });
});

describe("pack constraints", () => {
  const nodes = [
    node("n0", { gpus: 4, rack: "r0", block: "b0" }),
    node("n1", { gpus: 4, rack: "r0", block: "b0" }),
    node("n2", { gpus: 4, rack: "r1", block: "b0" }),
    node("n3", { gpus: 8, rack: "r2", block: "b1" }),
    node("n4", { gpus: 8, rack: "r2", block: "b1" }),
  ];
  const rackOf = (name: string): string =>
    nodes.find(({ metadata }) => metadata.name === name)?.metadata.labels?.["rack"] ?? "";
  const members = (count: number, gpus: number): Pod[] =>
    Array.from({ length: count }, (_, i) => pod(`p${i}`, { gang: "g", clique: "c", gpus }));

  test("required: one value of the key for the whole gang, the tightest that fits", () => {
    const where = placed({ nodes, pods: members(2, 4), gangs: [gang("g", { c: 2 }, { pack: { required: "rack" } })] });
    expect(Object.values(where).map(rackOf)).toEqual(["r0", "r0"]);
  });

  test("required and impossible: nothing is bound although the cluster has room", () => {
    const gangs = [gang("g", { c: 5 }, { pack: { required: "rack" } })];
    expect(placed({ nodes, pods: members(5, 4), gangs })).toEqual({});
    expect(Object.keys(placed({ nodes, pods: members(5, 4), gangs: [gang("g", { c: 5 })] }))).toHaveLength(5);
  });

  test("required holds for pods that join later", () => {
    const running = pod("p0", { gang: "g", clique: "c", gpus: 4, on: "n0" });
    const gangs = [gang("g", { c: 1 }, { pack: { required: "rack" } })];
    const late = [1, 2].map((i) => pod(`p${i}`, { gang: "g", clique: "c", gpus: 4 }));
    expect(placed({ nodes, pods: [running, ...late], gangs })).toEqual({ p1: "n1" });
  });

  test("preferred is kept when it can be and given up when not", () => {
    const prefer = (count: number): PodGang[] => [gang("g", { c: count }, { pack: { preferred: "rack" } })];
    const two = placed({ nodes, pods: members(2, 4), gangs: prefer(2) });
    expect(new Set(Object.values(two).map(rackOf)).size).toBe(1);
    expect(Object.keys(placed({ nodes, pods: members(6, 4), gangs: prefer(6) }))).toHaveLength(6);
  });

  test("groups inside a gang may be narrower than the gang", () => {
    const pods = [
      ...[0, 1].map((i) => pod(`a${i}`, { gang: "g", clique: "a", gpus: 4 })),
      ...[0, 1].map((i) => pod(`b${i}`, { gang: "g", clique: "b", gpus: 4 })),
    ];
    const configs = [
      { names: ["a"], pack: { required: "host" } },
      { names: ["b"], pack: { required: "rack" } },
    ];
    const where = placed({ nodes, pods, gangs: [gang("g", { a: 2, b: 2 }, { pack: { required: "block" }, configs })] });
    expect(where["a0"]).toBe(where["a1"]);
    expect(rackOf(where["b0"] ?? "")).toBe(rackOf(where["b1"] ?? "x"));
    expect(Object.values(where).map(rackOf)).toEqual(["r2", "r2", "r2", "r2"]);
  });
});

test("no gang is ever bound in part, and no node is ever over its capacity", () => {
  const groups = fc.array(fc.record({ min: fc.integer({ min: 0, max: 3 }), pods: fc.integer({ min: 0, max: 4 }) }), {
    minLength: 1,
    maxLength: 3,
  });
  const story = fc.record({
    nodes: fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 5 }),
    gangs: fc.array(fc.record({ groups, gpus: fc.integer({ min: 0, max: 4 }), required: fc.boolean() }), {
      maxLength: 4,
    }),
    resident: fc.integer({ min: 0, max: 4 }),
  });
  fc.assert(
    fc.property(story, (input) => {
      const nodes = input.nodes.map((gpus, i) => node(`n${i}`, { gpus, rack: `r${i % 2}` }));
      const gangs = input.gangs.map((shape, g) =>
        gang(`g${g}`, Object.fromEntries(shape.groups.map(({ min }, c) => [`g${g}c${c}`, min])), {
          ...(shape.required && { pack: { required: "rack" } }),
        }),
      );
      const pods = input.gangs.flatMap((shape, g) =>
        shape.groups.flatMap(({ pods: count }, c) =>
          Array.from({ length: count }, (_, i) =>
            pod(`g${g}c${c}p${i}`, { gang: `g${g}`, clique: `g${g}c${c}`, gpus: shape.gpus }),
          ),
        ),
      );
      const resident = nodes[0]
        ? [pod("resident", { on: "n0", gpus: Math.min(input.resident, input.nodes[0] ?? 0) })]
        : [];
      const { bindings, unschedulable } = plan({ nodes, pods: [...resident, ...pods], gangs });

      expect(bindings.length + unschedulable.length).toBe(pods.length);
      const used = new Map<string, number>(resident.map((p) => ["n0", gpusOf(p)]));
      for (const { pod: bound, nodeName } of bindings) used.set(nodeName, (used.get(nodeName) ?? 0) + gpusOf(bound));
      nodes.forEach(({ metadata }, i) => {
        expect(used.get(metadata.name) ?? 0).toBeLessThanOrEqual(input.nodes[i] ?? 0);
      });
      gangs.forEach((each, g) => {
        const mine = bindings.filter(({ pod: bound }) => bound.metadata.labels?.["grove.io/podgang"] === `g${g}`);
        if (mine.length === 0) return;
        for (const group of each.spec.podgroups) {
          const count = mine.filter(
            ({ pod: bound }) => bound.metadata.labels?.["grove.io/podclique"] === group.name,
          ).length;
          expect(count).toBeGreaterThanOrEqual(group.minReplicas);
        }
        if (input.gangs[g]?.required) {
          expect(new Set(mine.map(({ nodeName }) => Number(nodeName.slice(1)) % 2)).size).toBe(1);
        }
      });
    }),
    { numRuns: 500 },
  );
});

const gpusOf = ({ spec }: Pod): number => Number(spec.containers[0]?.resources?.requests?.["nvidia.com/gpu"] ?? 0);
