/** How each measure is called, in which unit it is written, and which way is better. */
import type { Estimate } from "../trial/measures/bootstrap.ts";
import type { PlainMeasures, SloMeasures } from "../trial/measures/measure-trial.ts";
import type { AblationResult } from "./comparison-report.ts";

type Unit = "%" | "ms" | "s" | "h" | "µs" | "1/s" | "1/h" | "1/GPU-h" | "GPU-h" | "";

export interface Column {
  readonly title: string;
  readonly unit: Unit;
}

export const PLAIN_COLUMNS: Readonly<Record<keyof PlainMeasures, Column>> = {
  arrivedRequests: { title: "requests arrived", unit: "" },
  ttftP50Ms: { title: "TTFT p50", unit: "ms" },
  ttftP90Ms: { title: "TTFT p90", unit: "ms" },
  ttftP99Ms: { title: "TTFT p99", unit: "ms" },
  requestsWithoutFirstToken: { title: "requests without a first token", unit: "" },
  itlP50Ms: { title: "ITL p50", unit: "ms" },
  itlP90Ms: { title: "ITL p90", unit: "ms" },
  itlP99Ms: { title: "ITL p99", unit: "ms" },
  requestsWithoutItl: { title: "requests without an ITL", unit: "" },
  allocatedGpuHours: { title: "GPU-hours allocated", unit: "GPU-h" },
  usefulGpuHours: { title: "GPU-hours ready", unit: "GPU-h" },
  idleGpuHours: { title: "GPU-hours idle", unit: "GPU-h" },
  wastedStartGpuHours: { title: "GPU-hours of wasted starts", unit: "GPU-h" },
  wastedStarts: { title: "wasted starts", unit: "" },
  writes: { title: "writes", unit: "" },
  replicasMoved: { title: "replicas moved", unit: "" },
  flaps: { title: "flaps", unit: "" },
  flapsPerHour: { title: "flaps per hour", unit: "1/h" },
  outOfBandSpecSeconds: { title: "outside ratio bands, specs", unit: "s" },
  outOfBandReadySeconds: { title: "outside ratio bands, ready", unit: "s" },
  overBudgetSeconds: { title: "over the GPU budget", unit: "s" },
  belowFloorSpecSeconds: { title: "below the minimum viable set, specs", unit: "s" },
  belowFloorReadySeconds: { title: "below the minimum viable set, ready", unit: "s" },
  overduePendingSeconds: { title: "pending for too long", unit: "s" },
  lostOnScaleIn: { title: "requests lost on scale-in", unit: "" },
  lostOnFailure: { title: "requests lost on failures", unit: "" },
  decisionP99Micros: { title: "decision time p99", unit: "µs" },
};

export const SLO_COLUMNS: Readonly<Record<keyof SloMeasures, Column>> = {
  attainmentRatio: { title: "SLO attainment", unit: "%" },
  ttftAttainmentRatio: { title: "TTFT attainment", unit: "%" },
  itlAttainmentRatio: { title: "ITL attainment", unit: "%" },
  missedRequests: { title: "requests missed", unit: "" },
  goodputPerSecond: { title: "goodput", unit: "1/s" },
  goodputPerGpuHour: { title: "goodput per GPU-hour", unit: "1/GPU-h" },
};

/** Three significant digits, whole numbers from a hundred on, percentages to a tenth. */
export function formatNumber(value: number, unit: Unit): string {
  return fixed(value, unit, digitsOf(value, unit));
}

/** After the point. */
function digitsOf(value: number, unit: Unit, significant = 3): number {
  if (unit === "%") return 1;
  if (value === 0) return 0;
  return Math.min(6, Math.max(0, significant - 1 - Math.floor(Math.log10(Math.abs(value)))));
}

/** A zero has no sign, and a minus is one. */
function fixed(value: number, unit: Unit, digits: number): string {
  const text = (unit === "%" ? 100 * value : value).toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    signDisplay: "negative",
  });
  return text.replace("-", "−");
}

export const withUnit = (text: string, unit: Unit): string => (unit === "" ? text : `${text}\u00a0${unit}`);

/** `97.1 (96.4 … 97.7)`; a dash for what is not known. */
export function formatEstimate(value: Estimate | null | undefined, unit: Unit): string {
  return spell(value, unit, "");
}

/** With its sign: `+1.2 (+0.4 … +2.0)`. */
export function formatChange(value: Estimate | null, unit: Unit): string {
  return spell(value, unit, "+");
}

function spell(value: Estimate | null | undefined, unit: Unit, plus: "" | "+"): string {
  if (!value) return "–";
  const { mean, interval = [mean, mean] } = value;
  // All three have as many digits as the largest: a mean of 0 has none of its own, and a change no more than its bounds tell apart.
  const digits = digitsOf(Math.max(...[mean, ...interval].map(Math.abs)), unit, plus === "" ? 3 : 2);
  const [center, low, high] = [mean, ...interval].map((one) => {
    const text = fixed(one, unit, digits);
    return one > 0 && /[1-9]/.test(text) ? `${plus}${text}` : text;
  });
  return interval[0] === interval[1] ? `${center}` : `${center} (${low} … ${high})`;
}

/** Of ours without one of its parts against ours complete: title, unit, and where it stands in the result. */
const ABLATION_COLUMNS = [
  { title: "in time, points", unit: "%", key: "attainmentChange" },
  { title: "GPU-hours", unit: "GPU-h", key: "gpuHoursChange" },
  { title: "flaps per hour", unit: "1/h", key: "flapsPerHourChange" },
  { title: "outside ratio bands, s", unit: "s", key: "outOfBandSecondsChange" },
  { title: "over budget, s", unit: "s", key: "overBudgetSecondsChange" },
] as const;

export const ABLATION_HEAD: readonly string[] = ["ours with", "case", ...ABLATION_COLUMNS.map(({ title }) => title)];
export const ablationCells = (one: AblationResult): readonly string[] => [
  one.without,
  one.scenario,
  ...ABLATION_COLUMNS.map(({ unit, key }) => formatChange(one[key], unit)),
];
