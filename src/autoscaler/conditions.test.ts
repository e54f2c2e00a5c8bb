/** What conditions and events say of decisions that were really made. */
import { expect, test } from "vitest";
import { Plant, policyOf, targetPolicy } from "../decide/plant.fixture.ts";
import type { Policy } from "../decide/policy.ts";
import { decisionConditions } from "./conditions.ts";
import { eventsOf } from "./policy-events.ts";

const nothingWritten = { written: [] };
const conditionOf = (plant: Plant, policy: Policy, type: string) =>
  decisionConditions({ decision: plant.tick(policy), gate: nothingWritten, mode: "Active", problems: [] }).find(
    (one) => one.type === type,
  );

test("hard ratios that a window leaves no state: both conditions and the event name it and its end", () => {
  const bounds = { prefill: { maxReplicas: 1 }, decode: { minReplicas: 8 } };
  const policy = policyOf({
    schedules: [{ name: "night", cron: "0 0 * * *", timeZone: "UTC", durationMs: 3_600_000, bounds }],
  });
  const window = /prefill\/decode.* of schedule night \(open until 1970-01-01T01:00:00Z\)/;
  const plant = () => new Plant({ replicas: [1, 8] });
  expect(conditionOf(plant(), policy, "ScalingLimited")).toMatchObject({
    status: "True",
    reason: "Ratio",
    message: expect.stringMatching(window),
  });
  expect(conditionOf(plant(), policy, "RatioSatisfied")).toMatchObject({
    status: "False",
    reason: "Infeasible",
    message: expect.stringMatching(window),
  });
  expect(eventsOf(plant().tick(policy), undefined, nothingWritten)).toContainEqual({
    type: "Warning",
    reason: "RatioInfeasible",
    message: expect.stringMatching(window),
  });
});

test("ScalingLimited says what share can be served, and by what it is limited", () => {
  const policy = policyOf({ targets: [targetPolicy("decode", { maxReplicas: 4 })], ratios: [] });
  const plant = (load: number) => new Plant({ replicas: [4], loads: [load], gpus: [1] });
  expect(conditionOf(plant(8), policy, "ScalingLimited")).toMatchObject({
    status: "True",
    reason: "TooManyReplicas",
    message: "no more than 50 % of what is asked for can be served: maxReplicas 4 of decode cuts the demand",
  });
  expect(conditionOf(plant(4), policy, "ScalingLimited")).toMatchObject({ status: "False" });
  const stuck = plant(6);
  stuck.change = (object) => ({ ...object, ready: 3, pending: 1, overdue: 1, overdueUnplaced: 1 });
  expect(conditionOf(stuck, policy, "ScalingLimited")).toMatchObject({ status: "True", reason: "CapacityPending" });
});
