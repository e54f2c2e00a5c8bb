/** One HTML page that needs nothing else: no network, no server. Pure. */
import { createHash } from "node:crypto";
import { withUnit } from "./columns.ts";
import type { ComparisonReport, ScenarioResults } from "./comparison-report.ts";
import { embeddedJson, html, type Markup, raw } from "./html.ts";
import {
  ablationTable,
  allMeasuresTable,
  faultTable,
  headlineTable,
  overviewTable,
  reactionTable,
  validationTable,
} from "./tables.ts";
import { BEST_PEER_RULE, frontier, positions, summarySentence, verdictOf } from "./verdict.ts";

export interface PageAssets {
  /** Scripts, in the order in which they must run. */
  readonly libraries: readonly string[];
  readonly licences: readonly { readonly name: string; readonly text: string }[];
  readonly script: string;
  readonly style: string;
}

export function renderReport(report: ComparisonReport, assets: PageAssets): string {
  const scripts = [...assets.libraries, assets.script].map(inlined);
  const sections: readonly Section[] = [
    { id: "summary", title: "Summary", body: summary(report) },
    ...report.scenarios.map((scenario, index) => ({
      id: `scenario-${index}`,
      title: scenario.name,
      body: scenarioBody(report, scenario, index),
    })),
    ...optional(report.reactions ?? [], { id: "reactions", title: "Reactions", body: reactionTable(report) }),
    ...optional(report.faults, { id: "faults", title: "Faults", body: faultTable(report) }),
    ...optional(report.ablations, { id: "ablations", title: "Ablations", body: ablationTable(report) }),
    ...optional(report.validation, { id: "validation", title: "Validation", body: validationTable(report) }),
    { id: "methods", title: "Methods", body: methods(report) },
    { id: "licences", title: "Licences", body: licences(assets) },
  ];
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src ${raw(scripts.map(hashed).join(" "))}">
<title>${report.title}</title>
<style>${raw(assets.style)}</style>
</head>
<body>
<a class="skip" href="#summary">Skip to the summary</a>
<header>
<h1>${report.title} <span class="badge">simulated</span></h1>
<p>${report.scenarios.length} scenarios, ${report.autoscalers.length} autoscalers, ${report.seeds.length} seeds. Every request, replica and GPU on this page is simulated.
<button type="button" id="download" hidden>Download every number (JSON)</button></p>
<nav aria-label="Sections"><ul>${sections.map(({ id, title }) => html`<li><a href="#${id}">${title}</a></li>`)}</ul></nav>
</header>
<noscript><p class="note">The plots need JavaScript; the tables do not.</p></noscript>
<main>
${sections.map(({ id, title, body }) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>\n${body}\n</section>\n`)}
</main>
<script type="application/json" id="report">${embeddedJson(report)}</script>
${scripts.map((script) => html`<script>${raw(script)}</script>\n`)}
</body>
</html>
`.markup;
}

interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Markup;
}

const optional = (rows: readonly unknown[], section: Section): readonly Section[] => (rows.length > 0 ? [section] : []);

/** A script ends at the first `</script`, even inside of a string. */
const inlined = (script: string): string => script.replace(/<\/(script)/gi, "<\\/$1");
const hashed = (script: string): string => `'sha256-${createHash("sha256").update(script).digest("base64")}'`;

function summary(report: ComparisonReport): Markup {
  const slo = report.sloSets[0]?.name ?? "";
  return html`
<p>Attainment is the share of all requests that arrived and had both their first token and their mean time between tokens within ${slo}; requests that failed
or never ended have missed. GPU-hours are those held, from placement until the GPUs are free. ${BEST_PEER_RULE}</p>
${overviewTable(report)}
${report.notes.length === 0 ? html`` : html`<h3>Notes</h3><ul>${report.notes.map((note) => html`<li>${note}</li>`)}</ul>`}`;
}

function scenarioBody(report: ComparisonReport, scenario: ScenarioResults, index: number): Markup {
  const slo = report.sloSets[0]?.name ?? "";
  const all = positions(report, scenario, slo);
  const onFrontier = frontier(all);
  const lines = scenario.results.filter(({ timeLine }) => timeLine !== undefined);
  return html`
<p class="about">${scenario.about}. ${withUnit(scenario.windowHours.toFixed(scenario.windowHours < 1 ? 2 : 1), "h")} are reported.</p>
<p class="sentence">${summarySentence(verdictOf(all), slo)}</p>
<figure class="pareto" data-scenario="${index}">
<figcaption>Attainment against GPU-hours, means over seeds with 95 % intervals. Up and to the left is better; the line joins those that no other beats at both.
Hollow: published defaults; filled: tuned. Diamonds are oracles, which know what no autoscaler can.</figcaption>
<fieldset class="choices"><legend>SLO (time to first token / between tokens)</legend>${report.sloSets.map(
    ({ name }, at) =>
      html`<label><input type="radio" name="slo-${index}" value="${name}"${raw(at === 0 ? " checked" : "")}> ${name}</label> `,
  )}</fieldset>
<div class="plot"></div>
</figure>
<h3>Results at ${slo}</h3>
${headlineTable(report, scenario, slo, new Set(onFrontier.map(({ result }) => result)))}
<details><summary>All measures of ${scenario.name}</summary>
<div class="wide">${allMeasuresTable(report, scenario)}</div>
</details>
${
  lines.length === 0
    ? html`<p class="note">No time lines were kept.</p>`
    : html`<figure class="lines" data-scenario="${index}">
<figcaption>One seed over time: offered load, replicas of each role (thick: ready; thin: asked for), and the 90th percentile of the latencies of the requests that arrive then.
Dashed in the latency plots: the SLO.</figcaption>
<fieldset class="choices"><legend>Autoscalers in the time lines</legend>${scenario.results.map((result, at) =>
        result.timeLine === undefined
          ? html``
          : html`<label><input type="checkbox" value="${at}"> <span class="swatch" data-result="${at}"></span>${result.autoscaler} (${result.parameters}), seed ${result.timeLine.seed}</label> `,
      )}</fieldset>
<div class="plot"></div>
</figure>`
}`;
}

function methods(report: ComparisonReport): Markup {
  const { tuning } = report;
  return html`
<p><strong>Simulated.</strong> Engines, start-up, scheduling, scrapes and requests are a discrete-event simulation. Every autoscaler sees the same scrapes through the same PromQL. Peers are re-implementations of published
rules, named as such; their numbers are those of the rules in this simulation, not of the products.</p>
<dl>
<dt>Command</dt><dd><code>${report.command}</code></dd>
<dt>Made at</dt><dd>${report.generatedAt}</dd>
<dt>Versions</dt><dd>${Object.entries(report.versions).map(([name, version]) => html`${name} ${version}<br>`)}</dd>
<dt>Machine</dt><dd>${report.machine}</dd>
<dt>Seeds</dt><dd>${report.seeds.join(", ")}</dd>
<dt>Tuning</dt><dd>${
    tuning.trials === 0
      ? "Nothing was tuned: published defaults only."
      : `${tuning.trials} random-search trials for each autoscaler, ours included, on ${tuning.tunedOn}; ${tunedScenarios(report)}.`
  } Reported on ${tuning.reportedOn}.</dd>
<dt>Intervals</dt><dd>95 % percentile bootstrap of the mean over seeds, 2,000 resamples; from ten seeds such an interval holds the true mean in about 90 % of cases. Fewer seeds have none. Changes are paired by seed.</dd>
<dt>SLO sets</dt><dd>${report.sloSets.map(({ name }) => html`${name}<br>`)}The time to the first token is from the arrival at the gateway; the time between tokens is the mean of a request after its first.</dd>
<dt>Flap</dt><dd>A reversal of direction on one target within five minutes or twice its median start, whichever is longer.</dd>
<dt>Wasted start</dt><dd>A replica that was placed and told to go before it had served a request.</dd>
<dt>Regret</dt><dd>Cost over the oracle's on the same seed, as a share of it; cost is GPU-hours and, for each request missed, ${missWorths(report)}. The oracle is a fluid plan replayed in the simulator, not an optimum.</dd>
</dl>
<h3>Autoscalers</h3>
<ul>${report.autoscalers.map(({ name, title, kind, source }) => html`<li><strong>${name}</strong>: ${title}, ${kind}; ${source}</li>`)}</ul>`;
}

function tunedScenarios({ tuning, scenarios }: ComparisonReport): string {
  const others = scenarios.map(({ name }) => name).filter((name) => !tuning.scenarios.includes(name));
  return `tuned: ${tuning.scenarios.join(", ")}${others.length === 0 ? "" : `; by defaults alone: ${others.join(", ")}`}`;
}

function missWorths({ missWorths: worths, scenarios }: ComparisonReport): string {
  const rule = worths.map(({ name, timesAverageRequest }) =>
    timesAverageRequest === undefined
      ? `${formatWorth(scenarios[0]?.gpuHoursPerMiss[name])} GPU-hours (${name})`
      : `${timesAverageRequest} times (${name})`,
  );
  if (worths.every(({ timesAverageRequest }) => timesAverageRequest === undefined)) return `${rule.join(", ")} more`;
  const each = scenarios.map(
    ({ name, gpuHoursPerMiss }) =>
      `${name} ${worths.map((worth) => formatWorth(gpuHoursPerMiss[worth.name])).join(", ")}`,
  );
  return `${rule.join(", ")} the GPU time of an average request of the scenario more; in GPU-hours: ${each.join("; ")}`;
}

/** A millionth of a GPU-hour is a number too. */
const formatWorth = (gpuHours: number | null | undefined): string =>
  gpuHours === null || gpuHours === undefined ? "–" : String(Number(gpuHours.toPrecision(3)));

/** Those with the same words stand together. */
function licences({ licences: all }: PageAssets): Markup {
  const byText = Map.groupBy(all, ({ text }) => text);
  return html`<p>The plots are drawn by these packages, which are part of this page.</p>
${[...byText].map(
  ([text, packages]) =>
    html`<details><summary>${packages.map(({ name }) => name).join(", ")}</summary><pre>${text}</pre></details>\n`,
)}`;
}
