/**
 * Decisions as a Redis stream, for audit and for whoever wants to follow: `{<prefix>}:decisions`, with the fields `policy`, `id`, `time` (epoch ms),
 * `outcome`, `reason`, `message` and `decision` (the whole record as JSON). Read it with XRANGE or XREAD. A decision that says what the one before it
 * said is not repeated; the oldest entries go first. Redis is a help: an entry that cannot be added is lost and nothing waits for it.
 */
import type { Decision } from "../decide/decision.ts";
import { encodeExact } from "./exact-json.ts";
import type { RedisLink } from "./redis-link.ts";

export interface DecisionStream {
  add(policyKey: string, decision: Decision): void;
}

export interface RedisDecisionsOptions {
  readonly link: RedisLink;
  /** First part of the key. */
  readonly prefix: string;
  /** Roughly how many entries are kept; one is 5 to 20 kB. */
  readonly maxEntries?: number;
}

const MAX_ENTRIES = 10_000;

export function redisDecisions({ link, prefix, maxEntries = MAX_ENTRIES }: RedisDecisionsOptions): DecisionStream {
  const last = new Map<string, string>();
  return {
    add(policyKey, decision) {
      const { id, atMs, outcome, reason, message } = decision;
      const said = `${outcome}/${reason}`;
      if (outcome !== "Scaled" && outcome !== "Failed" && last.get(policyKey) === said) return;
      last.set(policyKey, said);
      const fields = {
        policy: policyKey,
        id,
        time: String(atMs),
        outcome,
        reason,
        message,
        decision: encodeExact(decision),
      };
      void link.attempt(() =>
        link.client.xadd(`{${prefix}}:decisions`, "MAXLEN", "~", maxEntries, "*", ...Object.entries(fields).flat()),
      );
    },
  };
}
