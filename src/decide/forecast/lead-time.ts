import { quantile } from "simple-statistics";

/** Before any replica was seen to start: one of the faster measured cold starts, so that the first forecast is modest. */
const UNKNOWN_LEAD_TIME_MS = 60_000;

/** How long a replica takes from the order to its first request: the p90 of the measured start-up times, Pending to Ready. */
export function leadTimeMs(startupsMs: readonly number[], configuredMs?: number): number {
  if (configuredMs !== undefined) return configuredMs;
  return startupsMs.length === 0 ? UNKNOWN_LEAD_TIME_MS : quantile([...startupsMs], 0.9);
}
