import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readTraceFile } from "../traffic/trace-file.ts";
import { InferenceEngine } from "./inference-engine.ts";
import { PrefixCache } from "./prefix-cache.ts";
import { type EngineProfile, PROFILES } from "./profiles.ts";
import { type Attempt, newAttempt, type Request } from "./request.ts";
import { StepTimes } from "./step-times.ts";

const prompt = (...blocks: readonly number[]) => ({ blocks, inputTokens: 512 * blocks.length });

describe("blocks", () => {
  test("only an unbroken beginning counts, held or idle", () => {
    const cache = new PrefixCache();
    cache.hold(prompt(1, 2, 3), 0, 2);
    expect(cache.match(prompt(1, 2, 3))).toBe(2);
    expect(cache.match(prompt(1, 9, 2))).toBe(1);
    expect(cache.match(prompt(4, 1))).toBe(0);
    cache.release(prompt(1, 2, 3), 2);
    expect(cache.match(prompt(1, 2, 3))).toBe(2);
  });

  test("what several use takes room once", () => {
    const cache = new PrefixCache();
    cache.hold(prompt(1, 2), 0, 2);
    expect(cache.heldTokens(prompt(1, 2, 3))).toBe(1_024);
    cache.hold(prompt(1, 2, 3), 0, 2);
    expect(cache.duplicateTokens).toBe(1_024);
    cache.release(prompt(1, 2), 2);
    expect(cache.duplicateTokens).toBe(0);
    cache.release(prompt(1, 2, 3), 2);
    expect(cache.heldTokens(prompt(1, 2, 3))).toBe(0);
  });

  test("the least recently used go first, the end of a prompt before its beginning", () => {
    const cache = new PrefixCache();
    for (const one of [prompt(1, 2), prompt(3, 4)]) {
      cache.hold(one, 0, 2);
      cache.release(one, 2);
    }
    cache.hold(prompt(1), 0, 1);
    cache.release(prompt(1), 1);
    // Idle now, oldest first: 2, 4, 3, 1.
    const there = () => [1, 2, 3, 4].filter((id) => cache.match(prompt(id)) === 1);
    cache.trim(3 * 512);
    expect(there()).toEqual([1, 3, 4]);
    cache.trim(2 * 512 + 511);
    expect(there()).toEqual([1, 3]);
    cache.trim(0);
    expect(there()).toEqual([]);
  });

  test("held blocks are never dropped, and the last one has only the tokens that the prompt has", () => {
    const cache = new PrefixCache();
    const short = { blocks: [1, 2], inputTokens: 600 };
    cache.hold(short, 0, 2);
    cache.trim(0);
    expect(cache.heldTokens(short)).toBe(600);
    cache.release(short, 2);
    cache.trim(600);
    expect(cache.match(short)).toBe(2);
    cache.trim(599);
    expect(cache.match(short)).toBe(1);
  });
});

const BASE = Object.values(PROFILES)[0] as EngineProfile;
const withKv = (kvTokens: number, change: Partial<EngineProfile> = {}): EngineProfile => {
  const worker = { gpus: 1, nodes: 1, ranks: 1, kvTokens };
  return { ...BASE, workers: { prefill: worker, decode: worker }, ...change };
};

function engineOf(profile: EngineProfile, finished: (attempt: Attempt) => void = () => undefined): InferenceEngine {
  const listener = {
    prefilled: () => undefined,
    transferring: () => undefined,
    rejected: () => undefined,
    firstToken: (attempt: Attempt, atMs: number) => {
      attempt.firstTokenMs = atMs;
    },
    finished,
  };
  return new InferenceEngine(profile, "aggregated", listener, { prefixCaching: true });
}

const attemptOf = (request: Pick<Request, "arrivedMs" | "inputTokens" | "outputTokens" | "blocks">): Attempt =>
  newAttempt({ id: 0, attempts: 0, current: undefined, ended: false, ...request });

