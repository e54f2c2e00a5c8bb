import { describe, expect, test } from "vitest";
import { miniatureScenario } from "../../test/sim/trial-scenario.ts";
import { OUR_PARAMETERS, withParameters } from "./our-parameters.ts";

const { policy } = miniatureScenario({ durationSeconds: 400, peakRequestsPerSecond: 1 });
const change = (parameters: Record<string, number>) => withParameters(policy, parameters).spec;

describe("what is tuned of ours", () => {
  test("nothing given leaves the policy as it is", () => expect(withParameters(policy, {})).toEqual(policy));

  test.each<[string, number, (spec: typeof policy.spec) => unknown, unknown]>([
    ["attainmentPercent", 97.54, ({ slo }) => slo?.attainment, "97.5%"],
    // Of 500 ms and 50 ms.
    ["ttftShare", 0.8, ({ slo }) => slo?.ttft, { quantile: "p90", target: "400ms" }],
    ["itlShare", 1.1, ({ slo }) => slo?.itl, { quantile: "p90", target: "55ms" }],
    ["forecastQuantilePercent", 66.66, ({ forecast }) => forecast.quantile, "p66.7"],
    [
      "upTolerance",
      0.05,
      ({ scaleTargets }) => scaleTargets.map((one) => one.behavior.scaleUp.tolerance),
      Array(3).fill("0.05"),
    ],
    [
      "scaleDownWindowSeconds",
      61.4,
      ({ scaleTargets }) => scaleTargets.map((one) => one.behavior.scaleDown.stabilizationWindowSeconds),
      [61, 61, 61],
    ],
    [
      "scaleDownPods",
      3,
      ({ scaleTargets }) => scaleTargets.map((one) => one.behavior.scaleDown.policies),
      Array(3).fill([{ type: "Pods", value: 3, periodSeconds: 60 }]),
    ],
  ])("%s is the field that a user would turn, and nothing else changes", (name, value, read, want) => {
    expect(read(change({ [name]: value }))).toEqual(want);
    const others = Object.keys(policy.spec).filter((key) => {
      const [before, after] = [policy.spec, change({ [name]: value })].map((spec) =>
        JSON.stringify(spec[key as keyof typeof spec]),
      );
      return before !== after;
    });
    // A window that is tried must be the one that acts, however long a start takes.
    expect(others).toEqual(name === "scaleDownWindowSeconds" ? ["scaleTargets", "coldStart"] : [expect.any(String)]);
  });

  test("each parameter of the search is one of them, and has a range", () => {
    for (const [name, { min, max }] of Object.entries(OUR_PARAMETERS)) {
      expect(change({ [name]: min })).not.toEqual(change({ [name]: max }));
    }
  });
});
