/** A target that somebody else writes stays where it is, and the others are solved around it: the gate would refuse it and every write after it. */
import { describe, expect, test } from "vitest";
import { decide } from "./decide.ts";
import type { Decision } from "./decision.ts";
import { emptyMemory } from "./memory.ts";
import type { Observation } from "./observation.ts";
import { Plant, policyOf, targetPolicy } from "./plant.fixture.ts";

const HPA = "HorizontalPodAutoscaler old";

/** One turn on [prefill, decode], 1:4 to 1:1 hard. */
function decideAt(replicas: number[], loads: number[], more: Partial<Observation>, policy = policyOf()): Decision {
  const plant = new Plant({ replicas, loads });
  return decide(policy, { ...plant.observe(policy), ...more }, emptyMemory).decision;
}
const prefillOwned = { foreignWriters: { prefill: HPA }, ownedTargets: ["prefill"] };
const written = ({ transition }: Decision) => transition.now.map(({ target, to }) => `${target} ${to}`);

describe("a target of somebody else in a hard ratio", () => {
  test("where it is what its demand asks for, its partner's demand does not move it either", () => {
    const decision = decideAt([1, 1], [1, 8], prefillOwned);
    expect(decision.desired.perSet).toEqual([[1, 4]]);
    expect(written(decision)).toEqual(["decode 4"]);
  });

  test("where its own demand is met, its partner's minimum does not take it along", () => {
    const raised = policyOf({ targets: [targetPolicy("prefill"), targetPolicy("decode", { minReplicas: 8 })] });
    const decision = decideAt([1, 4], [1, 1], prefillOwned, raised);
    expect(decision.desired.perSet).toEqual([[1, 8]]);
    expect(written(decision)).not.toContain("prefill 2");
    expect(decision.stages.map(({ stage, reason }) => `${stage} ${reason}`)).toContain("step Ratio");
  });

  test("on the way down its partner stays as large as the ratio needs", () => {
    const decision = decideAt([4, 8], [1, 1], prefillOwned);
    expect(decision.desired.perSet).toEqual([[4, 4]]);
    expect(written(decision).every((write) => write.startsWith("decode "))).toBe(true);
  });

  test("where no partner's number keeps the ratio, nothing moves further out and the reason is said", () => {
    const decision = decideAt(
      [8, 4],
      [8, 2],
      prefillOwned,
      policyOf({ targets: [targetPolicy("prefill"), targetPolicy("decode", { maxReplicas: 6 })] }),
    );
    expect(decision.desired.perSet[0]?.[0]).toBe(8);
    expect(decision.desired.perSet[0]?.[1]).toBeGreaterThanOrEqual(4);
    expect(decision.stages.map(({ stage, reason }) => `${stage} ${reason}`)).toContain("step Ratio");
  });

  test("past the policy's bounds another autoscaler may leave it, a person may not", () => {
    const bounded = policyOf({ targets: [targetPolicy("prefill", { maxReplicas: 2 }), targetPolicy("decode")] });
    expect(decideAt([3, 8], [3, 8], prefillOwned, bounded).desired.perSet).toEqual([[3, 8]]);
    const person = decideAt([3, 8], [3, 8], { foreignWriters: { prefill: "another writer" } }, bounded);
    expect(person.desired.perSet).toEqual([[2, 8]]);
  });

  test("an override neither sets it nor takes it along", () => {
    const override = { name: "o", reason: "launch", expiresAtMs: 2_000_000, force: true };
    const named = { ...override, scaleTargets: { prefill: { replicas: 6 }, decode: { replicas: 4 } } };
    const decision = decideAt([1, 1], [1, 1], { ...prefillOwned, override: named });
    expect(decision.desired.perSet).toEqual([[1, 4]]);
    expect(
      decision.stages.find(({ stage, reason }) => stage === "override" && reason === "ForeignController")?.target,
    ).toBe("prefill");
    const partner = decideAt([1, 1], [1, 1], {
      ...prefillOwned,
      override: { ...override, scaleTargets: { decode: { replicas: 8 } } },
    });
    expect(partner.desired.perSet).toEqual([[1, 8]]);
    expect(partner.stages.map(({ reason }) => reason)).toContain("RatioViolated");
  });

  test("a forced override that keeps a set replica leaves it as it is there, with its partner around it", () => {
    const policy = policyOf({ set: targetPolicy("sets", { level: "PodCliqueSet", metrics: [], maxReplicas: 1 }) });
    const plant = new Plant({ replicas: [1, 4], loads: [1, 1] });
    // The other autoscaler has made more of it in the set replica that was about to go.
    plant.sets.push({ replicas: [3, 4], readyAtMs: [Array(3).fill(0), Array(4).fill(0)] });
    const seen = { ...plant.observe(policy), ...prefillOwned };
    expect(decide(policy, seen, emptyMemory).decision.desired.sets).toBe(1);
    const scaleTargets = { sets: { replicas: 3 } };
    const override = { name: "o", reason: "launch", expiresAtMs: 2_000_000, force: true, scaleTargets };
    const { decision } = decide(policy, { ...seen, override }, emptyMemory);
    expect(decision.desired.perSet).toEqual([
      [1, 1],
      [3, 3],
      [1, 1],
    ]);
    expect(written(decision).toSorted()).toEqual(["decode 1", "decode 3", "sets 3"]);
  });
});
