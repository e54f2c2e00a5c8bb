import { expect, test } from "vitest";
import { miniatureScenario } from "../../test/sim/trial-scenario.ts";
import { bandsOf } from "./bands.ts";

test("bands are over the targets inside a set replica, in the order of the policy; an open end is none", () => {
  const { policy } = miniatureScenario({ durationSeconds: 400, peakRequestsPerSecond: 1 });
  // frontend, prefill, decode; 1:8 to 2:1.
  expect(bandsOf(policy)).toEqual([{ name: "prefill-decode", a: 1, b: 2, min: 0.125, max: 2 }]);
  const [{ min: _, max: __, ...open } = { min: "", max: "" }] = policy.spec.ratios;
  const ratios = [{ ...open, min: "1:4" }] as unknown as typeof policy.spec.ratios;
  expect(bandsOf({ ...policy, spec: { ...policy.spec, ratios } })).toMatchObject([{ min: 0.25, max: Infinity }]);
});