describe("an engine with a prefix cache", () => {
  test("the second of two equal prompts computes its last token, and attends to the rest", () => {
    const engine = engineOf(BASE);
    const same = { inputTokens: 2_000, outputTokens: 1, blocks: [1, 2, 3, 4] };
    const [first, second] = [0, 1_000].map((arrivedMs) => attemptOf({ ...same, arrivedMs })) as [Attempt, Attempt];
    engine.submit(first, 0);
    engine.submit(second, 1_000);
    engine.advanceTo(10_000);
    expect(first.firstTokenMs).toBeCloseTo(BASE.stepTimes.promptsMs(2_000, 4e6, 0, 2_000), 9);
    expect((second.firstTokenMs ?? 0) - 1_000).toBeCloseTo(BASE.stepTimes.promptsMs(1, 1, 1_999, 1), 9);
    expect(engine.prefixCache).toEqual({ queriedTokens: 4_000, hitTokens: 1_999 });
  });

  test("idle blocks make room for what runs", () => {
    const engine = engineOf(withKv(1_100));
    const submit = (arrivedMs: number, blocks: readonly number[]): void =>
      engine.submit(attemptOf({ arrivedMs, inputTokens: 1_000, outputTokens: 2, blocks }), arrivedMs);
    submit(0, [1, 2]);
    submit(1_000, [3, 4]);
    submit(2_000, [1, 2]);
    engine.advanceTo(3_000);
    expect(engine.prefixCache?.hitTokens).toBe(0);
    submit(3_000, [1, 2]);
    engine.advanceTo(4_000);
    expect(engine.prefixCache?.hitTokens).toBe(999);
  });

  test("whatever comes: every request gets its tokens, the cache stays in its bounds, and nothing is left", () => {
    const request = fc.record({
      afterMs: fc.integer({ min: 0, max: 200 }),
      family: fc.integer({ min: 0, max: 3 }),
      inputTokens: fc.integer({ min: 1, max: 2_500 }),
      outputTokens: fc.integer({ min: 1, max: 200 }),
    });
    let [preemptions, hits] = [0, 0];
    fc.assert(
      fc.property(
        fc.array(request, { minLength: 2, maxLength: 40 }),
        fc.integer({ min: 3_000, max: 9_000 }),
        (all, kv) => {
          const done: Attempt[] = [];
          const engine = engineOf(withKv(kv, { maxRequests: 8, maxBatchedTokens: 700 }), (attempt) =>
            done.push(attempt),
          );
          let arrivedMs = 0;
          for (const { afterMs, family, ...lengths } of all) {
            arrivedMs += afterMs;
            // The last block of a prompt is partial and therefore another one for every length.
            const whole = Math.floor(lengths.inputTokens / 512);
            const blocks = Array.from({ length: whole }, (_, index) => 10_000_000 * family + index);
            if (lengths.inputTokens % 512 > 0) blocks.push(10_000_000 * family + 1_000 + lengths.inputTokens);
            engine.submit(attemptOf({ arrivedMs, ...lengths, blocks }), arrivedMs);
            expect(engine.kvTokens).toBeGreaterThanOrEqual(0);
            expect(engine.kvTokens).toBeLessThanOrEqual(kv);
          }
          engine.advanceTo(1e12);
          expect(done.map(({ generatedTokens, request }) => generatedTokens - request.outputTokens)).toEqual(
            all.map(() => 0),
          );
          expect([engine.isEmpty, engine.kvTokens, engine.backlogTokens]).toEqual([true, 0, 0]);
          const { queriedTokens = 0, hitTokens = 0 } = engine.prefixCache ?? {};
          expect(queriedTokens).toBe(all.reduce((sum, { inputTokens }) => sum + inputTokens, 0));
          preemptions += engine.preemptions;
          hits += hitTokens;
        },
      ),
      { numRuns: 200 },
    );
    expect(preemptions).toBeGreaterThan(50);
    expect(hits).toBeGreaterThan(50_000);
  });
});

const TRACES = new URL("../../../../shared/data/traces/", import.meta.url);
const WITHOUT = existsSync(TRACES) ? "" : ": skipped, no traces beside the repository (../shared/data/traces)";

/** A step takes nothing worth mentioning and one request runs at a time, so that each finds all that came before it. */
const IDEAL = withKv(1e9, {
  maxRequests: 1,
  stepTimes: new StepTimes(
    {
      prefill: {
        points: [
          [1, 1e-6],
          [2, 1e-6],
        ],
        fit: [0, 0, 0],
        ranks: 1,
      },
      decode: {
        rows: [
          [1, [[1, 1e-6]]],
          [2, [[1, 1e-6]]],
        ],
        fit: [0, 0, 0],
      },
    },
    { decodeMultiplier: 1, stepOverheadMs: 0 },
  ),
});

describe.skipIf(WITHOUT !== "")(`recorded prompts${WITHOUT}`, () => {
  test.each([
    { trace: "mooncake-conversation", percent: 34.7 },
    { trace: "mooncake-synthetic", percent: 65.1 },
  ])("$trace: $percent % of input tokens hit one unbounded cache", ({ trace, percent }) => {
    const engine = engineOf(IDEAL);
    for (const { atMs, ...request } of readTraceFile(fileURLToPath(new URL(`${trace}.csv.gz`, TRACES)))) {
      engine.submit(attemptOf({ arrivedMs: atMs, ...request }), atMs);
    }
    engine.advanceTo(1e12);
    const { queriedTokens, hitTokens } = engine.prefixCache ?? { queriedTokens: 0, hitTokens: 0 };
    expect((100 * hitTokens) / queriedTokens).toBeCloseTo(percent, 1);
  });
});
