/** One query for many policies: the same question within one tick goes to the server once. */
import type { Clock } from "../clock.ts";
import { type FreshnessPlan, freshnessOf } from "./freshness-plan.ts";
import { MetricsError, type MetricsSource } from "./metrics-source.ts";
import { type PlanNode, planQuery, queriesOfPlan } from "./query-plan.ts";
import { fillQuery, type QueryScope } from "./query-text.ts";
import { answerOf, type SharedAnswer } from "./shared-answer.ts";
import { splitAnswer } from "./split-answer.ts";

export interface SharedQueriesOptions {
  readonly source: MetricsSource;
  readonly clock: Clock;
  /** How old an answer may be to be shared; less than a scrape interval. */
  readonly maxAgeMs?: number;
  /** Ask own PromQL of several policies as one question for all pods; default true. Off where the server shows each namespace to its own. */
  readonly grouping?: boolean;
}

/** The answer to a policy's own PromQL. */
export interface OwnAnswer extends SharedAnswer {
  /** Latest raw samples of each selector that could be dated, for the policy's pods. */
  readonly times: readonly SharedAnswer[];
  /** Something should have a date and nothing has: no raw sample is inside the server's look-back. */
  readonly isBeyondLookback: boolean;
}

export interface SharedQueries {
  /** @param maxAgeMs an answer as old as this will do, where that is more than the age within which all are shared */
  query(promql: string, maxAgeMs?: number): Promise<SharedAnswer>;
  /** What `query` would resolve to, where it is there already. */
  known(promql: string, maxAgeMs?: number): SharedAnswer | undefined;
  /** @throws RangeError for a placeholder that does not exist */
  ask(template: string, scope: QueryScope): Promise<OwnAnswer>;
  /** How long ago the answer was asked for. */
  heldMs(answer: SharedAnswer): number;
  /** The same, with an end to the patience of one caller; the query itself goes on for the others. */
  within(timeoutMs: number): SharedQueries;
}

const MAX_AGE_MS = 5_000;
/** A question for all pods that was too large or refused is asked for each policy alone for this time. */
const REFUSED_MS = 600_000;
/** Templates whose plans are kept: one per metric of a policy, at 10,000 policies. */
const MAX_PLANS = 10_000;

/** An answer that took long is shared longer, so that one question takes no more than a tenth of the time of the server, and of ours. */
const SLOW_RATIO = 10;
const MAX_SLOW_AGE_MS = 15_000;
/** How long an answer that may not be shared any more is kept for its indexes: the next turn of the policies that asked. */
const KEPT_MS = 60_000;

interface Kept {
  /** Monotonic, like the next. */
  readonly askedAtMs: number;
  readonly answer: Promise<SharedAnswer>;
  /** Once it is there. */
  settled?: SharedAnswer;
  sharedUntilMs: number;
}

interface CompiledQuery {
  readonly plan: PlanNode | undefined;
  readonly freshness: FreshnessPlan;
  refusedUntilMs: number;
}

