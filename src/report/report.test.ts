import { describe, expect, test } from "vitest";
import { formatChange, formatEstimate, formatNumber } from "./columns.ts";
import { comparisonOf, known, summaryOf } from "./comparison-report.fixture.ts";
import type { AutoscalerResult, ComparisonReport } from "./comparison-report.ts";
import { readPageAssets } from "./page-assets.ts";
import { renderReport } from "./render-report.ts";
import { frontier, type Position, positions, summarySentence, verdictOf } from "./verdict.ts";

const ASSETS = {
  libraries: ["window.d3 = '</script><b>';"],
  licences: [
    { name: "a-library", text: "Copyright <Somebody>" },
    { name: "another", text: "Copyright <Somebody>" },
  ],
  script: "1;",
  style: "p{}",
};

const at = (name: string, attainmentRatio: number, gpuHours: number, kind: Position["kind"] = "peer"): Position => ({
  result: {
    autoscaler: name,
    parameters: "default",
    parameterValues: {},
    bySeed: [],
    measures: summaryOf(attainmentRatio, gpuHours),
  },
  kind,
  label: `${name} (default)`,
  attainmentRatio,
  gpuHours,
});
const names = (all: readonly Position[]): readonly string[] => all.map(({ result }) => result.autoscaler);

describe("verdicts", () => {
  const field = [
    at("cheap", 0.8, 5),
    at("good", 0.95, 10),
    at("worse", 0.9, 11),
    at("twin", 0.95, 10),
    at("dear", 0.99, 30),
  ];

  test("the frontier holds those that nobody beats at both, and no oracle", () => {
    expect(names(frontier([...field, at("oracle", 1, 1, "oracle")]))).toEqual(["cheap", "good", "twin", "dear"]);
    expect(frontier([])).toEqual([]);
  });

  test("the best peer has the highest attainment, and of several the fewest GPU-hours", () => {
    const verdict = verdictOf([
      at("ours", 0.95, 8, "ours"),
      ...field.slice(0, 3),
      at("tie", 0.95, 9),
      at("oracle", 1, 1, "oracle"),
    ]);
    expect(verdict.bestPeer?.result.autoscaler).toBe("tie");
    expect(verdict.beatenBy).toEqual([]);
  });

  test("a peer within the interval of the highest attainment that costs less is the best; one below it is not", () => {
    const highest = { ...at("highest", 0.95, 30), attainmentLowRatio: 0.94 };
    const best = (...others: readonly Position[]) => verdictOf([highest, ...others]).bestPeer?.result.autoscaler;
    expect(best(at("within", 0.94, 20), at("cheaper", 0.945, 19))).toBe("cheaper");
    expect(best(at("below", 0.939, 5))).toBe("highest");
    expect(verdictOf([at("alone", 0.95, 30), at("cheaper", 0.949, 5)]).bestPeer?.result.autoscaler).toBe("alone");
  });

  test.each([
    { ours: [0.95, 9], reaches: true, beaten: [] },
    { ours: [0.95, 9.01], reaches: false, beaten: [] },
    { ours: [0.949, 9], reaches: false, beaten: [] },
    { ours: [0.94, 10], reaches: false, beaten: ["good"] },
    { ours: [0.95, 10], reaches: false, beaten: [] },
    { ours: [0.7, 5], reaches: false, beaten: ["cheap"] },
  ])("ours at $ours against 95 % on 10 GPU-hours: goal $reaches, beaten by $beaten", ({ ours, reaches, beaten }) => {
    const verdict = verdictOf([at("ours", ours[0]!, ours[1]!, "ours"), ...field.slice(0, 2)]);
    expect(verdict.reachesGoal).toBe(reaches);
    expect(names(verdict.beatenBy)).toEqual(beaten);
  });

  test("the sentence says who has more, at which share of the GPU-hours, and who beats ours", () => {
    const losing = verdictOf([at("ours", 0.9, 20, "ours"), at("hpa", 0.95, 10)]);
    expect(summarySentence(losing, "500 ms / 50 ms")).toBe(
      "ours (default) kept 500 ms / 50 ms for 90.0 % of requests on 20.0\u00a0GPU-h; the best peer by attainment, hpa (default) kept 500 ms / 50 ms for 95.0 % of requests on 10.0\u00a0GPU-h: 5.0 points less at 2.00 × the GPU-hours. Better or equal at both: hpa (default).",
    );
    expect(summarySentence(verdictOf([at("ours", 0.9, 20, "ours")]), "x")).toMatch(/no peer to compare with/);
    expect(summarySentence(verdictOf([at("hpa", 0.9, 20)]), "x")).toMatch(/Nothing was measured of ours/);
  });

  test("results without attainment or GPU-hours have no position", () => {
    const results = [summaryOf(null, 1), summaryOf(0.5, null), summaryOf(0.5, 2)].map(
      (measures): AutoscalerResult => ({
        autoscaler: "hpa",
        parameters: "tuned",
        parameterValues: {},
        bySeed: [],
        measures,
      }),
    );
    const scenario = { name: "s", about: "", windowHours: 1, gpuHoursPerMiss: {}, results };
    expect(positions(comparisonOf(), scenario, "500 ms / 50 ms").map(({ gpuHours }) => gpuHours)).toEqual([2]);
  });
});

