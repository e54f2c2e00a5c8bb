/**
 * What a model of capacity reads from the engines: one value a pod, as presets are, and shared between policies as they are.
 *
 * Absent families give no samples, which is unknown and not 0; latencies of an idle pod are NaN with an `idleQuery` of 0.
 */
import type { ScaleTargetRole } from "../api/autoscaling/scale-target.ts";
import { type Engine, PACKS } from "./packs/packs.ts";
import type { LoadSignal } from "./packs/signal-pack.ts";
import type { Preset } from "./presets.ts";

export type { LoadSignal } from "./packs/signal-pack.ts";

export interface LoadSignalOptions {
  readonly role: ScaleTargetRole;
  /** Of latencies, in (0, 1); the other signals have none. */
  readonly quantile?: number;
}

/**
 * @returns undefined for what the engine does not expose
 * @throws RangeError when the quantile is not inside (0, 1)
 */
export function loadSignal(
  engine: Engine,
  signal: Exclude<LoadSignal, "promptSpread">,
  options: LoadSignalOptions,
): Preset;
export function loadSignal(engine: Engine, signal: LoadSignal, options: LoadSignalOptions): Preset | undefined;
export function loadSignal(
  engine: Engine,
  signal: LoadSignal,
  { role, quantile = 0.9 }: LoadSignalOptions,
): Preset | undefined {
  if (!(quantile > 0 && quantile < 1)) throw new RangeError(`quantile must be inside (0, 1), got ${quantile}`);
  // In front of engines of any kind the frontend is Dynamo's, or one that has its names.
  return PACKS[role === "frontend" ? "dynamo" : engine][signal]?.({ role, quantile });
}
