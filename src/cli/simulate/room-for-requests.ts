/** Whether engines have room for the requests of a traffic at all: without it nothing is served, whatever scales them. Pure. */

import type { ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import type { WholeProfile } from "../../api/autoscaling/whole-profile.ts";
import type { Arrival } from "../../sim/engines/data-plane.ts";
import { UsageError } from "../errors.ts";

/**
 * @returns what to say where some requests do not fit
 * @throws UsageError when none does
 */
export function checkRoom(
  arrivals: readonly Arrival[],
  { profile, policy }: { readonly profile: WholeProfile; readonly policy: ScalingPolicy },
): readonly string[] {
  const { tokens, where } = smallestRoom(profile, policy);
  // A request lives on one rank, with its prompt and at least one token of answer.
  const tooLong = arrivals.filter(({ inputTokens }) => inputTokens + 1 > tokens);
  const [first] = tooLong;
  if (first === undefined) return [];
  const room = `profile ${profile.name}: ${where} has room for one request of ${Math.floor(tokens).toLocaleString("en")} tokens`;
  if (tooLong.length === arrivals.length) {
    const shortest = arrivals.reduce(
      (least, { inputTokens }) => Math.min(least, inputTokens),
      Number.POSITIVE_INFINITY,
    );
    throw new UsageError(
      `${room}, and the shortest prompt of the traffic has ${shortest.toLocaleString("en")} and needs one more for its answer: nothing can be served; raise it, or give another traffic`,
    );
  }
  return [
    `${tooLong.length.toLocaleString("en")} of ${arrivals.length.toLocaleString("en")} requests do not fit: ${room}, and the first that does not, at ${(first.atMs / 1000).toFixed(1)} s, has a prompt of ${first.inputTokens.toLocaleString("en")}`,
  ];
}

interface Room {
  readonly tokens: number;
  readonly where: string;
}

/** Of the workers that the policy's roles use: a request passes through all of them. */
function smallestRoom({ workers }: WholeProfile, { spec }: ScalingPolicy): Room {
  const hasPrefill = spec.scaleTargets.some(({ role }) => role === "prefill");
  const used = [...(hasPrefill ? (["prefill"] as const) : []), "decode" as const];
  return used
    .map((role): Room => {
      const { kvTokens, ranks } = workers[role];
      return {
        tokens: kvTokens / ranks,
        where: `kv_cache.${role}.worker_tokens${ranks === 1 ? "" : ` on ${ranks} ranks`}`,
      };
    })
    .reduce((least, room) => (room.tokens < least.tokens ? room : least));
}
