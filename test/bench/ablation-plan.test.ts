/** Every ablation is tried where there is something to take away. */
import { expect, test } from "vitest";
import { ablationPlan } from "../../bench/compare/ablation-plan.ts";
import { CASES, caseOf } from "../../bench/compare/cases.ts";
import { ABLATIONS, type Ablation } from "../../src/trial/ablations.ts";

const ALL = Object.keys(ABLATIONS) as Ablation[];

test("the list of the issue, and goals for the mean", () => {
  expect(ALL).toEqual(
    expect.arrayContaining([
      "noRatio",
      "postHocRatio",
      "noBudget",
      "noPendingAccounting",
      "noForecast",
      "noStabilization",
      "noOnlineCapacity",
      "meanLatency",
    ]),
  );
});

test("each is planned, those of a constraint on a case that has it", () => {
  const plan = ablationPlan(ALL, CASES);
  const casesOf = (ablation: Ablation) => plan.filter((one) => one.ablation === ablation).map((one) => one.case);
  for (const ablation of ALL) expect([ablation, casesOf(ablation).length > 0]).toEqual([ablation, true]);
  expect(casesOf("noBudget").map(({ gpuBudget }) => gpuBudget)).toEqual([8]);
  expect(casesOf("noRatio").map(({ ratio }) => ratio)).toEqual([{ min: "1:2", max: "2:1" }]);
  expect(casesOf("postHocRatio")).toEqual(casesOf("noRatio"));
  expect(casesOf("noOnlineCapacity").map(({ stepOverheadMs }) => stepOverheadMs)).toEqual([15]);
  expect(casesOf("noForecast").map(({ name }) => name)).toEqual(["azure-conversation", "azure-code"]);
  for (const one of plan) expect(caseOf(one.case.name)).toBe(one.case);
});

test("none where none of the cases that are looked at closely is compared", () => {
  expect(
    ablationPlan(
      ALL,
      CASES.filter(({ name }) => name === "m-large-day"),
    ),
  ).toEqual([]);
});
