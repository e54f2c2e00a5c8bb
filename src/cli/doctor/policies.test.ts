import { expect, test } from "vitest";
import type { ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import { isDecidedLately } from "./policies.ts";

const policyOf = (ready: "True" | "False"): ScalingPolicy =>
  ({
    spec: { interval: "15s" },
    status: {
      lastDecision: { time: formatTime(0) },
      nextStatusBy: formatTime(60_000),
      conditions: [{ type: "Ready", status: ready }],
    },
  }) as unknown as ScalingPolicy;

test("a policy that is not ready is looked at, and not decided about", () => {
  expect(isDecidedLately(policyOf("True"), 90_000)).toBe(true);
  expect(isDecidedLately(policyOf("True"), 110_000)).toBe(false);
  expect(isDecidedLately(policyOf("False"), 90_000)).toBe(false);
});
