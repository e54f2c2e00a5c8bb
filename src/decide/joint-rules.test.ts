/** Couplings, spill, the floor of GPUs and named relaxations in whole decisions. */
import { describe, expect, test } from "vitest";
import { admit } from "../api/admission.ts";
import type { ScalingPolicy, ScalingPolicyInput } from "../api/autoscaling/scaling-policy.ts";
import { decide } from "./decide.ts";
import type { Decision } from "./decision.ts";
import { emptyMemory } from "./memory.ts";
import type { Observation } from "./observation.ts";
import { readPolicy } from "./policy.ts";

const load = [
  {
    type: "Prometheus" as const,
    prometheus: { query: "load", target: { type: "AverageValue" as const, averageValue: 1 } },
  },
];
const fast = {
  scaleUp: { policies: [{ type: "Percent" as const, value: 10_000, periodSeconds: 15 }] },
  scaleDown: { stabilizationWindowSeconds: 0, policies: [{ type: "Percent" as const, value: 100, periodSeconds: 15 }] },
};
type SpecChange = Partial<Omit<ScalingPolicyInput["spec"], "targetRef">>;
type TargetInput = ScalingPolicyInput["spec"]["scaleTargets"][number];

const inner = (name: string, change: Partial<TargetInput> = {}): TargetInput => ({
  name,
  level: "PodCliqueScalingGroup",
  ref: name,
  maxReplicas: 16,
  metrics: load,
  behavior: fast,
  ...change,
});

function specOf(change: SpecChange): ScalingPolicy["spec"] {
  const object: ScalingPolicyInput = {
    apiVersion: "autoscaling.grove.io/v1alpha1",
    kind: "ScalingPolicy",
    metadata: { name: "llama", namespace: "serving" },
    spec: {
      targetRef: { name: "llama" },
      scaleTargets: [inner("prefill"), inner("decode")],
      forecast: { enabled: false },
      ...change,
    },
  };
  const { object: admitted, errors, warnings } = admit({ operation: "CREATE", object });
  expect([errors, warnings]).toEqual([[], []]);
  return (admitted as ScalingPolicy).spec;
}

const queue = {
  type: "Preset" as const,
  preset: { name: "waitingRequests" as const, target: { type: "AverageValue" as const, averageValue: 1 } },
};

/** A deployment at rest: `perSet` ready replicas, and the load of each target in replicas' worth for the whole set, by metric. */
function decideAt(
  change: SpecChange,
  perSet: readonly (readonly number[])[],
  loads: readonly (number | readonly number[])[],
  more: Partial<Observation> = {},
  minAvailable: readonly number[] = [],
): Decision {
  const policy = readPolicy(specOf(change));
  const observation: Observation = {
    nowMs: 1_000_000,
    monotonicMs: 1_000_000,
    set: {
      objectName: "llama",
      resourceVersion: "1",
      replicas: perSet.length,
      ready: perSet.length,
      fixedGpus: 0,
      metrics: [],
    },
    targets: policy.targets.map((_, index) => ({
      objects: perSet.map((vector, setIndex) => ({
        setIndex,
        objectName: `llama-${setIndex}-${index}`,
        resourceVersion: "1",
        replicas: vector[index] as number,
        ready: vector[index] as number,
        starting: 0,
        pending: 0,
        overdue: 0,
        isChanging: false,
      })),
      minAvailable: minAvailable[index] ?? 1,
      templateReplicas: 1,
      gpusPerReplica: 1,
      metrics: [loads[index] ?? []].flat().map((value) => ({ kind: "Total", sample: { value, ageMs: 0 } })),
    })),
    gpusInUse: perSet.flat().reduce((sum, replicas) => sum + replicas, 0),
    isSharing: false,
    startupsMs: [],
    foreignWriters: {},
    ...more,
  };
  return decide(policy, observation, emptyMemory).decision;
}

const reasons = ({ stages }: Decision): readonly string[] => stages.map(({ reason }) => reason);
const unit = { coupling: [{ name: "unit", step: { prefill: 1, decode: 2 } }] };

