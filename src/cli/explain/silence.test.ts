import { expect, test } from "vitest";
import type { ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import { isSilent } from "./silence.ts";

const policyOf = (status: object): ScalingPolicy => ({ spec: { interval: "10s" }, status }) as unknown as ScalingPolicy;
const lastDecision = { time: formatTime(0) };

test("a policy is silent when its next status is late by more than three intervals", () => {
  const policy = policyOf({ lastDecision, nextStatusBy: formatTime(740_000) });
  expect(isSilent(policy, 769_000)).toBe(false);
  expect(isSilent(policy, 771_000)).toBe(true);
});

test("a status that does not say by when is a minute old at most", () => {
  expect(isSilent(policyOf({ lastDecision }), 89_000)).toBe(false);
  expect(isSilent(policyOf({ lastDecision }), 91_000)).toBe(true);
  expect(isSilent(policyOf({}), 1e9)).toBeUndefined();
});
