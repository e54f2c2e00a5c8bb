/** Where an autoscaler stands between what it gives and what it costs, and what is said of it in one sentence. */
import { formatNumber, withUnit } from "./columns.ts";
import type { AutoscalerResult, ComparisonReport, ScenarioResults } from "./comparison-report.ts";

export interface Position {
  readonly result: AutoscalerResult;
  readonly kind: "ours" | "peer" | "oracle";
  /** `hpa (tuned)`. */
  readonly label: string;
  readonly attainmentRatio: number;
  /** The lower end of its 95 % interval; absent: too few seeds for one. */
  readonly attainmentLowRatio?: number;
  readonly gpuHours: number;
}

/** Of those whose two numbers are known, in the order of the report. */
export function positions(report: ComparisonReport, scenario: ScenarioResults, slo: string): readonly Position[] {
  return scenario.results.flatMap((result) => {
    const attainment = result.measures.bySlo.find((one) => one.slo === slo)?.values.attainmentRatio;
    const gpuHours = result.measures.values.allocatedGpuHours;
    if (!attainment || !gpuHours) return [];
    return {
      result,
      kind: report.autoscalers.find(({ name }) => name === result.autoscaler)?.kind ?? "peer",
      label: `${result.autoscaler} (${result.parameters})`,
      attainmentRatio: attainment.mean,
      ...(attainment.interval === undefined ? {} : { attainmentLowRatio: attainment.interval[0] }),
      gpuHours: gpuHours.mean,
    };
  });
}

const dominates = (a: Position, b: Position): boolean =>
  a.attainmentRatio >= b.attainmentRatio &&
  a.gpuHours <= b.gpuHours &&
  (a.attainmentRatio > b.attainmentRatio || a.gpuHours < b.gpuHours);

/** Those that nobody beats at both, cheapest first. Oracles are no competitors. */
export function frontier(all: readonly Position[]): readonly Position[] {
  const competitors = all.filter(({ kind }) => kind !== "oracle");
  return competitors
    .filter((one) => !competitors.some((other) => dominates(other, one)))
    .sort((a, b) => a.gpuHours - b.gpuHours);
}

export interface Verdict {
  /** By the same rule, of defaults and tuned. */
  readonly ours: Position | undefined;
  /** {@link BEST_PEER_RULE} */
  readonly bestPeer: Position | undefined;
  /** Peers that are better or equal at both. */
  readonly beatenBy: readonly Position[];
  /** At least the best peer's attainment on nine tenths of its GPU-hours; undefined where one of both is missing. */
  readonly reachesGoal: boolean | undefined;
}

const GOAL_GPU_HOURS_RATIO = 0.9;

export const BEST_PEER_RULE =
  "The best peer has the highest attainment; of those whose attainment is within its 95 % interval it is the one with the fewest GPU-hours.";

/** What the seeds cannot tell apart is the same attainment: a tenth of a point that is chance must not pick one that costs twice as much. */
function bestOf(all: readonly Position[]): Position | undefined {
  const better = (a: Position, b: Position): number => b.attainmentRatio - a.attainmentRatio || a.gpuHours - b.gpuHours;
  const [highest, ...others] = all.toSorted(better);
  if (highest === undefined) return undefined;
  const { attainmentLowRatio = highest.attainmentRatio } = highest;
  return others
    .filter(({ attainmentRatio }) => attainmentRatio >= attainmentLowRatio)
    .reduce((best, one) => (one.gpuHours < best.gpuHours ? one : best), highest);
}

export function verdictOf(all: readonly Position[]): Verdict {
  const ours = bestOf(all.filter(({ kind }) => kind === "ours"));
  const peers = all.filter(({ kind }) => kind === "peer");
  const bestPeer = bestOf(peers);
  return {
    ours,
    bestPeer,
    beatenBy: ours === undefined ? [] : peers.filter((peer) => dominates(peer, ours)),
    reachesGoal:
      ours &&
      bestPeer &&
      ours.attainmentRatio >= bestPeer.attainmentRatio &&
      ours.gpuHours <= GOAL_GPU_HOURS_RATIO * bestPeer.gpuHours,
  };
}

/** @param slo its name */
export function summarySentence({ ours, bestPeer, beatenBy }: Verdict, slo: string): string {
  if (ours === undefined) return "Nothing was measured of ours.";
  const position = ({ label, attainmentRatio, gpuHours }: Position): string =>
    `${label} kept ${slo} for ${formatNumber(attainmentRatio, "%")} % of requests on ${withUnit(formatNumber(gpuHours, "GPU-h"), "GPU-h")}`;
  if (bestPeer === undefined) return `${position(ours)}. There is no peer to compare with.`;
  const share = ours.gpuHours / bestPeer.gpuHours;
  const points = (ours.attainmentRatio - bestPeer.attainmentRatio) * 100;
  const difference = `${Math.abs(points).toFixed(1)} points ${points >= 0 ? "more" : "less"} at ${share.toFixed(2)} × the GPU-hours`;
  const losses =
    beatenBy.length === 0
      ? "No peer is better at both."
      : `Better or equal at both: ${beatenBy.map(({ label }) => label).join(", ")}.`;
  return `${position(ours)}; the best peer by attainment, ${position(bestPeer)}: ${difference}. ${losses}`;
}
