/**
 * Whether the turns of policies still come: what `/healthz` answers for the leader. A restart loses windows and forecasts of every policy and mends
 * only a process that is stuck, so it is the last resort.
 *
 * - A turn that ends in an error has come: a policy that fails for ever is no reason to restart what serves the others, nor is an API server that refuses.
 * - A turn that was given up at its time limit has not: where nothing else comes, the process is stuck.
 * - The policy with the least interval says how long silence may last: with one of an hour among those of 15 s, hours would pass otherwise.
 */
import { parseDurationMs } from "../../api/duration.ts";
import type { Clock } from "../../clock.ts";
import type { RuntimeMetrics } from "../../kube/runtime-metrics.ts";
import type { Verdict } from "../../server/http-server.ts";

/** Longer than the longest back-off of a policy that fails with its turn, and than any garbage collection. */
const MIN_SILENCE_MS = 300_000;
/** Turns of the least interval that may be missed. */
const MISSED_TURNS = 3;

export interface LivenessOptions {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** Name of the controller whose reconciles are turns. */
  readonly controller: string;
  readonly turnTimeoutMs: number;
}

export interface Liveness {
  /** Counts as before, and sees the turns. */
  watching(metrics: RuntimeMetrics): RuntimeMetrics;
  /** Turns are expected from now on. */
  begin(): void;
  /** @param intervals of the policies that turn, such as "15s" */
  verdict(intervals: readonly (string | undefined)[]): Verdict;
}

export function watchTurns({ clock, controller, turnTimeoutMs }: LivenessOptions): Liveness {
  let lastTurnMs = clock.monotonicMs();
  const begin = (): void => {
    lastTurnMs = clock.monotonicMs();
  };
  return {
    watching: (metrics) => ({
      ...metrics,
      reconciled(name, result, durationSeconds) {
        metrics.reconciled(name, result, durationSeconds);
        const isGivenUp = result === "error" && durationSeconds * 1000 >= turnTimeoutMs;
        if (name === controller && !isGivenUp) begin();
      },
    }),
    begin,
    verdict(intervals) {
      if (intervals.length === 0) return { ok: true, text: "leading" };
      const least = Math.min(...intervals.map((text = "15s") => parseDurationMs(text) ?? 0));
      const limitMs = Math.max(MIN_SILENCE_MS, MISSED_TURNS * least);
      const silentMs = clock.monotonicMs() - lastTurnMs;
      const seconds = Math.round(silentMs / 1000);
      return silentMs <= limitMs
        ? { ok: true, text: `leading, last turn ${seconds} s ago` }
        : { ok: false, text: `no turn of any policy for ${seconds} s, more than ${limitMs / 1000} s` };
    },
  };
}
