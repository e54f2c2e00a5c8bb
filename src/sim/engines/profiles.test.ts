import { describe, expect, test } from "vitest";
import { BUILT_IN_PROFILES } from "./built-in-profiles.ts";
import { type EngineProfileOptions, PROFILES, parseEngineProfile } from "./profiles.ts";
import type { DecodeLine } from "./step-times.ts";

const base = BUILT_IN_PROFILES[0] as {
  readonly name: string;
  readonly calibration: object;
  readonly kv_cache: object;
  readonly limits: object;
};
const make = (change: object, options?: EngineProfileOptions) =>
  parseEngineProfile(JSON.stringify({ ...base, ...change }), options);

describe("an impossible profile is refused with the field and the reason", () => {
  test.each([
    {
      name: "no room for one request",
      change: { kv_cache: { prefill: { worker_tokens: 1_000 }, decode: { worker_tokens: 128 } } },
      field: "kv_cache.decode.worker_tokens",
      message: /no room for one request: the shortest prompt of prefill.single has 128 tokens/,
    },
    {
      name: "no room on one rank",
      change: {
        workers: { prefill: { dp_ranks: 8 } },
        kv_cache: { prefill: { worker_tokens: 1_000 }, decode: { worker_tokens: 1_000 } },
      },
      field: "kv_cache.prefill.worker_tokens",
      message: /1000 tokens on 8 ranks/,
    },
    {
      name: "no sequence slots",
      change: { limits: { ...base.limits, max_num_seqs: 0 } },
      field: "limits.max_num_seqs",
      message: /1 or more/,
    },
    {
      name: "a token budget that running requests alone exhaust",
      change: { limits: { max_num_seqs: 512, max_num_batched_tokens: 256 } },
      field: "limits.max_num_batched_tokens",
      message: /at least limits.max_num_seqs \(512\)/,
    },
  ])("$name", ({ change, field, message }) => {
    expect(make(change)).toMatchObject({ ok: false, problem: { field, message: expect.stringMatching(message) } });
  });
});

test("of the two ways to calibrate only one is applied", () => {
  const both = { calibration: { decode_multiplier: 1.05, step_overhead_ms: 1 } };
  const stepMs = (change: object, options?: EngineProfileOptions): number => {
    const made = make(change, options);
    if (!made.ok) throw new Error(made.problem.message);
    const line: DecodeLine = { firstMs: 0, slopeMs: 0, steps: 0 };
    made.profile.stepTimes.decodeLine(1, 512, line);
    return line.firstMs;
  };
  expect(stepMs(both)).toBeCloseTo(1.05 * 6.168, 9);
  expect(stepMs(both, { calibration: "step overhead" })).toBeCloseTo(6.168 + 1, 9);
  expect(stepMs(both, { calibration: "none" })).toBeCloseTo(6.168, 9);
  expect(stepMs({ calibration: { step_overhead_ms: 1 } })).toBeCloseTo(6.168 + 1, 9);
});

test("start-up is the sum of the stages with the image on the node, and absent where the profile is silent", () => {
  expect(PROFILES[base.name]?.startupMedianMs).toBeCloseTo(72_340, 6);
  const silent = make({ cold_start: undefined });
  expect(silent.ok && silent.profile.startupMedianMs).toBe(undefined);
});
