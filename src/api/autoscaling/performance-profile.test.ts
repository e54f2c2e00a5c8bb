import { describe, expect, test } from "vitest";
import { parseProfile } from "./performance-profile.ts";

const whole = {
  schema: "grove-autoscaler/perf-profile/v1",
  name: "m",
  prefill: {
    single: [
      [2000, 40],
      [1000, 20],
    ],
    fit: { c: [1, 0.02, 0] },
  },
  decode: {
    grid: [
      [1, 1000, 10, true],
      [8, 1000, 9.9, true],
      [8, 500, 9, true],
    ],
    fit: { c: [10, 0.1, 0.00001] },
  },
  kv_cache: { decode: { worker_tokens: 100_000 } },
  limits: { max_num_seqs: { value: 256, unit: "requests" }, max_num_batched_tokens: 8192 },
  kv_transfer: {
    bytes_per_token: { value: 1000 },
    effective_bandwidth: { value: 1_000_000, unit: "bytes/s" },
    fixed_latency: { value: 5 },
  },
};

const parse = (change: object) => parseProfile(JSON.stringify({ ...whole, ...change }));

test("tables are sorted, numbers come plain or with their source, and what is left out has a neutral value", () => {
  const parsed = parse({});
  expect(parsed.ok && parsed.profile).toMatchObject({
    prefill: {
      points: [
        [1000, 20],
        [2000, 40],
      ],
      ranks: 1,
    },
    decode: {
      rows: [
        [1, [[1000, 10]]],
        [
          8,
          [
            [500, 9],
            [1000, 9.9],
          ],
        ],
      ],
    },
    maxRequests: 256,
    maxBatchedTokens: 8192,
    decodeMultiplier: 1,
    ttftOverheadMs: 0,
    kvTransfer: { bytesPerMs: 1000, fixedMs: 5 },
  });
});

describe("what is wrong is named by its field", () => {
  test.each([
    { name: "another format", change: { schema: "v0" }, field: "schema" },
    { name: "no name", change: { name: "" }, field: "name" },
    { name: "one point", change: { prefill: { ...whole.prefill, single: [[1, 1]] } }, field: "prefill.single" },
    {
      name: "a time of nothing",
      change: {
        prefill: {
          ...whole.prefill,
          single: [
            [1, 0],
            [2, 1],
          ],
        },
      },
      field: "prefill.single[0]",
    },
    {
      name: "a length twice",
      change: {
        prefill: {
          ...whole.prefill,
          single: [
            [1, 1],
            [1, 2],
          ],
        },
      },
      field: "prefill.single",
    },
    { name: "no fit", change: { prefill: { single: whole.prefill.single } }, field: "prefill.fit.c" },
    { name: "a grid of text", change: { decode: { ...whole.decode, grid: "x" } }, field: "decode.grid" },
    { name: "one batch", change: { decode: { ...whole.decode, grid: [[1, 1, 1]] } }, field: "decode.grid" },
    {
      name: "a negative slope",
      change: { decode: { ...whole.decode, fit: { c: [1, -1, 0] } } },
      field: "decode.fit.c",
    },
    { name: "no cache", change: { kv_cache: {} }, field: "kv_cache.decode.worker_tokens" },
    { name: "no slots", change: { limits: { ...whole.limits, max_num_seqs: 0 } }, field: "limits.max_num_seqs" },
    {
      name: "a bandwidth of null",
      change: { kv_transfer: { bytes_per_token: 1, effective_bandwidth: null } },
      field: "kv_transfer.effective_bandwidth",
    },
    {
      name: "a multiplier of 0",
      change: { calibration: { decode_multiplier: 0 } },
      field: "calibration.decode_multiplier",
    },
  ])("$name", ({ change, field }) => {
    expect(parse(change)).toMatchObject({ ok: false, problem: { field } });
  });

  test.each(["", "{", "null", "[]", '"x"', "1", '{"schema":"grove-autoscaler/perf-profile/v1"}'])("%s", (text) => {
    expect(parseProfile(text).ok).toBe(false);
  });
});