describe("numbers", () => {
  test.each([
    [0.98765, "%", "98.8"],
    [1234.5, "", "1,235"],
    [123.45, "ms", "123"],
    [12.345, "ms", "12.3"],
    [0.012345, "s", "0.0123"],
    [0, "s", "0"],
    [-0.5, "GPU-h", "−0.500"],
  ] as const)("%s %s is written %s", (value, unit, want) => expect(formatNumber(value, unit)).toBe(want));

  test("intervals have the digits of the largest; unknown is a dash, not 0", () => {
    expect(formatEstimate(known(0.9712, 0.006), "%")).toBe("97.1 (96.5 … 97.7)");
    expect(formatEstimate(known(99.5, 1), "ms")).toBe("100 (99 … 101)");
    expect(formatEstimate({ mean: 3, seeds: 2 }, "s")).toBe("3.00");
    expect(formatEstimate(known(0), "s")).toBe("0");
    expect([null, undefined].map((one) => formatEstimate(one, "s"))).toEqual(["–", "–"]);
    expect(formatChange(known(0.012, 0.02), "%")).toBe("+1.2 (−0.8 … +3.2)");
    expect(formatChange(known(0, 0.05), "GPU-h")).toBe("0.000 (−0.050 … +0.050)");
    expect(formatChange(known(0), "GPU-h")).toBe("0");
    expect(formatChange(null, "s")).toBe("–");
  });
});

