import { expect, test } from "vitest";
import type { GoalState, SloState } from "../decide/capacity/slo.ts";
import type { Decision } from "../decide/decision.ts";
import { sloConditions } from "./slo-conditions.ts";

const goal: GoalState = {
  slo: "ttft",
  quantile: 0.9,
  targetMs: 500,
  observedMs: 412.4,
  attainmentRatio: 0.97,
  goalRatio: 0.95,
  isUnattainable: false,
};
const MODEL: SloState["model"] = { reason: "Applied", detail: "3.97 replicas" };

function conditions(change: Partial<GoalState>, model = MODEL, without?: keyof GoalState) {
  const state = { ...goal, ...change };
  if (without !== undefined) delete (state as Partial<Record<keyof GoalState, unknown>>)[without];
  const [slo, performance] = sloConditions({ slo: { goals: [state], model } } as unknown as Decision);
  return { slo, performance };
}

test("met, with the numbers", () => {
  expect(conditions({})).toEqual({
    slo: {
      type: "SLOAttained",
      status: "True",
      reason: "WithinTarget",
      message: "TTFT p90 is 412 ms, target 500 ms, met 97 % of the time, goal 95 %",
    },
    performance: { type: "PerformanceModel", status: "True", reason: "Applied", message: "3.97 replicas" },
  });
});

test.each([
  { name: "above it now", change: { observedMs: 700 }, status: "False", reason: "LatencyAboveTarget" },
  { name: "too often above it", change: { attainmentRatio: 0.9 }, status: "False", reason: "BelowAttainment" },
  { name: "out of reach", change: { isUnattainable: true, observedMs: 700 }, status: "False", reason: "Unattainable" },
])("$name", ({ change, status, reason }) => {
  expect(conditions(change).slo).toMatchObject({ status, reason });
});

test("not measured is neither", () => {
  expect(conditions({}, MODEL, "observedMs").slo).toMatchObject({ status: "Unknown", reason: "NotMeasured" });
});

test.each([
  ["Learning", "Unknown"],
  ["LoadUnknown", "Unknown"],
  ["ProfileInvalid", "False"],
  ["ProfileNotFound", "False"],
] as const)("a model that is %s", (reason, status) => {
  expect(conditions({}, { reason, detail: "d" }).performance).toMatchObject({ reason, status, message: "d" });
});

test("without goals both say so", () => {
  expect(sloConditions({} as Decision).map(({ reason, status }) => [reason, status])).toEqual([
    ["NoSLO", "Unknown"],
    ["NoSLO", "Unknown"],
  ]);
});
