import { describe, expect, test } from "vitest";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { CHAIN_MAX_ENTRIES } from "../api/autoscaling/scaling-policy-status.ts";
import type { Decision, StageRecord } from "../decide/decision.ts";
import { renderStatus } from "./status.ts";

const policy: ScalingPolicy = {
  apiVersion: "autoscaling.grove.io/v1alpha1",
  kind: "ScalingPolicy",
  metadata: { name: "llm", namespace: "ml" },
  spec: { targetRef: { name: "llm" } },
} as unknown as ScalingPolicy;

const decisionOf = (stages: readonly StageRecord[]): Decision => ({
  id: "1",
  atMs: 0,
  outcome: "Held",
  reason: "DemandMet",
  message: "holds",
  stages,
  targets: [],
  desired: { sets: 1, perSet: [[1]] },
  ratios: [],
  budget: { gpusUsed: 0, gpusRequested: 0, isLimited: false, isInfeasible: false, isUnknown: false },
  servedRatio: 1,
  relaxed: [],
  transition: { now: [], later: [] },
  schedules: { active: [], early: [] },
});

describe("a chain that is too long for the status", () => {
  test("loses what weighs least, keeps demand, goal and step, and says how many are left off", () => {
    const many = Array.from(
      { length: 300 },
      (): StageRecord => ({ stage: "collect", target: "decode", reason: "Stale" }),
    );
    const heavy = (["demand", "solve", "step"] as const).map(
      (stage): StageRecord => ({ stage, target: "decode", reason: "Kept" }),
    );
    const last = renderStatus({
      policy,
      conditions: [],
      nowMs: 0,
      decision: decisionOf([...many, ...heavy]),
    }).lastDecision;
    expect(last?.chain).toHaveLength(CHAIN_MAX_ENTRIES);
    expect(last?.chainLeftOff).toBe(103);
    expect(last?.chain?.slice(-3).map(({ stage }) => stage)).toEqual(["demand", "solve", "step"]);
  });
});
