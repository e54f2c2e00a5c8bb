/** The engine takes runs of steps at once; held against one that takes every step by itself and looks at everything each time. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { InferenceEngine } from "./inference-engine.ts";
import { type EngineProfile, PROFILES } from "./profiles.ts";
import { newAttempt } from "./request.ts";
import { type DecodeLine, StepTimes } from "./step-times.ts";

interface Arrival {
  readonly atMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

interface Outcome {
  readonly firstTokenMs: (number | undefined)[];
  readonly finishedMs: (number | undefined)[];
  preemptions: number;
  generatedTokens: number;
}

const nothingYet = (requests: number): Outcome => ({
  firstTokenMs: Array.from({ length: requests }, () => undefined),
  finishedMs: Array.from({ length: requests }, () => undefined),
  preemptions: 0,
  generatedTokens: 0,
});

/** Step by step, with nothing remembered that can be counted. */
function plain(profile: EngineProfile, arrivals: readonly Arrival[]): Outcome {
  interface Live extends Arrival {
    readonly id: number;
    generated: number;
    done: number;
    rank: number;
    again: boolean;
  }
  const { kvTokens: capacity, ranks } = profile.workers.decode;
  const outcome = nothingYet(arrivals.length);
  const pending: Live[] = arrivals.map((one, id) => ({ ...one, id, generated: 0, done: 0, rank: 0, again: false }));
  const waiting: Live[] = [];
  const prompts: Live[] = [];
  const decodes: Live[] = [];
  const context = (one: Live): number => one.inputTokens + one.generated;
  const sum = (list: readonly Live[], of: (one: Live) => number): number => list.reduce((all, one) => all + of(one), 0);
  const kv = (): number => sum(decodes, context) + sum(prompts, context);
  const finish = (one: Live, atMs: number): void => {
    outcome.finishedMs[one.id] = atMs;
  };
  const fits = (one: Live): boolean =>
    prompts.length + decodes.length < profile.maxRequests &&
    kv() + context(one) + decodes.length + prompts.length + 1 <= capacity;
  let nowMs = 0;
  for (;;) {
    const arrive = (): void => {
      const one = pending.shift() as Live;
      nowMs = Math.max(nowMs, one.atMs);
      if (one.inputTokens + 1 <= capacity / ranks) waiting.push(one);
    };
    while (pending[0] !== undefined && pending[0].atMs < nowMs) arrive();
    while (waiting.length + prompts.length + decodes.length === 0) {
      if (pending.length === 0) return outcome;
      arrive();
    }
    while (decodes.length > 0 && kv() + decodes.length + prompts.length > capacity) {
      const victim = decodes.pop() as Live;
      if (decodes.length + prompts.length === 0) finish(victim, nowMs);
      else {
        outcome.preemptions++;
        waiting.unshift(Object.assign(victim, { done: 0, again: true }));
      }
    }
    const budgets = Array.from({ length: ranks }, () =>
      Math.floor((profile.maxBatchedTokens - decodes.length) / ranks),
    );
    const chunks: { one: Live; tokens: number }[] = [];
    const take = (one: Live): void => {
      const tokens = Math.min(budgets[one.rank] as number, context(one) - one.done);
      budgets[one.rank] = (budgets[one.rank] as number) - tokens;
      if (tokens > 0) chunks.push({ one, tokens });
    };
    for (const one of prompts) take(one);
    for (;;) {
      const open = budgets.flatMap((budget, rank) => (budget > 0 ? [rank] : []));
      const next = waiting[0];
      if (open.length === 0 || next === undefined || !fits(next)) break;
      const load = (rank: number): number =>
        sum(
          prompts.filter((one) => one.rank === rank),
          (one) => context(one) - one.done,
        );
      next.rank = open.reduce((best, rank) => (load(rank) < load(best) ? rank : best));
      prompts.push(waiting.shift() as Live);
      take(next);
    }
    const batch = [...decodes];
    let ms = 0;
    if (chunks.length > 0) {
      for (let rank = 0; rank < ranks; rank++) {
        const mine = chunks.filter(({ one }) => one.rank === rank);
        if (mine.length === 0) continue;
        const total = mine.reduce((all, { tokens }) => all + tokens, 0);
        const squares = mine.reduce((all, { tokens }) => all + tokens * tokens, 0);
        const attended = mine.reduce((all, { one, tokens }) => all + tokens * one.done, 0);
        const largest = Math.max(...mine.map(({ tokens }) => tokens));
        ms = Math.max(ms, profile.stepTimes.promptsMs(total, squares, attended, largest));
      }
      ms += profile.stepTimes.decodesBesideMs(batch.length, sum(batch, context));
    } else if (batch.length > 0) {
      const line: DecodeLine = { firstMs: 0, slopeMs: 0, steps: 0 };
      profile.stepTimes.decodeLine(batch.length, sum(batch, context), line);
      ms = line.firstMs;
    }
    nowMs += ms;
    for (const one of batch) {
      one.generated++;
      outcome.generatedTokens++;
      if (one.generated < one.outputTokens) continue;
      decodes.splice(decodes.indexOf(one), 1);
      finish(one, nowMs);
    }
    for (const { one, tokens } of chunks) {
      one.done += tokens;
      if (one.done < context(one)) continue;
      prompts.splice(prompts.indexOf(one), 1);
      if (!one.again) {
        outcome.firstTokenMs[one.id] = nowMs;
        one.generated = 1;
        outcome.generatedTokens++;
      }
      one.again = false;
      if (one.generated >= one.outputTokens) finish(one, nowMs);
      else decodes.push(one);
    }
  }
}

