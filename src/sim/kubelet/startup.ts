/** How long a pod takes from its containers' start until it is ready: lognormal, by role. */
import type { Random } from "../../random.ts";
import type { PodIdentity } from "../engines/pod-identity.ts";
import { DEFAULT_PROFILE, PROFILES } from "../engines/profiles.ts";
import { standardNormal } from "../traffic/generate.ts";

export interface StartupTime {
  readonly medianMs: number;
  readonly p90Ms: number;
}

/** A role without an entry takes the times of its profile; frontends have no weights to load. */
export type StartupTimes = Partial<Readonly<Record<PodIdentity["role"], StartupTime>>>;

const FRONTEND: StartupTime = { medianMs: 8_000, p90Ms: 12_000 };
/** 90th percentile of the standard normal distribution. */
const Z90 = 1.2815515655446004;

export function startupTimeOf({ role, profile }: PodIdentity, times: StartupTimes): StartupTime {
  const configured = times[role];
  if (configured !== undefined) return configured;
  if (role === "frontend") return FRONTEND;
  const { startupMedianMs = 0, startupP90Ms = 0 } = PROFILES[profile] ?? PROFILES[DEFAULT_PROFILE] ?? {};
  return { medianMs: startupMedianMs, p90Ms: startupP90Ms };
}

/** One draw. A 90th percentile equal to the median gives the median always. */
export function drawStartupMs({ medianMs, p90Ms }: StartupTime, random: Random): number {
  const sigma = Math.log(Math.max(1, p90Ms / medianMs)) / Z90;
  return medianMs * Math.exp(sigma * standardNormal(random));
}
