import { describe, expect, test } from "vitest";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { CHAIN_MAX_ENTRIES } from "../api/autoscaling/scaling-policy-status.ts";
import type { Decision, StageRecord } from "../decide/decision.ts";
import type { ConditionDraft } from "./conditions.ts";
import { isMaterialChange, renderStatus, withCheckpoint, withExplanation } from "./status.ts";

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

const explained = (decision: Decision) =>
  withExplanation(renderStatus({ policy, conditions: [], nowMs: 0, decision }), decision);

describe("a chain that is too long for the status", () => {
  test("loses what weighs least, keeps demand, goal and step, and says how many are left off", () => {
    const many = Array.from(
      { length: 300 },
      (): StageRecord => ({ stage: "collect", target: "decode", reason: "Stale" }),
    );
    const heavy = (["demand", "solve", "step"] as const).map(
      (stage): StageRecord => ({ stage, target: "decode", reason: "Kept" }),
    );
    const last = explained(decisionOf([...many, ...heavy])).lastDecision;
    expect(last?.chain).toHaveLength(CHAIN_MAX_ENTRIES);
    expect(last?.chainLeftOff).toBe(103);
    expect(last?.chain?.slice(-3).map(({ stage }) => stage)).toEqual(["demand", "solve", "step"]);
  });

  test("keeps every target's demand, goal and step however many set replicas there are", () => {
    const names = Array.from({ length: 12 }, (_, at) => `t${at}`);
    const stages = [
      ...names.map((target): StageRecord => ({ stage: "demand", target, reason: "Metric" })),
      ...names.map((target): StageRecord => ({ stage: "solve", target, reason: "Goal" })),
      ...names.flatMap((target) =>
        Array.from({ length: 40 }, (_, set): StageRecord[] => [
          { stage: "step", target: `${target}/${set}`, reason: "ScaleDownStabilized", detail: "at least 3 now" },
          { stage: "transition", target: `${target}/${set}`, reason: "Write" },
        ]).flat(),
      ),
      ...Array.from({ length: 300 }, (): StageRecord => ({ stage: "collect", target: "t0", reason: "Stale" })),
    ];
    const { chain } = explained(decisionOf(stages)).lastDecision ?? {};
    expect(chain).toHaveLength(CHAIN_MAX_ENTRIES);
    const of = (stage: string) => chain?.filter((entry) => entry.stage === stage) ?? [];
    expect(of("demand").map(({ target }) => target)).toEqual(names);
    expect(of("solve").map(({ target }) => target)).toEqual(names);
    expect(of("step").map(({ target }) => target)).toEqual(names.map((name) => `${name}/0`));
    expect(of("step")[0]?.detail).toBe("at least 3 now; as in 39 other set replicas");
  });

  test("nor loses a target's only step to another's many", () => {
    const names = Array.from({ length: 12 }, (_, at) => `t${at}`);
    const stages = names.flatMap((target) =>
      Array.from({ length: 20 }, (_, at): StageRecord => ({ stage: "step", target: `${target}/0`, reason: `R${at}` })),
    );
    const { chain } = explained(decisionOf(stages)).lastDecision ?? {};
    expect(chain).toHaveLength(CHAIN_MAX_ENTRIES);
    expect(new Set(chain?.map(({ target }) => target)).size).toBe(12);
  });
});

describe("a status is of one decision", () => {
  test("targets, chain and answers come and go together", () => {
    const answer = { constraint: "NotNeeded", detail: "costs 1 GPU" } as const;
    const decision: Decision = {
      ...decisionOf([{ stage: "demand", target: "decode", after: 4, reason: "Metric" }]),
      id: "7",
      targets: [
        {
          name: "decode",
          level: "PodClique",
          current: 4,
          ready: 4,
          starting: 0,
          pending: 0,
          goal: 4,
          stabilized: 4,
          rateLimited: 4,
          desired: 4,
          minViable: 1,
          neighbours: {
            oneMore: { ...answer, change: { kind: "MaxReplicas", target: "decode", replicas: 5 } },
            oneLess: answer,
          },
        },
      ],
    };
    const decided = explained(decision);
    expect(decided.lastDecision?.neighbours).toEqual([
      { target: "decode", oneMore: { ...answer, change: "maxReplicas 5 or more on decode" }, oneLess: answer },
    ]);
    const status = { ...decided, nextStatusBy: "1970-01-01T00:00:30Z" };
    const undecided = renderStatus({ policy: { ...policy, status }, conditions: [], nowMs: 60_000 });
    // Of the last one, and not what a dry run could say.
    expect(undecided.nextStatusBy).toBeUndefined();
    expect(undecided.targets).toBeUndefined();
    expect(undecided.lastDecision).toEqual({
      id: "7",
      time: "1970-01-01T00:00:00Z",
      outcome: "Held",
      reason: "DemandMet",
      message: "holds",
    });
  });
});

