import { expect, test } from "vitest";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { parseTime } from "../../src/api/kubernetes/time.ts";
import { parseMemory } from "../../src/jobs/checkpoint-store.ts";
import { simulate } from "./simulation.ts";

const MINUTE_MS = 60_000;

test("a checkpoint that was read is kept by the server alone, through turns that decide nothing and edits by others, until a restart reads it", async () => {
  const simulation = await simulate({ seed: 3, checkpoints: "status" });
  const { world, clock, policy } = simulation;
  const { name, namespace = "default" } = policy.metadata;
  const key = { namespace, name };
  await simulation.untilAvailable();
  await clock.advance(3 * MINUTE_MS);
  const stored = (): Promise<ScalingPolicy> => world.api.get(SCALING_POLICIES, key);
  const decisionsIn = (one: ScalingPolicy): number => parseMemory(one.status?.checkpoint)?.decisions ?? 0;
  const cached = (): string | undefined =>
    simulation.autoscaler().informers.policies.get(namespace, name)?.status?.checkpoint;
  const before = decisionsIn(await stored());
  expect(before).toBeGreaterThan(5);
  const { nextStatusBy = "", lastDecision } = (await stored()).status ?? {};
  expect(parseTime(nextStatusBy) - parseTime(lastDecision?.time ?? "")).toBe(MINUTE_MS);
  expect(cached()).toBe("");

  await world.api.patch(SCALING_POLICIES, key, { metadata: { labels: { team: "a" } } }, { type: "merge" });
  await clock.advance(1_000);
  expect(cached()).toBe("");

  // Points nowhere: its status is written, and nothing is decided.
  const elsewhere = { spec: { targetRef: { name: "nowhere" } } };
  await world.api.patch(SCALING_POLICIES, key, elsewhere, { type: "merge" });
  await clock.advance(3 * MINUTE_MS);
  const lost = await stored();
  expect(lost.status?.conditions?.find(({ type }) => type === "Ready")?.reason).toBe("TargetNotFound");
  expect(decisionsIn(lost)).toBeGreaterThanOrEqual(before);

  const back = { spec: { targetRef: policy.spec.targetRef } };
  await world.api.patch(SCALING_POLICIES, key, back, { type: "merge" });
  await simulation.restart();
  await clock.advance(3 * MINUTE_MS);
  expect(decisionsIn(await stored())).toBeGreaterThan(decisionsIn(lost));
  simulation.stop();
});
