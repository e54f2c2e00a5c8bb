/** Reads back what `decision-stream.ts` writes. */
import type { Decision } from "../decide/decision.ts";
import { decodeExact } from "./exact-json.ts";
import type { RedisLink } from "./redis-link.ts";

export interface LoggedDecision {
  /** `namespace/name`. */
  readonly policy: string;
  readonly atMs: number;
  readonly decision: Pick<Decision, "id" | "outcome" | "reason" | "message" | "changes"> & {
    readonly targets: readonly Pick<Decision["targets"][number], "name" | "desired">[];
  };
}

export interface DecisionLog {
  /** In their order. */
  readonly decisions: readonly LoggedDecision[];
  /** Everything since then was read; absent when there is no entry at all. */
  readonly sinceMs?: number;
}

export interface ReadDecisionsOptions {
  readonly link: Pick<RedisLink, "client">;
  readonly prefix: string;
  /** Epoch milliseconds; absent: as far back as it goes. */
  readonly fromMs?: number;
  /** Entries that are read at most, of all policies, the newest first. */
  readonly maxEntries?: number;
}

/** 200 entries are 1 to 4 MB, and 2,000 are read within seconds. */
const PAGE_ENTRIES = 200;
const MAX_READ_ENTRIES = 2_000;
/** Entries are numbered by Redis' clock and say when it was by ours. */
const CLOCK_SLACK_MS = 60_000;

/** Rejects when Redis does not answer. */
export async function readDecisions(options: ReadDecisionsOptions): Promise<DecisionLog> {
  const { link, prefix, fromMs = 0, maxEntries = MAX_READ_ENTRIES } = options;
  const key = `{${prefix}}:decisions`;
  const oldest = String(Math.max(0, fromMs - CLOCK_SLACK_MS));
  const found: LoggedDecision[] = [];
  let newest = "+";
  let read = 0;
  for (;;) {
    const page = await link.client.xrevrange(key, newest, oldest, "COUNT", Math.min(PAGE_ENTRIES, maxEntries - read));
    for (const [, flat] of page) found.push(...entryOf(flat));
    read += page.length;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE_ENTRIES || read >= maxEntries) break;
    newest = `(${last[0]}`;
  }
  const decisions = found.filter(({ atMs }) => atMs >= fromMs).toReversed();
  const [first] = await link.client.xrange(key, "-", "+", "COUNT", 1);
  if (first === undefined) return { decisions };
  const isCut = read >= maxEntries;
  const startMs = isCut ? found.at(-1)?.atMs : entryOf(first[1])[0]?.atMs;
  return { decisions, ...(startMs === undefined ? {} : { sinceMs: startMs }) };
}

/** Nothing of an entry that somebody else put there. */
function entryOf(flat: readonly string[]): readonly LoggedDecision[] {
  const fields = new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ""] as const] : [])));
  const policy = fields.get("policy");
  const atMs = Number(fields.get("time"));
  try {
    const decision = decodeExact(fields.get("decision") ?? "") as LoggedDecision["decision"];
    if (policy === undefined || !Number.isFinite(atMs) || !Array.isArray(decision.targets)) return [];
    return [{ policy, atMs, decision }];
  } catch {
    return [];
  }
}
