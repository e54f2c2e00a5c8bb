/** The simulated engine against recorded runs of vLLM, with nothing tuned and with the step overhead that was picked on these very runs. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ValidationResult } from "../src/report/comparison-report.ts";
import {
  filesOf,
  type Latencies,
  type RecordedRun,
  RUNS,
  type Run,
  type RunName,
  recordedProfile,
  recordedRun,
  replayRun,
  type Second,
} from "../test/validation/recorded-run.ts";
import type { Row } from "./measure.ts";

type Figure = "mean" | "p50" | "p90" | "p99";
type Quantity = "queue_ms" | "ttft_ms" | "tpot_ms" | "e2e_ms";

/** What a simulation of the same model by someone else reached, from `expected.json`. */
type Reference = Readonly<Record<Quantity, Readonly<Record<Figure, number>>>>;

const QUANTITIES: readonly { readonly name: string; readonly key: keyof Latencies; readonly reference: Quantity }[] = [
  { name: "queue", key: "queueMs", reference: "queue_ms" },
  { name: "TTFT", key: "ttftMs", reference: "ttft_ms" },
  { name: "TPOT", key: "tpotMs", reference: "tpot_ms" },
  { name: "e2e", key: "e2eMs", reference: "e2e_ms" },
];
const FIGURES: readonly Figure[] = ["mean", "p50", "p90", "p99"];

export interface Validation {
  readonly rows: readonly ValidationResult[];
  /** Why there are none, in a sentence. */
  readonly absence?: string;
}

/** Of the report: untuned. @param folder with the recordings, such as test/validation */
export function validationOf(folder: string): Validation {
  const missing = RUNS.flatMap(filesOf).find((file) => !existsSync(join(folder, file)));
  if (missing !== undefined) {
    const absence = `The engine model was not held against recorded runs: ${join(folder, missing)} is not there (test/validation/README.md says what it holds).`;
    return { rows: [], absence };
  }
  return {
    rows: RUNS.flatMap((run) => {
      const recorded = recordedRun(run, folder);
      const simulated = replayRun(recordedProfile(run, { folder }), recorded);
      const row = (quantity: string, unit: string, read: (of: Run) => number): ValidationResult => ({
        run,
        quantity,
        unit,
        recorded: read(recorded),
        simulated: read(simulated),
      });
      return [
        ...FIGURES.map((figure) =>
          row(`TTFT, ${figure}`, "s", ({ requests }) => figureOf(requests, "ttftMs", figure) / 1000),
        ),
        ...FIGURES.map((figure) =>
          row(`ITL of a request, ${figure}`, "ms", ({ requests }) => figureOf(requests, "tpotMs", figure)),
        ),
        row("output tokens until the last is done", "1/s", (of) => throughput(of, recorded)),
        ...(["running", "waiting"] as const).map((key) => ({
          ...row(`${key}, mean of all seconds`, "", ({ series }) =>
            mean(recorded.series.map((_, index) => series[index]?.[key] ?? 0)),
          ),
          meanAbsoluteError: meanAbsoluteError(key, simulated, recorded),
        })),
      ];
    }),
  };
}

export async function benchValidate(): Promise<readonly Row[]> {
  return RUNS.flatMap((name) => {
    const recorded = recordedRun(name);
    return [0, 1].flatMap((stepOverheadMs) => {
      const simulated = replayRun(recordedProfile(name, { stepOverheadMs }), recorded);
      const reference = referenceOf(name, stepOverheadMs);
      const title = `${name.split("-rtx")[0]}, ${stepOverheadMs === 0 ? "untuned" : "+1 ms a step"}`;
      const latencies = QUANTITIES.flatMap((quantity) =>
        FIGURES.map((figure) => ({
          what: `${title}: ${quantity.name} ${figure}`,
          value: latency(quantity, figure, { simulated, recorded, reference }),
        })),
      );
      return [...latencies, ...overTime(title, simulated, recorded)];
    });
  });
}

function latency(
  { key, reference: quantity }: (typeof QUANTITIES)[number],
  figure: Figure,
  runs: { readonly simulated: Run; readonly recorded: Run; readonly reference: Reference },
): string {
  const [ours, measured] = [runs.simulated, runs.recorded].map(({ requests }) => figureOf(requests, key, figure)) as [
    number,
    number,
  ];
  const theirs = runs.reference[quantity][figure];
  const unit = (ms: number): string => (key === "tpotMs" ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(2)} s`);
  return `${unit(ours)}, measured ${unit(measured)} (${deviation(ours, measured)}; reference ${deviation(theirs, measured)})`;
}

function overTime(title: string, simulated: Run, recorded: RecordedRun): readonly Row[] {
  const [ours, measured] = [throughput(simulated, recorded), throughput(recorded, recorded)];
  const distance = (key: "running" | "waiting" | "generatedTokens"): string =>
    `${meanAbsoluteError(key, simulated, recorded).toFixed(1)} of a mean of ${mean(recorded.series.map((second) => second[key])).toFixed(1)}`;
  const peak = Math.max(...simulated.series.map(({ kvCacheRatio = 0 }: Second) => kvCacheRatio));
  return [
    {
      what: `${title}: output tokens/s until the last is done`,
      value: `${ours.toFixed(0)}, measured ${measured.toFixed(0)} (${deviation(ours, measured)})`,
    },
    { what: `${title}: running, mean absolute error of the 1 s series`, value: distance("running") },
    { what: `${title}: waiting, mean absolute error of the 1 s series`, value: distance("waiting") },
    { what: `${title}: tokens of each second, mean absolute error`, value: distance("generatedTokens") },
    { what: `${title}: KV usage at its peak`, value: `${(100 * peak).toFixed(1)} % (not recorded)` },
  ];
}

/** Output tokens a second until the last request is done. */
function throughput({ durationMs }: Run, { arrivals }: RecordedRun): number {
  return (1000 * arrivals.reduce((sum, { outputTokens }) => sum + outputTokens, 0)) / durationMs;
}

/** Of the series of each second that was recorded. */
function meanAbsoluteError(key: "running" | "waiting" | "generatedTokens", simulated: Run, recorded: Run): number {
  return mean(recorded.series.map((second, index) => Math.abs((simulated.series[index]?.[key] ?? 0) - second[key])));
}

function referenceOf(name: RunName, stepOverheadMs: number): Reference {
  const text = readFileSync(new URL("../test/validation/expected.json", import.meta.url), "utf8");
  const all = JSON.parse(text) as Record<RunName, { reference_simulation: Record<string, Reference> }>;
  const found = all[name].reference_simulation[`step_overhead_${stepOverheadMs}_ms`];
  if (found === undefined) throw new Error(`expected.json: ${name} has no reference for ${stepOverheadMs} ms a step`);
  return found;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

function figureOf(requests: readonly Latencies[], key: keyof Latencies, figure: Figure): number {
  const values = requests.map((request) => request[key]);
  if (figure === "mean") return mean(values);
  const share = Number(figure.slice(1)) / 100;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}

const deviation = (value: number, measured: number): string => {
  const percent = 100 * (value / measured - 1);
  return `${percent > 0 ? "+" : ""}${percent.toFixed(1)} %`;
};