describe("a coupling", () => {
  test("scales its targets as whole tuples", () => {
    expect(decideAt(unit, [[1, 2]], [2.6, 3]).desired.perSet).toEqual([[3, 6]]);
  });

  test("holds inside the budget", () => {
    expect(decideAt({ ...unit, gpuBudget: { max: 8 } }, [[1, 2]], [4, 8]).desired.perSet).toEqual([[2, 4]]);
  });

  test("holds inside the rate limits: half a tuple is none", () => {
    const slow = { ...fast, scaleUp: { policies: [{ type: "Pods" as const, value: 3, periodSeconds: 60 }] } };
    const scaleTargets = [inner("prefill"), inner("decode", { behavior: slow })];
    expect(decideAt({ ...unit, scaleTargets }, [[1, 2]], [6, 12]).desired.perSet).toEqual([[2, 4]]);
  });

  test("what is outside it comes inside", () => {
    expect(decideAt(unit, [[2, 3]], [2, 3]).desired.perSet).toEqual([[2, 4]]);
  });

  test.each([
    { name: "a person's number takes its partners along", replicas: 4, gpuBudget: {}, want: [2, 4] },
    { name: "between tuples the next one up", replicas: 5, gpuBudget: {}, want: [3, 6] },
    { name: "the budget takes whole tuples back", replicas: 8, gpuBudget: { max: 10 }, want: [3, 6] },
  ])("under an override: $name", ({ replicas, gpuBudget, want }) => {
    const override = {
      name: "o",
      reason: "launch",
      expiresAtMs: 2_000_000,
      force: false,
      scaleTargets: { decode: { minReplicas: replicas } },
    };
    expect(decideAt({ ...unit, gpuBudget }, [[1, 2]], [1, 1], { override }).desired.perSet).toEqual([want]);
  });

  test("what an override asks for goes before the demand of what it does not name, inside the budget", () => {
    const override = {
      name: "o",
      reason: "launch",
      expiresAtMs: 2_000_000,
      force: false,
      scaleTargets: { prefill: { replicas: 3 } },
    };
    const scaleTargets = [inner("prefill"), inner("decode", { maxReplicas: 60 })];
    const change = { scaleTargets, gpuBudget: { max: 16 } };
    expect(decideAt(change, [[2, 14]], [2, 40], { override }).desired.perSet).toEqual([[3, 13]]);
    // The partner keeps its ratio on the way.
    const ratios = [{ between: ["prefill", "decode"] as const, min: "1:4", max: "1:2" }];
    const tied = decideAt({ ...change, ratios }, [[3, 12]], [2, 40], {
      override: { ...override, scaleTargets: { prefill: { replicas: 4 } } },
    });
    expect(tied.desired.perSet).toEqual([[4, 12]]);
  });

  test("that the bounds of the running set leave no state is named, the rest goes on", () => {
    const change = { ...unit, scaleTargets: [inner("prefill"), inner("decode", { maxReplicas: 3 })] };
    const decision = decideAt(change, [[2, 2]], [2, 3], {});
    expect(decision.desired.perSet).toEqual([[1, 2]]);
    const raised = decideAt(change, [[2, 2]], [2, 3], {}, [2]);
    expect(raised.desired.perSet).toEqual([[2, 3]]);
    expect(raised.stages.find(({ reason }) => reason === "HardRatiosRelaxed")?.detail).toMatch(/^coupling unit /);
  });
});

describe("what the decision says", () => {
  test("which soft ratio gave way", () => {
    const ratios = [
      { name: "roomy", between: ["prefill", "decode"], min: "1:8", enforcement: "Soft" as const },
      { name: "tight", between: ["prefill", "decode"], min: "1:2", enforcement: "Soft" as const },
    ];
    const { stages } = decideAt({ ratios, gpuBudget: { max: 9 } }, [[1, 8]], [1, 8]);
    expect(stages.filter(({ reason }) => reason === "SoftRatiosRelaxed").map(({ detail }) => detail)).toEqual([
      "soft ratio tight gives way to served demand",
    ]);
  });

  test("whose maximum cuts the demand", () => {
    const ratios = [{ between: ["prefill", "decode"], min: "1:4" }];
    const scaleTargets = [inner("prefill", { maxReplicas: 2 }), inner("decode")];
    const { stages } = decideAt({ ratios, scaleTargets }, [[2, 8]], [2, 12]);
    expect(stages.find(({ reason }) => reason === "AtMax")?.detail).toBe("maxReplicas 2 of prefill cuts the demand");
  });
});