function fast(profile: EngineProfile, arrivals: readonly Arrival[], looksMs: readonly number[]): Outcome {
  const outcome = nothingYet(arrivals.length);
  const engine = new InferenceEngine(profile, "aggregated", {
    prefilled: () => undefined,
    transferring: () => undefined,
    rejected: () => undefined,
    firstToken: ({ request }, atMs) => {
      outcome.firstTokenMs[request.id] = atMs;
    },
    finished: ({ request }, atMs) => {
      outcome.finishedMs[request.id] = atMs;
    },
  });
  const looks = looksMs.toSorted((a, b) => a - b);
  const lookUntil = (nowMs: number): void => {
    for (let look = looks[0]; look !== undefined && look <= nowMs; look = looks[0]) {
      looks.shift();
      const load = engine.loadTokens(look);
      engine.advanceTo(look);
      expect(engine.loadTokens(look)).toBe(load);
      expect(engine.kvTokens).toBeLessThanOrEqual(engine.kvCapacityTokens);
    }
  };
  arrivals.forEach(({ atMs, inputTokens, outputTokens }, id) => {
    lookUntil(atMs);
    const request = { id, arrivedMs: atMs, inputTokens, outputTokens, attempts: 0, current: undefined, ended: false };
    engine.submit(newAttempt(request), atMs);
  });
  engine.advanceTo(1e12);
  expect(engine.isEmpty).toBe(true);
  expect(engine.kvTokens).toBe(0);
  outcome.preemptions = engine.preemptions;
  outcome.generatedTokens = engine.generationTokens;
  return outcome;
}

/** Points close together, so that runs of steps are cut often, and lines that bend both ways. */
const STEP_TIMES = new StepTimes(
  {
    prefill: {
      points: [
        [32, 5],
        [128, 9],
        [512, 40],
      ],
      fit: [2, 0.07, 2e-5],
      ranks: 1,
    },
    decode: {
      rows: [1, 3, 8].map((batch) => [
        batch,
        [8, 16, 24, 64, 100, 180, 400].map(
          (context) => [context, 3 + batch + 0.4 * Math.sqrt(batch * context)] as const,
        ),
      ]),
      fit: [3, 1, 0.004],
    },
  },
  { decodeMultiplier: 1.05, stepOverheadMs: 0 },
);

test("runs of steps at once give what every step by itself gives, whatever comes, and whoever looks", () => {
  const base = Object.values(PROFILES)[0] as EngineProfile;
  let preemptions = 0;
  fc.assert(
    fc.property(
      fc.record({
        kvTokens: fc.integer({ min: 60, max: 3_000 }),
        ranks: fc.integer({ min: 1, max: 3 }),
        maxRequests: fc.integer({ min: 1, max: 12 }),
        maxBatchedTokens: fc.integer({ min: 12, max: 700 }),
      }),
      fc.array(
        fc.record({
          afterMs: fc.double({ min: 0.01, max: 400, noNaN: true }),
          inputTokens: fc.integer({ min: 1, max: 500 }),
          outputTokens: fc.integer({ min: 1, max: 300 }),
        }),
        { minLength: 1, maxLength: 40 },
      ),
      fc.array(fc.double({ min: 0, max: 16_000, noNaN: true }), { maxLength: 20 }),
      ({ kvTokens, ranks, ...limits }, gaps, looksMs) => {
        const worker = { gpus: 1, nodes: 1, ranks, kvTokens };
        const profile = { ...base, ...limits, workers: { prefill: worker, decode: worker }, stepTimes: STEP_TIMES };
        let atMs = 0;
        const arrivals = gaps.map(({ afterMs, ...lengths }) => {
          atMs += afterMs;
          return { atMs, ...lengths };
        });
        const want = plain(profile, arrivals);
        const got = fast(profile, arrivals, looksMs);
        preemptions += got.preemptions;
        const rounded = (times: Outcome["finishedMs"]) => times.map((ms) => ms && expect.closeTo(ms, 5));
        expect(got).toEqual({
          ...want,
          firstTokenMs: rounded(want.firstTokenMs),
          finishedMs: rounded(want.finishedMs),
        });
      },
    ),
    { numRuns: 400 },
  );
  expect(preemptions).toBeGreaterThan(100);
});