describe("the page", () => {
  const page = renderReport(comparisonOf(), ASSETS);

  test("has every part, and the same for the same document", () => {
    for (const id of [
      "summary",
      "scenario-0",
      "scenario-2",
      "reactions",
      "faults",
      "ablations",
      "validation",
      "methods",
      "licences",
    ]) {
      expect(page).toContain(`<section id="${id}"`);
      expect(page).toContain(`href="#${id}"`);
    }
    expect(renderReport(comparisonOf(), ASSETS)).toBe(page);
  });

  test("parts of which nothing was measured are left out, and lines that were not kept are said", () => {
    const { scenarios } = comparisonOf();
    const bare = renderReport(
      comparisonOf({
        reactions: [],
        faults: [],
        ablations: [],
        validation: [],
        notes: [],
        scenarios: scenarios.map((one) => ({
          ...one,
          results: one.results.map(({ timeLine: _, ...rest }) => rest),
        })),
        tuning: { trials: 0, scenarios: [], tunedOn: "", reportedOn: "whole traces" },
      }),
      ASSETS,
    );
    expect(bare).not.toMatch(/id="(reactions|faults|ablations|validation)"|<h3>Notes/);
    expect(bare).toContain("No time lines were kept.");
    expect(bare).toContain("Nothing was tuned: published defaults only.");
  });

  test("the tables have the numbers of the document", () => {
    expect(page).toMatch(
      /<tr class="ours"><th scope="row">ours \(tuned\)<\/th><td>yes<\/td><td>98\.9 \(98\.5 … 99\.3\)<\/td><td>16\.9 /,
    );
    expect(page).toMatch(
      /<th scope="row">hpa \(tuned\)<\/th><td>decode<\/td><td>55\.0 .*<td>340 in 7 of 10 seeds<\/td><td>–<\/td><td>2\.00 /,
    );
    expect(page).toContain("−0.4 (−0.5 … −0.3) pt");
    expect(page).toMatch(
      /<th scope="row">llama-3.1-8b-tp1<\/th><td>mean TTFT, s<\/td><td>7.10<\/td><td>6.22<\/td><td>−12.4<\/td><td>–<\/td>/,
    );
    expect(page).toMatch(/running, mean of all seconds<\/td><td>94.9<\/td><td>90.1<\/td><td>−5.1<\/td><td>5.50<\/td>/);
    expect(page).toMatch(/<th scope="row">over the GPU budget, s<\/th><td>–<\/td>/);
  });

  test("methods name the command, the versions, the machine, all seeds and how it was tuned", () => {
    expect(page).toContain("<code>npm run bench:compare -- --seeds 10</code>");
    for (const text of [
      "commit 0216401",
      "2 cores, 8 GiB, Linux 6.1",
      "101, 102, 103",
      "60 random-search trials",
      "Copyright &lt;Somebody&gt;",
    ]) {
      expect(page).toContain(text);
    }
  });

  test("methods name the scenarios that were tuned and those that were not", () => {
    expect(page).toContain(
      "60 random-search trials for each autoscaler, ours included, on the first 40 % of each trace; tuned: azure-2023-code, servegen-m-large-d00; by defaults alone: step-x5.",
    );
  });

  test("methods say what a miss is worth: by the average request of each scenario, or the same everywhere", () => {
    expect(page).toContain(
      "for each request missed, 2 times (low), 10 times (mid), 50 times (high) the GPU time of an average request of the scenario more; in GPU-hours: azure-2023-code 0.00012, 0.0006, 0.003; servegen-m-large-d00 0.00024, 0.0012, 0.003; step-x5 0.00036, 0.0018, –. The oracle",
    );
    const [scenario] = comparisonOf().scenarios;
    const fixed = renderReport(
      comparisonOf({
        missWorths: [{ name: "low" }, { name: "mid" }],
        scenarios: [{ ...scenario!, gpuHoursPerMiss: { low: 0.0001, mid: 0.001 } }],
      }),
      ASSETS,
    );
    expect(fixed).toContain("for each request missed, 0.0001 GPU-hours (low), 0.001 GPU-hours (mid) more. The oracle");
  });

  test("what an oracle gives is called hindsight, not a default", () => {
    expect(page).toContain('<th scope="row">clairvoyant (hindsight)</th><td>oracle</td>');
    expect(page).not.toContain("clairvoyant (default)");
  });

  test("the document comes back whole from the page", () => {
    const [, text] = /<script type="application\/json" id="report">(.*?)<\/script>/s.exec(page) ?? [];
    expect(JSON.parse(text!)).toEqual(JSON.parse(JSON.stringify(comparisonOf())));
  });

  test("whatever comes from outside stays text", () => {
    const evil = `</script><img src=x onerror="alert(1)">'&`;
    const { scenarios, autoscalers, reactions, faults, ablations, validation, ...rest } = comparisonOf();
    const report: ComparisonReport = {
      ...rest,
      title: evil,
      command: evil,
      machine: evil,
      versions: { [evil]: evil },
      notes: [evil],
      tuning: { trials: 1, scenarios: [evil], tunedOn: evil, reportedOn: evil },
      sloSets: rest.sloSets.map((slo) => ({ ...slo, name: slo.name + evil })),
      missWorths: rest.missWorths.map((worth) => ({ ...worth, name: evil })),
      autoscalers: autoscalers.map((one) => ({ ...one, name: one.name + evil, title: evil, source: evil })),
      scenarios: scenarios.map((one) => ({
        ...one,
        name: evil,
        about: evil,
        results: one.results.map((result) => ({ ...result, autoscaler: result.autoscaler + evil })),
      })),
      reactions: reactions!.map((one) => ({ ...one, scenario: evil, autoscaler: evil, target: evil })),
      faults: faults.map((one) => ({ ...one, scenario: evil, fault: evil, autoscaler: evil })),
      ablations: ablations.map((one) => ({ ...one, scenario: evil, without: evil })),
      validation: validation.map((one) => ({ ...one, run: evil, quantity: evil, unit: evil })),
    };
    const evilPage = renderReport(report, ASSETS);
    expect(evilPage).not.toContain("<img");
    expect(evilPage.match(/<\/script/g)).toHaveLength(3);
    // In the library's own string, as `<\/script>`.
    expect(evilPage).toContain("'<\\/script><b>'");
    expect(evilPage).not.toMatch(/="[^"]*onerror="/);
  });

  test("nothing but its own scripts may run, and nothing may be fetched", () => {
    expect(page).toMatch(
      /content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-[^']+' 'sha256-[^']+'"/,
    );
    expect(page).not.toMatch(/(?:src|href)="(?!#)/);
  });
});

test("the libraries are found where they are installed, with the licence of everything in them", () => {
  const { libraries, licences, script, style } = readPageAssets();
  expect(libraries.map((text) => text.length > 100_000)).toEqual([true, true]);
  const names = licences.map(({ name }) => name);
  expect(names).toEqual(
    expect.arrayContaining(["@observablehq/plot", "d3", "d3-geo", "delaunator", "interval-tree-1d"]),
  );
  expect(names).not.toContain("commander");
  expect(licences.filter(({ text }) => !/permi(ssion|tted)|unencumbered/i.test(text))).toEqual([]);
  expect(script).toContain("paretoPlot");
  expect(style).toContain("prefers-color-scheme: dark");
});
