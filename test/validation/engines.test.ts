/** The simulated engine against recorded runs of a real one, untuned: nothing is calibrated to them. */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseWholeProfile } from "../../src/api/autoscaling/whole-profile.ts";
import { BUILT_IN_PROFILES } from "../../src/sim/engines/built-in-profiles.ts";
import { InferenceEngine } from "../../src/sim/engines/inference-engine.ts";
import { parseEngineProfile } from "../../src/sim/engines/profiles.ts";
import { newAttempt } from "../../src/sim/engines/request.ts";
import { StepTimes } from "../../src/sim/engines/step-times.ts";
import { type Latencies, RUNS, recordedProfile, recordedRun, replayRun } from "./recorded-run.ts";

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const meanOf = (requests: readonly Latencies[], key: keyof Latencies): number => mean(requests.map((one) => one[key]));
const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1] ?? Number.NaN;
const off = (simulated: number, measured: number): number => Math.abs(simulated / measured - 1);

describe.each(RUNS)("%s", (name) => {
  const recorded = recordedRun(name);
  const simulated = replayRun(recordedProfile(name), recorded);

  test("mean TTFT is within 15 %, mean TPOT within 8 %, and so are the tails", () => {
    const of = (run: typeof simulated, key: keyof Latencies) => run.requests.map((one) => one[key]);
    expect(off(meanOf(simulated.requests, "ttftMs"), meanOf(recorded.requests, "ttftMs"))).toBeLessThan(0.15);
    expect(off(meanOf(simulated.requests, "queueMs"), meanOf(recorded.requests, "queueMs"))).toBeLessThan(0.15);
    expect(off(meanOf(simulated.requests, "tpotMs"), meanOf(recorded.requests, "tpotMs"))).toBeLessThan(0.08);
    expect(off(meanOf(simulated.requests, "e2eMs"), meanOf(recorded.requests, "e2eMs"))).toBeLessThan(0.08);
    expect(off(quantile(of(simulated, "ttftMs"), 0.9), quantile(of(recorded, "ttftMs"), 0.9))).toBeLessThan(0.15);
    expect(off(simulated.durationMs, recorded.durationMs)).toBeLessThan(0.08);
  });

  test("running and waiting follow the recorded ones second by second", () => {
    const distance = (key: "running" | "waiting"): number =>
      mean(recorded.series.map((second, index) => Math.abs((simulated.series[index]?.[key] ?? 0) - second[key])));
    expect(distance("running")).toBeLessThan(0.05 * 128);
    expect(distance("waiting")).toBeLessThan(0.05 * 128);
  });
});

const PROFILE_FOLDER = new URL("../../../shared/data/profiles/", import.meta.url);
const WITHOUT = existsSync(PROFILE_FOLDER) ? undefined : "no profiles beside the repository (../shared/data/profiles)";
const FILES = [
  "deepseek-r1-fp8-h200-tp8",
  "deepseek-r1-fp8-h200-wideep",
  "llama-3.1-8b-bf16-h100-tp1",
  "llama-3.3-70b-fp8-h100-tp4",
  "qwen3-32b-bf16-h100-tp2",
  "qwen3-32b-fp8-h200-tp1",
];
const text = (name: string): string => readFileSync(new URL(`${name}.json`, PROFILE_FOLDER), "utf8");

describe.skipIf(WITHOUT !== undefined)(`profile files${WITHOUT === undefined ? "" : `: skipped, ${WITHOUT}`}`, () => {
  test.each(FILES)(
    "%s: a pass over several prompts, or over the rest of one, takes what its own tables say",
    (name) => {
      const parsed = parseWholeProfile(text(name));
      if (!parsed.ok) throw new Error(parsed.problem.message);
      const times = new StepTimes(parsed.profile, { decodeMultiplier: 1, stepOverheadMs: 0 });
      const { batchedPrompts, cachedPrefixes } = parsed.profile;
      const batched = batchedPrompts.map(([prompts, each, ms]) =>
        off(times.promptsMs(prompts * each, prompts * each * each, 0, each), ms),
      );
      expect(mean(batched)).toBeLessThan(0.02);
      expect(Math.max(...batched)).toBeLessThan(0.05);
      const cached = cachedPrefixes.map(([done, chunk, ms]) =>
        off(times.promptsMs(chunk, chunk * chunk, done * chunk, chunk), ms),
      );
      // MLA reads a cached prefix more cheaply than c2 of whole prompts says: 14 % on average with 16 ranks, at most 49 %.
      expect(mean(cached)).toBeLessThan(name.endsWith("wideep") ? 0.15 : 0.04);
    },
  );

  test("a worker of 16 ranks computes 16 prompts in the time of one, and the next after them", () => {
    const made = parseEngineProfile(text("deepseek-r1-fp8-h200-wideep"));
    if (!made.ok) throw new Error(made.problem.message);
    const doneMs: number[] = [];
    const silent = () => undefined;
    const listener = { transferring: silent, firstToken: silent, finished: silent, rejected: silent };
    const engine = new InferenceEngine(made.profile, "prefill", {
      ...listener,
      prefilled: (_attempt, atMs) => doneMs.push(Math.round(atMs * 1_000) / 1_000),
    });
    // 16,384 tokens are the budget of a rank: the first step leaves no room for another prompt on any of them. The first
    // request to come begins alone.
    const request = {
      arrivedMs: 0,
      inputTokens: 16_384,
      outputTokens: 2,
      attempts: 0,
      current: undefined,
      ended: false,
    };
    for (let id = 0; id < 18; id++) engine.submit(newAttempt({ ...request, id }), 0);
    engine.advanceTo(60_000);
    expect(doneMs.slice(0, 17)).toEqual([3_562.722, ...Array.from({ length: 16 }, () => 2 * 3_562.722)]);
    expect(doneMs[17]).toBeCloseTo(3 * 3_562.722, 2);
  });

  test.each(BUILT_IN_PROFILES)("$name, which is built in, is that of its file", (builtIn) => {
    const file = parseWholeProfile(text(builtIn.name));
    const own = parseWholeProfile(JSON.stringify(builtIn));
    if (!file.ok || !own.ok) throw new Error("not read");
    const { batchedPrompts, cachedPrefixes, model, calibrations, ...rest } = file.profile;
    expect(own.profile).toMatchObject(rest);
    expect(own.profile.calibrations.decodeMultiplier).toBe(calibrations.decodeMultiplier);
  });
});
