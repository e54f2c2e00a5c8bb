/** The traffic of a simulation: a file of requests, a generated shape, or what a Prometheus remembers. */
import { parseDurationMs } from "../../api/duration.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import type { Clock } from "../../clock.ts";
import { MetricsError, type MetricsSource } from "../../observe/metrics-source.ts";
import { seededRandom } from "../../random.ts";
import type { Arrival } from "../../sim/engines/data-plane.ts";
import { readTraffic, TRAFFIC_METRICS } from "../../sim/traffic/prometheus-traffic.ts";
import { gapsOf, recordedArrivals } from "../../sim/traffic/recorded-traffic.ts";
import { SYNTHETIC_SCENARIOS, syntheticArrivals, syntheticScenario } from "../../sim/traffic/synthetic.ts";
import { replayTrace } from "../../sim/traffic/trace.ts";
import { UsageError } from "../errors.ts";
import { readTrace } from "./read-trace.ts";

export interface TrafficFlags {
  readonly trace?: string;
  readonly traffic?: string;
  readonly rate: string;
  readonly rateFactor: string;
  readonly jitter: string;
  readonly from?: string;
  readonly to?: string;
  readonly matchers?: string;
  readonly trafficEngine: string;
}

/** What is the same for every seed, and what a seed makes of it. */
export interface Traffic {
  readonly about: string;
  readonly notes: readonly string[];
  arrivals(seed: number): readonly Arrival[];
}

type Engine = keyof typeof TRAFFIC_METRICS;

/** @param prometheus asked for only where the traffic is to come from there. @throws UsageError */
export async function readTrafficOf(
  flags: TrafficFlags,
  prometheus: () => Promise<MetricsSource | undefined>,
  clock: Clock,
): Promise<Traffic> {
  const sources = [flags.trace, flags.traffic, flags.from].filter((one) => one !== undefined);
  if (sources.length !== 1) {
    throw new UsageError(
      `give one of --trace FILE (requests), --traffic NAME (${SYNTHETIC_SCENARIOS.join(", ")}), --from TIME with --prometheus URL (what was served)`,
    );
  }
  const replay = replayOf(flags);
  if (flags.trace !== undefined) return fromFile(flags.trace, replay);
  if (flags.traffic !== undefined) return generated(flags.traffic, positive(flags.rate, "--rate"));
  return fromPrometheus(flags, await prometheus(), replay, clock);
}

interface Replay {
  readonly rateFactor: number;
  readonly jitterSeconds: number;
}

function replayOf({ rateFactor, jitter }: TrafficFlags): Replay {
  const jitterMs = parseDurationMs(jitter);
  if (jitterMs === undefined) throw new UsageError(`--jitter: "${jitter}" is not a duration such as 3s`);
  return { rateFactor: positive(rateFactor, "--rate-factor"), jitterSeconds: jitterMs / 1000 };
}

function fromFile(file: string, replay: Replay): Traffic {
  const trace = readTrace("--trace", file);
  return {
    about: file,
    notes: [],
    arrivals: (seed) => replayTrace(trace, { ...replay, random: seededRandom(seed) }),
  };
}

function generated(name: string, requestsPerSecond: number): Traffic {
  try {
    const scenario = syntheticScenario(name, requestsPerSecond);
    return {
      about: `${name}: ${scenario.about}`,
      notes: [],
      arrivals: (seed) => [...syntheticArrivals(scenario, seededRandom(seed))],
    };
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--traffic: ${error.message}`);
    throw error;
  }
}

async function fromPrometheus(
  { from = "", to, matchers, trafficEngine }: TrafficFlags,
  source: MetricsSource | undefined,
  replay: Replay,
  clock: Clock,
): Promise<Traffic> {
  if (source === undefined) throw new UsageError("--from: give --prometheus URL too");
  const engine = Object.keys(TRAFFIC_METRICS).find((one): one is Engine => one === trafficEngine);
  if (engine === undefined) {
    throw new UsageError(`--traffic-engine: "${trafficEngine}" is none of ${Object.keys(TRAFFIC_METRICS).join(", ")}`);
  }
  const startSeconds = timeOf(from, "--from", clock);
  const endSeconds = to === undefined ? clock.nowMs() / 1000 : timeOf(to, "--to", clock);
  try {
    const recorded = await readTraffic(source, {
      engine,
      startSeconds,
      endSeconds,
      ...(matchers === undefined ? {} : { matchers }),
    });
    const gaps = gapsOf(recorded);
    const unknown = gaps.reduce((sum, gap) => sum + gap.toSeconds - gap.fromSeconds, 0);
    return {
      about: `${engine} metrics of ${Math.round((endSeconds - startSeconds) / 60)} minutes`,
      notes: [
        ...(TRAFFIC_METRICS[engine].counts === "completions"
          ? ["requests are counted when they end: what was turned away while the system was overloaded is not in here"]
          : []),
        ...(unknown > 0 ? [`${Math.round(unknown)} s of the range are not known: the load before goes on there`] : []),
      ],
      arrivals(seed) {
        const random = seededRandom(seed);
        return replayTrace([...recordedArrivals(recorded, random, { gaps: "hold" })], { ...replay, random });
      },
    };
  } catch (error) {
    if (error instanceof RangeError || error instanceof MetricsError) throw new UsageError(`--from: ${error.message}`);
    throw error;
  }
}

/** RFC 3339, or how long ago. Seconds since the epoch. */
function timeOf(text: string, flag: string, clock: Clock): number {
  const agoMs = parseDurationMs(text);
  const atMs = agoMs === undefined ? parseTime(text) : clock.nowMs() - agoMs;
  if (!Number.isFinite(atMs))
    throw new UsageError(
      `${flag}: "${text}" is neither a time such as 2026-01-31T08:00:00Z nor how long ago, such as 6h`,
    );
  return Math.floor(atMs / 1000);
}

export function positive(text: string, flag: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value))) throw new UsageError(`${flag}: "${text}" is not a number above 0`);
  return value;
}
