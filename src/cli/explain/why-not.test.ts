import { describe, expect, test } from "vitest";
import type { TargetStatus } from "../../api/autoscaling/scaling-policy-status.ts";
import { type ChainEntry, whyNot } from "./why-not.ts";

const decode = (over: Partial<TargetStatus> = {}): TargetStatus => ({
  name: "decode",
  level: "PodCliqueScalingGroup",
  current: 4,
  ready: 4,
  starting: 0,
  pending: 0,
  desired: 4,
  minViable: 1,
  ...over,
});

const demand = (after: number, reason = "Metric", detail = `kvCacheUsage asks for ${after}`): ChainEntry => ({
  stage: "demand",
  target: "decode",
  after,
  reason,
  detail,
});
const goal = (after: number, limitedBy = "Feasible"): readonly ChainEntry[] => [
  { stage: "solve", target: "decode", before: 4, after, reason: "Goal" },
  { stage: "solve", before: 1, after: 1, reason: limitedBy, detail: "1 set replicas" },
];
const step = (reason: string, after: number, detail: string): ChainEntry => ({
  stage: "step",
  target: "decode/0",
  before: 4,
  after,
  reason,
  detail,
});

const answer = (chain: readonly ChainEntry[], target = decode(), notWritten?: string) =>
  whyNot({ targets: [target], chain, ...(notWritten === undefined ? {} : { notWritten }) })[0];

describe("why not", () => {
  test("the demand is met: the metric that says so", () => {
    expect(answer([demand(3.6), ...goal(4)])).toEqual({
      target: "decode",
      up: "demand asks for 4 (kvCacheUsage asks for 3.6)",
      down: "demand asks for 4",
    });
  });

  test("what limits the goal is named: budget, maximum, or ratios and bounds", () => {
    expect(answer([demand(7), ...goal(4, "GPUBudget")])?.up).toBe("demand asks for 7, and the GPU budget leaves 4");
    expect(answer([demand(7), ...goal(4, "Max")])?.up).toBe("demand asks for 7, and maxReplicas leaves 4");
    expect(answer([demand(7), ...goal(4, "Max+GPUBudget")])?.up).toBe(
      "demand asks for 7, and the GPU budget with maxReplicas leaves 4",
    );
    expect(answer([demand(7), ...goal(4)])?.up).toBe("demand asks for 7, and the ratios and bounds allow 4");
  });

  test("a forecast counts as demand", () => {
    const forecast: ChainEntry = { stage: "forecast", target: "decode", before: 3.6, after: 6, reason: "Raised" };
    expect(answer([demand(3.6), forecast, ...goal(4, "Max")])?.up).toBe("demand asks for 6, and maxReplicas leaves 4");
  });

  test("windows and rates between the goal and the write", () => {
    expect(answer([demand(2), ...goal(2), step("ScaleDownStabilized", 2, "at least 4 now")])?.down).toBe(
      "decode/0 waits for its scale-down window, wants 2 (at least 4 now)",
    );
    expect(answer([demand(9), ...goal(9), step("ScaleUpLimit", 9, "at most 4 now")])?.up).toBe(
      "decode/0 held by its scale-up rate, wants 9 (at most 4 now)",
    );
  });

  test("a goal inside the tolerance is said to be", () => {
    const step = {
      stage: "step",
      target: "decode/0",
      before: 4,
      after: 5,
      reason: "WithinTolerance",
      detail: "the demand is within 10 % of what is there",
    };
    expect(answer([demand(4.2), ...goal(5), step])?.up).toBe(
      "decode/0 stays, wants 5 (the demand is within 10 % of what is there)",
    );
  });

  test("what is unknown moves nothing", () => {
    const unknown = answer([demand(4, "MetricUnknown", "kvCacheUsage: no replica is ready"), ...goal(4)]);
    expect(unknown?.up).toBe("its demand is unknown (kvCacheUsage: no replica is ready)");
    expect(unknown?.down).toBe("what is unknown never shrinks anything (kvCacheUsage: no replica is ready)");
  });

  test("a person's word goes before all of it", () => {
    const override: ChainEntry = {
      stage: "override",
      target: "decode/0",
      before: 2,
      after: 4,
      reason: "Override",
      detail: "INC-1",
    };
    expect(answer([demand(2), ...goal(2), override])?.down).toBe("an override says so, wants 4 (INC-1)");
  });

  test("the minimum, and the ratio that keeps more than the demand", () => {
    expect(answer([demand(0.4), ...goal(1)], decode({ current: 1, desired: 1 }))?.down).toBe("demand asks for 1");
    expect(answer([demand(0), ...goal(1)], decode({ current: 1, desired: 1 }))?.down).toBe("it is at its minimum of 1");
    expect(answer([demand(1), ...goal(4)])?.down).toBe("its ratio or its bounds keep 4; demand alone asks for 1");
  });

  test("a way that is taken needs no answer, unless the decision is not written", () => {
    const up = decode({ desired: 6 });
    expect(answer([demand(6), ...goal(6)], up)).toEqual({ target: "decode", down: "demand asks for 6" });
    expect(answer([demand(6), ...goal(6)], up, "the policy is paused, nothing is written")?.up).toBe(
      "the policy is paused, nothing is written",
    );
  });

  test("a PodCliqueSet goes by the targets inside", () => {
    const set = decode({ name: "instances", level: "PodCliqueSet", current: 2, desired: 2 });
    const chain: readonly ChainEntry[] = [
      { stage: "demand", target: "instances", after: 0, reason: "NoMetrics", detail: "no metric" },
      { stage: "solve", before: 2, after: 1, reason: "Feasible", detail: "1 set replicas" },
      {
        stage: "step",
        target: "instances",
        before: 2,
        after: 1,
        reason: "ScaleDownStabilized",
        detail: "2 set replicas now",
      },
    ];
    expect(answer(chain, set)?.down).toBe("waits for its scale-down window, wants 1 (2 set replicas now)");
  });
});
