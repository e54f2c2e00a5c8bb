/** How one step was answered, over all seeds. */
import type { Random } from "../../random.ts";
import { type Estimate, estimate } from "./bootstrap.ts";
import type { Reaction, TargetReaction } from "./reaction.ts";

/** Times are since the step. An estimate of fewer seeds than there are is of those in which it happened at all; null: in none. */
export interface ReactionSummary {
  readonly target: string;
  readonly firstOrderSeconds: Estimate | null;
  readonly specReachedSeconds: Estimate | null;
  readonly readyReachedSeconds: Estimate | null;
  readonly overshootReplicas: Estimate | null;
  /** Of the requests: the same for all targets of a step. */
  readonly sloRecoverySeconds: Estimate | null;
}

/** @param reactions of one autoscaler to one step, one a seed */
export function summarizeReactions(reactions: readonly Reaction[], random: Random): readonly ReactionSummary[] {
  const over = (values: readonly (number | undefined)[]): Estimate | null => estimate(values, random) ?? null;
  const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1000);
  const sloRecoverySeconds = over(reactions.map(({ sloRecoveryMs }) => seconds(sloRecoveryMs)));
  const names = [...new Set(reactions.flatMap(({ targets }) => targets.map(({ target }) => target)))];
  return names.map((name) => {
    const all = reactions.map(({ targets }) => targets.find(({ target }) => target === name));
    const time = (of: (reaction: TargetReaction) => number | undefined): Estimate | null =>
      over(all.map((one) => one && seconds(of(one))));
    return {
      target: name,
      firstOrderSeconds: time(({ firstOrderMs }) => firstOrderMs),
      specReachedSeconds: time(({ specReachedMs }) => specReachedMs),
      readyReachedSeconds: time(({ readyReachedMs }) => readyReachedMs),
      overshootReplicas: over(all.map((one) => one?.overshootReplicas)),
      sloRecoverySeconds,
    };
  });
}