export function shareQueries({
  source,
  clock,
  maxAgeMs = MAX_AGE_MS,
  grouping = true,
}: SharedQueriesOptions): SharedQueries {
  const answers = new Map<string, Kept>();
  const plans = new Map<string, CompiledQuery>();

  const isShared = ({ sharedUntilMs, askedAtMs }: Kept, now: number, oldestMs: number): boolean =>
    now <= sharedUntilMs || now - askedAtMs <= oldestMs;

  function known(promql: string, oldestMs = 0): SharedAnswer | undefined {
    const kept = answers.get(promql);
    return kept !== undefined && isShared(kept, clock.monotonicMs(), oldestMs) ? kept.settled : undefined;
  }

  function query(promql: string, oldestMs = 0): Promise<SharedAnswer> {
    const now = clock.monotonicMs();
    const before = answers.get(promql);
    if (before !== undefined && isShared(before, now, oldestMs)) return before.answer;
    forgetUnasked(now);
    const answer = source
      .query(promql)
      .then(async (samples) => answerOf(samples, now, await before?.answer.catch(() => undefined)));
    // Whoever asks while it is on its way waits for it, however long it takes.
    const kept: Kept = { askedAtMs: now, answer, sharedUntilMs: Number.POSITIVE_INFINITY };
    // Deleted first, so that the oldest come first.
    answers.delete(promql);
    answers.set(promql, kept);
    const settle = (): void => {
      const slowMs = Math.min(MAX_SLOW_AGE_MS, SLOW_RATIO * (clock.monotonicMs() - now));
      kept.sharedUntilMs = now + Math.max(maxAgeMs, slowMs);
    };
    // A failure is shared within its tick too: a server that is down is not asked once per policy. The caller handles it.
    answer.then((there) => {
      kept.settled = there;
      settle();
    }, settle);
    return answer;
  }

  function forgetUnasked(now: number): void {
    for (const [text, { askedAtMs, sharedUntilMs }] of answers) {
      if (now - askedAtMs <= KEPT_MS) break;
      if (now > sharedUntilMs) answers.delete(text);
    }
  }

  function compiledOf(template: string): CompiledQuery {
    const known = plans.get(template);
    if (known !== undefined) return known;
    if (plans.size >= MAX_PLANS) plans.clear();
    const compiled = {
      plan: grouping ? planQuery(template) : undefined,
      freshness: freshnessOf(template),
      refusedUntilMs: Number.NEGATIVE_INFINITY,
    };
    plans.set(template, compiled);
    return compiled;
  }

  async function ask(template: string, scope: QueryScope): Promise<OwnAnswer> {
    const compiled = compiledOf(template);
    const [answer, times] = await Promise.all([
      valuesFor(template, scope, compiled),
      Promise.all(compiled.freshness.selectors.map((selector) => timesOf(selector, scope))),
    ]);
    const known = times.filter((one) => one !== undefined);
    const isBeyondLookback =
      !compiled.freshness.mayBeUndated &&
      times.length > 0 &&
      known.length === times.length &&
      known.every(({ samples }) => samples.length === 0);
    return { ...answer, times: known, isBeyondLookback };
  }

  async function valuesFor(template: string, scope: QueryScope, compiled: CompiledQuery): Promise<SharedAnswer> {
    const { plan } = compiled;
    const filled = fillQuery(template, scope);
    if (plan === undefined || clock.monotonicMs() < compiled.refusedUntilMs) return query(filled);
    try {
      const parts = await Promise.all(queriesOfPlan(plan).map(async (text) => [text, await query(text)] as const));
      return answerOf(splitAnswer(plan, new Map(parts), scope), Math.min(...parts.map(([, part]) => part.askedAtMs)));
    } catch (error) {
      // A server that is down, too slow or does not know us would not answer the smaller question either, and not a hundred of them.
      if (!(error instanceof MetricsError) || !error.isRefusal) throw error;
      compiled.refusedUntilMs = clock.monotonicMs() + REFUSED_MS;
      return query(filled);
    }
  }

  /** @returns undefined when the server does not say: a value without an age is still a value */
  async function timesOf(
    { ofAllPods, ofScope }: FreshnessPlan["selectors"][number],
    scope: QueryScope,
  ): Promise<SharedAnswer | undefined> {
    try {
      if (!grouping || ofAllPods === undefined) return await query(ofScope(scope));
      const all = await query(ofAllPods);
      return answerOf(
        splitAnswer({ kind: "each", queries: [ofAllPods] }, new Map([[ofAllPods, all]]), scope),
        all.askedAtMs,
      );
    } catch (error) {
      if (error instanceof MetricsError) return undefined;
      throw error;
    }
  }

  const heldMs = ({ askedAtMs }: SharedAnswer): number => clock.monotonicMs() - askedAtMs;
  const shared: SharedQueries = { query, known, ask, heldMs, within: (timeoutMs) => patient(shared, clock, timeoutMs) };
  return shared;
}

function patient(queries: SharedQueries, clock: Clock, timeoutMs: number): SharedQueries {
  const limited = <T>(answer: Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const message = `no answer within ${timeoutMs / 1000} s, the time a decision can wait`;
      const timer = clock.setTimer(timeoutMs, () => reject(new MetricsError("Unreachable", message)));
      answer.then(resolve, reject).finally(() => timer.cancel());
    });
  return {
    // Most answers are there when a policy asks: no clock need run for them.
    async query(promql, oldestMs) {
      return queries.known(promql, oldestMs) ?? limited(queries.query(promql, oldestMs));
    },
    known: (promql, oldestMs) => queries.known(promql, oldestMs),
    ask: (template, scope) => limited(queries.ask(template, scope)),
    heldMs: (answer) => queries.heldMs(answer),
    within: (shorterMs) => patient(queries, clock, Math.min(shorterMs, timeoutMs)),
  };
}
