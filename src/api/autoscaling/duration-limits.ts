/** The longest duration of each field of a ScalingPolicy, for its schema and its validation alike. */

const HOUR = "1h";
const DAY = "24h";
/** The longest month. What is meant to be for ever is written so, by another field or by none. */
const MONTH = "744h";

/** By path in the spec. */
export const LONGEST_DURATIONS = {
  // A policy that decides less often follows no load, and its silence would look like a process that hangs.
  interval: HOUR,
  "slo.window": DAY,
  "slo.ttft.target": HOUR,
  "slo.itl.target": HOUR,
  "forecast.horizon": DAY,
  "forecast.season": MONTH,
  "coldStart.leadTime": DAY,
  "coldStart.scaleDownWindow": DAY,
  "coldStart.pendingTimeout": MONTH,
  "coldStart.changeDeadline": MONTH,
  "schedules.duration": MONTH,
  "scaleToZero.idleWindow": MONTH,
  "flapBudget.per": MONTH,
  "metricsPolicy.staleAfter": DAY,
  "metricsPolicy.warmUp": DAY,
} as const satisfies Readonly<Record<string, string>>;

export type DurationField = keyof typeof LONGEST_DURATIONS;

/** The end of the sentence about a duration that is longer. */
export const tooLong = (field: DurationField): string => `must be at most ${LONGEST_DURATIONS[field]}; shorten it`;