test("a checkpoint that the cache has let go is never written as it stands there", () => {
  expect(withCheckpoint({ checkpoint: "" }, undefined)).toEqual({});
  expect(withCheckpoint({ checkpoint: "" }, "{}")).toEqual({ checkpoint: "{}" });
  expect(withCheckpoint({ checkpoint: "{}" }, undefined)).toEqual({ checkpoint: "{}" });
});

describe("a status is worth a write", () => {
  const one = { name: "decode", level: "PodClique" as const, current: 4, ready: 4, starting: 0, pending: 0 };
  const decided: Decision = {
    ...decisionOf([]),
    id: "7",
    targets: [{ ...one, goal: 4, stabilized: 4, rateLimited: 4, desired: 4, minViable: 1 }],
    override: { name: "launch", reason: "launch", expiresAtMs: 60_000 },
    schedules: { active: ["day"], early: [] },
    zero: { isAsleep: false, reason: "NotIdle", detail: "2 requests wait" },
  };
  const drafts: readonly ConditionDraft[] = [{ type: "Ready", status: "True", reason: "Deciding", message: "holds" }];
  /** With the fields of every object by name, as the API server gives them back. */
  const sorted = <T>(value: T): T =>
    Array.isArray(value)
      ? (value.map(sorted) as T)
      : typeof value === "object" && value !== null
        ? (Object.fromEntries(
            Object.entries(value)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([key, field]) => [key, sorted(field)]),
          ) as T)
        : value;
  const written = renderStatus({ policy, conditions: drafts, nowMs: 0, decision: decided });
  const stored: ScalingPolicy = { ...policy, status: sorted(written) };
  const isWorth = (change: Partial<Decision>, conditions = drafts, object = stored): boolean =>
    isMaterialChange({ policy: object, conditions, nowMs: 15_000, decision: { ...decided, id: "8", ...change } });

  test("not for times, sentences and ids", () => {
    expect(isWorth({})).toBe(false);
    expect(isWorth({ message: "still holds", atMs: 15_000 })).toBe(false);
    expect(isWorth({ budget: { ...decided.budget, gpusMax: 50 } })).toBe(false);
    expect(isWorth({ zero: { isAsleep: false, reason: "NotIdle", detail: "3 requests wait" } })).toBe(false);
    expect(isWorth({}, [{ ...drafts[0]!, message: "still holds" }])).toBe(false);
  });

  test.each<[string, Partial<Decision>]>([
    ["replicas", { targets: [{ ...decided.targets[0]!, ready: 3 }] }],
    ["GPUs", { budget: { ...decided.budget, gpusUsed: 8 } }],
    ["an override that ends", { override: { ...decided.override!, expiresAtMs: 90_000 } }],
    ["a window", { schedules: { active: [], early: [] } }],
    ["sleep", { zero: { isAsleep: true, reason: "NotIdle", detail: "" } }],
    ["why it sleeps or not", { zero: { isAsleep: false, reason: "HeldAwake", detail: "" } }],
    ["a reason", { reason: "Stabilized" }],
    ["what was scaled", { outcome: "Scaled" }],
  ])("for %s", (_, change) => {
    expect(isWorth(change)).toBe(true);
  });

  test("for a condition, and the sentence of one that says what is wrong", () => {
    expect(isWorth({}, [{ ...drafts[0]!, reason: "Other" }])).toBe(true);
    expect(isWorth({}, [...drafts, { type: "Degraded", status: "True", reason: "Hold", message: "" }])).toBe(true);
    const wrong: readonly ConditionDraft[] = [
      { type: "Ready", status: "False", reason: "TargetNotFound", message: "x is gone" },
    ];
    const broken = {
      ...policy,
      status: sorted(renderStatus({ policy, conditions: wrong, nowMs: 0, decision: decided })),
    };
    expect(isWorth({}, wrong, broken)).toBe(false);
    expect(isWorth({}, [{ ...wrong[0]!, message: "y is gone" }], broken)).toBe(true);
  });

  test("for a first one, for another generation of the policy, and when nothing is decided any more, once", () => {
    expect(isWorth({}, drafts, policy)).toBe(true);
    expect(isWorth({}, drafts, { ...stored, metadata: { ...stored.metadata, generation: 2 } })).toBe(true);
    expect(isMaterialChange({ policy: stored, conditions: drafts, nowMs: 0 })).toBe(true);
    const undecided = { ...policy, status: sorted(renderStatus({ policy: stored, conditions: drafts, nowMs: 0 })) };
    expect(isMaterialChange({ policy: undecided, conditions: drafts, nowMs: 0 })).toBe(false);
  });
});
