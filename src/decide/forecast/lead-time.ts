import { quantile } from "simple-statistics";

/** By target: measured start-up times, Pending to Ready. */
export type StartupTimes = Readonly<Record<string, readonly number[]>>;

/** Before any replica was seen to start: one of the faster measured cold starts, so that the first forecast is modest. */
const UNKNOWN_LEAD_TIME_MS = 60_000;

/** How long a replica of a target takes from the order to its first request: the p90 of its own start-up times. A router starts in seconds, an engine in minutes. */
export class LeadTimes {
  readonly #configuredMs: number | undefined;
  readonly #startupsMs: StartupTimes;
  readonly #measured: ReadonlyMap<string, number>;

  constructor(startupsMs: StartupTimes, configuredMs?: number) {
    this.#configuredMs = configuredMs;
    this.#startupsMs = startupsMs;
    const known = Object.entries(startupsMs).filter(([, times]) => times.length > 0);
    this.#measured = new Map(known.map(([target, times]) => [target, quantile([...times], 0.9)]));
  }

  /** Of a target that was never seen to start, that of all together. */
  of(target: string): number {
    return this.known(target) ?? this.#ofAll();
  }

  /** Undefined for a target that was never seen to start, unless the policy says how long it takes. */
  known(target: string): number | undefined {
    return this.#configuredMs ?? this.#measured.get(target);
  }

  #ofAll(): number {
    const all = Object.values(this.#startupsMs).flat();
    return all.length === 0 ? UNKNOWN_LEAD_TIME_MS : quantile(all, 0.9);
  }
}
