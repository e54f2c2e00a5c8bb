import { describe, expect, test } from "vitest";
import { decide } from "./decide.ts";
import type { Decision, TargetDecision } from "./decision.ts";
import { emptyMemory } from "./memory.ts";
import { Plant, policyOf, targetPolicy } from "./plant.fixture.ts";
import { changeText } from "./what-would-change.ts";

const policy = policyOf({
  targets: [targetPolicy("engine", { metrics: [] })],
  ratios: [],
  set: targetPolicy("sets", { level: "PodCliqueSet", maxReplicas: 40 }),
});

/** Ten set replicas whose own metric asks for so many. */
function decided(demand: number, sets = 10): Decision {
  const plant = new Plant({ replicas: [1], loads: [0], gpus: [1] });
  plant.sets = Array.from({ length: sets }, () => ({ replicas: [1], readyAtMs: [[0]] }));
  const seen = plant.observe(policy);
  const metrics = [{ kind: "Total", sample: { value: demand, ageMs: 0 } }] as const;
  return decide(policy, { ...seen, set: { ...seen.set, metrics } }, emptyMemory).decision;
}
const setOf = ({ targets }: Decision): TargetDecision => targets.find(({ name }) => name === "sets") as TargetDecision;

describe("metrics of the set itself, with a tolerance of a tenth", () => {
  test.each([
    { demand: 10.5, want: 10 },
    { demand: 11, want: 10 },
    { demand: 11.1, want: 12 },
    { demand: 9.5, want: 10 },
    { demand: 9, want: 10 },
    { demand: 8.9, want: 9 },
    { demand: 20, want: 20 },
  ])("$demand of 10 is $want", ({ demand, want }) => {
    expect(setOf(decided(demand)).desired).toBe(want);
  });

  test("a maximum below what is there is no demand: it acts at once", () => {
    expect(setOf(decided(40.5, 44)).desired).toBe(40);
  });

  test("it is in the record, and why neither one more nor one less says from where on it acts", () => {
    const decision = decided(10.5);
    expect(decision.stages.find(({ reason }) => reason === "WithinTolerance")).toEqual({
      stage: "step",
      target: "sets",
      before: 10,
      after: 11,
      reason: "WithinTolerance",
      detail: "the demand is within 10 % of what is there",
    });
    const { oneMore, oneLess } = setOf(decision).neighbours ?? {};
    expect(oneMore).toMatchObject({
      constraint: "Tolerance",
      detail: "the demand of the set itself asks for 10.5, which its tolerance takes as the 10 that are there",
    });
    expect(oneLess?.constraint).toBe("ServedFraction");
    const below = setOf(decided(9)).neighbours?.oneLess;
    expect(below).toMatchObject({ constraint: "Tolerance" });
  });

  test("what would change it is past the tolerance", () => {
    const changes = [10.5, 9].map((demand) => {
      const { oneMore, oneLess } = setOf(decided(demand)).neighbours ?? {};
      return [oneMore?.change, oneLess?.change].map((change) => change && changeText(change));
    });
    expect(changes).toEqual([
      ["load of sets above 11 in all (it is 10.5)", "load of sets at most 8.999 in all (it is 10.5)"],
      ["load of sets above 11 in all (it is 9)", "load of sets at most 8.999 in all (it is 9)"],
    ]);
  });
});
