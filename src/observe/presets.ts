/**
 * Ready-made signals per engine. Metric names, units and traps: the engines' sources and documentation, as listed in `docs/metrics.md`.
 *
 * A preset's query has no selector: it is the same text for every policy, so that any number of policies cost one query per signal. The samples are
 * joined with the pods of a target afterwards, by `namespace` and `pod`.
 */
import type { MetricPreset, ScaleTargetRole } from "../api/autoscaling/scale-target.ts";
import { type Engine, PACKS } from "./packs/packs.ts";
import type { SignalPack } from "./packs/signal-pack.ts";
import type { SignalQuery } from "./signal-query.ts";

/** Of a preset's latency: enough requests lie above it in two minutes to be a number. */
const PRESET_QUANTILE = 0.9;

type PresetSignal = Exclude<keyof SignalPack, "promptSpread">;

/** The preset's name → what it reads; the rest reads the signal of its own name. */
const SIGNALS: Readonly<Partial<Record<MetricPreset, PresetSignal>>> = {
  kvCacheUsage: "kvCacheDemand",
  gpuUtilization: "busyRatio",
  promptTokensPerSecond: "computedPromptTokensPerSecond",
};

export type Preset = SignalQuery;

/** @param role of the target: a prefill worker's queue is another one than a decode worker's */
export function presetOf(engine: Engine, name: MetricPreset, role: ScaleTargetRole): Preset {
  const signal = SIGNALS[name] ?? (name as PresetSignal);
  return PACKS[engine][signal]({ role, quantile: PRESET_QUANTILE });
}

/** Every query that a signal sends. */
export const queriesOf = ({ query, freshnessQuery, idleQuery, asleepQuery, ofSet }: SignalQuery): readonly string[] => [
  query,
  freshnessQuery,
  ...[idleQuery, asleepQuery, ofSet?.query, ofSet?.freshnessQuery].filter((one) => one !== undefined),
];
