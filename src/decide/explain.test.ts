/** The sentence of a decision that cannot serve all: how much it serves, and what keeps it from more. */
import { expect, test } from "vitest";
import type { TargetDecision } from "./decision.ts";
import { explain } from "./explain.ts";
import { Plant, policyOf, targetPolicy } from "./plant.fixture.ts";
import type { Policy } from "./policy.ts";

const alone = (overrides: Partial<Policy> = {}, maxReplicas = 16): Policy =>
  policyOf({ targets: [targetPolicy("decode", { maxReplicas })], ratios: [], ...overrides });
const plantOf = (replicas: number, load: number): Plant =>
  new Plant({ replicas: [replicas], loads: [load], gpus: [2] });
const hour = { name: "night", cron: "0 0 * * *", timeZone: "UTC", durationMs: 3_600_000 };

test("all is served: demand is met", () => {
  expect(plantOf(4, 4).tick(alone())).toMatchObject({ outcome: "Held", reason: "DemandMet" });
});

test("a goal that is missed is not met", () => {
  const plant = plantOf(4, 4);
  const decision = plant.tick(alone());
  const [target] = decision.targets;
  const missed = { ...target, demand: { ...target?.demand, reason: "SLOMissed", detail: "latency is above its goal" } };
  const { message } = explain(alone(), plant.observe(alone()), { ...decision, targets: [missed as TargetDecision] });
  expect(message).toBe("holds decode 4: decode: latency is above its goal");
});

test("at maxReplicas", () => {
  expect(plantOf(4, 8).tick(alone({}, 4))).toMatchObject({
    outcome: "Limited",
    reason: "TooManyReplicas",
    message: "holds decode 4: serves 50 % of what is asked for: maxReplicas 4 of decode cuts the demand",
  });
});

test("at the maximum of a schedule that is open", () => {
  const policy = alone({ schedules: [{ ...hour, bounds: { decode: { maxReplicas: 4 } } }] });
  expect(plantOf(4, 8).tick(policy)).toMatchObject({
    reason: "TooManyReplicas",
    message:
      "holds decode 4: serves 50 % of what is asked for: maxReplicas 4 of decode, by schedule night, cuts the demand",
  });
});

test("at what has found nodes", () => {
  const plant = plantOf(4, 6);
  plant.change = (object) => ({ ...object, ready: 3, starting: 0, pending: 1, overdue: 1, overdueUnplaced: 1 });
  plant.nowMs = 60_000;
  expect(plant.tick(alone()).message).toMatch(
    /50 % of what is asked for can be served: no node is found for more than 3 of decode, which cuts the demand$/,
  );
});

test("at the budget", () => {
  expect(plantOf(4, 8).tick(alone({ gpuBudgetMax: 8 }))).toMatchObject({
    outcome: "Limited",
    reason: "GPUBudget",
    message: "holds decode 4: serves 50 % of what is asked for: a budget of 8 GPUs cuts the demand",
  });
});

test("at what a queue leaves", () => {
  const plant = plantOf(4, 8);
  const observe = plant.observe.bind(plant);
  plant.observe = (policy) => ({ ...observe(policy), queue: { name: "team", gpus: 8 } });
  expect(plant.tick(alone())).toMatchObject({
    reason: "QueueQuota",
    message: "holds decode 4: serves 50 % of what is asked for: the 8 GPUs that queue team leaves cut the demand",
  });
});

test("on the way there, and nearly all is not all", () => {
  expect(plantOf(2, 8).tick(alone({}, 4)).message).toMatch(
    /^decode 2→4 \(.*\); no more than 50 % of what is asked for can be served: maxReplicas 4 of decode cuts the demand$/,
  );
  const nearly = plantOf(4, 4.001);
  expect(nearly.tick(alone({}, 4)).message).toBe(
    "holds decode 4: serves 99 % of what is asked for: maxReplicas 4 of decode cuts the demand",
  );
});

test("under an override it is the override that holds", () => {
  const plant = plantOf(4, 8);
  plant.override = {
    name: "launch",
    reason: "a launch",
    expiresAtMs: 3_600_000,
    force: false,
    scaleTargets: { decode: { replicas: 4 } },
  };
  expect(plant.tick(alone())).toMatchObject({ message: "holds decode 4: override launch: a launch" });
});