describe("a queue under a budget", () => {
  const scaleTargets = [inner("prefill", { maxReplicas: 4 }), inner("decode", { metrics: [...load, queue] })];
  const set = { name: "sets", level: "PodCliqueSet" as const, maxReplicas: 4, behavior: fast };

  test("keeps no set replica away that the load needs", () => {
    const change = { scaleTargets: [...scaleTargets, set], gpuBudget: { max: 20 } };
    const setsFor = (waiting: number): number => decideAt(change, [[4, 8]], [8, [2, waiting]]).desired.sets;
    expect([setsFor(0), setsFor(16)]).toEqual([2, 2]);
  });

  test("is said to come last, with what is left for it; why not one less of the load says so", () => {
    const targets = [inner("prefill"), inner("decode", { maxReplicas: 30, metrics: [...load, queue] })];
    const decision = decideAt({ scaleTargets: targets, gpuBudget: { max: 20 } }, [[10, 10]], [10, [4, 20]]);
    expect(decision.desired.perSet).toEqual([[10, 10]]);
    expect(decision.stages.find(({ reason }) => reason === "BacklogLast")?.detail).toBe(
      "what comes goes before what has piled up, of which the budget leaves 37 %",
    );
    expect(decision.budget.isLimited).toBe(true);
    expect(decision.targets[0]?.neighbours?.oneLess).toMatchObject({
      constraint: "ServedFraction",
      detail: "demand asks for 10: prefill 10→9 would serve 90 % instead of 100 % of what comes",
    });
  });
});

describe("what is offered to a shared budget", () => {
  const targets = [inner("prefill"), inner("decode", { maxReplicas: 30, metrics: [...load, queue] })];
  const offered = (waiting: number) =>
    decideAt({ scaleTargets: targets }, [[10, 10]], [10, [8, waiting]], { isSharing: true }).offer;

  test("is the load, and what has piled up apart from it, beginning where the load ends", () => {
    const offer = offered(20);
    const last = offer?.curve.at(-1);
    expect([offer?.curve[0], last]).toEqual([
      [0, 2],
      [1, 18],
    ]);
    expect([offer?.backlog?.[0], offer?.backlog?.at(-1)]).toEqual([
      [0, 18],
      [1, 30],
    ]);
  });

  test("ends, whatever number of set replicas a person asks for", () => {
    const set = { name: "sets", level: "PodCliqueSet" as const, maxReplicas: 4, behavior: fast };
    const scaleTargets = { sets: { replicas: 2 ** 31 - 1 } };
    const override = { name: "o", reason: "typo", expiresAtMs: 2_000_000, force: true, scaleTargets };
    const { offer } = decideAt({ scaleTargets: [...targets, set] }, [[1, 1]], [1, [1, 0]], {
      isSharing: true,
      override,
    });
    expect(offer?.curve.at(-1)).toEqual([1, 2_000]);
  });

  test("has no second part without a queue", () => {
    expect(offered(0)).not.toHaveProperty("backlog");
  });
});

describe("gpuBudget.min", () => {
  test("is held whatever the demand is, past the tolerance, and said", () => {
    const decision = decideAt({ gpuBudget: { min: 6 } }, [[1, 2]], [1, 2]);
    expect(decision.desired.perSet).toEqual([[2, 4]]);
    expect(reasons(decision)).toContain("GPUFloor");
    expect(reasons(decideAt({ gpuBudget: { min: 3 } }, [[1, 2]], [1, 2]))).not.toContain("GPUFloor");
  });

  test("is held without any demand", () => {
    expect(decideAt({ gpuBudget: { min: 6 } }, [[1, 1]], [0, 0]).desired.perSet).toEqual([[3, 3]]);
  });
});

describe("overflow", () => {
  const sets = (after?: string[]): TargetInput => ({
    name: "sets",
    level: "PodCliqueSet",
    maxReplicas: 4,
    metrics: [],
    ...(after === undefined ? {} : { overflow: { after } }),
  });
  const scaleTargets = (after?: string[]): TargetInput[] => [
    inner("prefill", { maxReplicas: 2 }),
    inner("decode"),
    sets(after),
  ];

  test.each([
    { name: "grows when the named target is at its maximum", after: ["prefill"], want: 2 },
    { name: "does not when it is not", after: ["prefill", "decode"], want: 1 },
    { name: "grows by demand without the rule", after: undefined, want: 2 },
  ])("the set $name", ({ after, want }) => {
    expect(decideAt({ scaleTargets: scaleTargets(after) }, [[2, 4]], [3, 5]).desired.sets).toBe(want);
  });
});
