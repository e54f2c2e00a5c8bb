import { describe, expect, test } from "vitest";
import { type Look, PERFORMANCE, run, type Seen } from "../peer.fixture.ts";
import { DYNAMO_LOAD, DYNAMO_LOAD_LATENCY, DYNAMO_SLA_LOAD } from "./current.ts";

interface Engine {
  readonly running?: number;
  readonly waiting?: number;
  readonly kv?: number;
}

const idle: readonly Engine[] = [{}, {}];

/** Mean request: 800 prompt tokens, 400 of answer, unless said otherwise. */
function system(
  prefill: readonly Engine[],
  decode: readonly Engine[],
  more: {
    prefill?: Partial<Seen>;
    decode?: Partial<Seen>;
    lengths?: readonly [number, number];
    gpuBudget?: number;
  } = {},
): Look {
  const [inputTokens, outputTokens] = more.lengths ?? [800, 400];
  const samples = (role: string, engines: readonly Engine[]): NonNullable<Look["perReplica"]> => ({
    [`${role} running`]: engines.map(({ running = 0 }) => running),
    [`${role} waiting`]: engines.map(({ waiting = 0 }) => waiting),
    [`${role} kvUsage`]: engines.map(({ kv = 0 }) => kv),
  });
  return {
    roles: { prefill: { spec: prefill.length, ...more.prefill }, decode: { spec: decode.length, ...more.decode } },
    perReplica: { ...samples("prefill", prefill), ...samples("decode", decode) },
    totals: { inputTokens, outputTokens },
    ...(more.gpuBudget === undefined ? {} : { gpuBudget: more.gpuBudget }),
  };
}

describe("dynamo-load, context length 8,000 tokens", () => {
  const at = (look: Look): unknown =>
    run(DYNAMO_LOAD, ["prefill", "decode"], { contextLengthTokens: 8_000 }).at(5, look);
  const busy = [{ kv: 0.7 }, { kv: 0.7 }];

  test.each<[string, readonly Engine[], number]>([
    ["10 x 800/8000 = 1.0 on one engine: up", [{ waiting: 10 }, {}], 3],
    ["9 x 800/8000 = 0.9: stays", [{ waiting: 9 }, {}], 2],
    ["1 x 800/8000 = 0.1 is not below 0.1: stays", [{ waiting: 1 }, {}], 2],
    ["nothing waits: down", [{}, {}], 1],
    ["the last stays", [{}], 1],
  ])("prefill: %s", (_, prefill, expected) => {
    expect(at(system(prefill, busy))).toEqual({ prefill: expected, decode: 2 });
  });

  test.each<[string, readonly Engine[], number]>([
    ["0.95 + 7 x 800/100000 = 1.006 on one engine: up", [{ kv: 0.95, waiting: 7 }, {}], 3],
    ["0.92 + 10 x 0.008 = 1.0 is not above 1: stays", [{ kv: 0.92, waiting: 10 }, {}], 2],
    ["0.6 is not below 0.6: stays", [{ kv: 0.6 }, {}], 2],
    ["all below 0.6: down", [{ kv: 0.59 }, { kv: 0.1 }], 1],
    ["the last stays", [{ kv: 0.1 }], 1],
  ])("decode: %s", (_, decode, expected) => {
    expect(at(system([{ waiting: 5 }], decode))).toEqual({ prefill: 1, decode: expected });
  });

  test.each<[string, Partial<Seen>]>([
    ["replicas start", { spec: 3, ready: 2, starting: 1 }],
    ["replicas have no node", { spec: 3, ready: 2, pending: 1 }],
    ["fewer are there than ordered", { spec: 3, ready: 2 }],
    ["more report than are ready", { spec: 1, ready: 1 }],
    ["fewer report than are ready", { spec: 3, ready: 3 }],
  ])("%s: both sides wait", (_, decode) => {
    expect(at(system([{ waiting: 50 }], [{ kv: 0.1 }, { kv: 0.1 }], { decode }))).toEqual({});
  });

  test("a sample that is not a number is no report", () => {
    expect(at(system([{ waiting: 50 }], [{ kv: Number.NaN }, { kv: 0.1 }]))).toEqual({});
  });

  test("requests wait and nobody knows how long they are: stays", () => {
    const look = system([{ waiting: 50 }, {}], busy);
    expect(at({ ...look, totals: {} })).toEqual({ prefill: 2, decode: 2 });
  });

  test("lengths outlast an idle time", () => {
    const planner = run(DYNAMO_LOAD, ["prefill", "decode"], { contextLengthTokens: 8_000 });
    expect(planner.at(5, system([{ waiting: 5 }], busy))).toEqual({ prefill: 1, decode: 2 });
    expect(planner.at(10, { ...system([{ waiting: 20 }], busy), totals: {} })).toEqual({ prefill: 2, decode: 2 });
  });

  test("the budget: 2 + 2 of 4 are full, up waits", () => {
    expect(at(system([{ waiting: 10 }, {}], busy, { gpuBudget: 4 }))).toEqual({ prefill: 2, decode: 2 });
    expect(at(system([{ waiting: 10 }, {}], [{}, {}], { gpuBudget: 4 }))).toEqual({ prefill: 3, decode: 1 });
  });

  test("aggregated: KV and queued prompts: 0.5 + 65 x 0.008 = 1.02: up", () => {
    const planner = run(DYNAMO_LOAD, ["aggregated"]);
    const samples = { "aggregated running": [9, 9], "aggregated waiting": [65, 0], "aggregated kvUsage": [0.5, 0.5] };
    const look = {
      roles: { aggregated: { spec: 2 } },
      perReplica: samples,
      totals: { inputTokens: 800, outputTokens: 400 },
    };
    expect(planner.at(5, look)).toEqual({ aggregated: 3 });
  });
});

describe("dynamo-load-latency, context length 8,000 tokens", () => {
  const at = (look: Look): unknown =>
    run(DYNAMO_LOAD_LATENCY, ["prefill", "decode"], { contextLengthTokens: 8_000 }).at(5, look);

  test.each<[string, readonly Engine[], readonly Engine[], [number, number]]>([
    ["prefill 0.1: up; decode 0.4 is not above 0.4", [{ waiting: 1 }, {}], [{ kv: 0.4 }, {}], [3, 2]],
    ["prefill at 0 everywhere: down; decode 0.1 is not below 0.1", idle, [{ kv: 0.1 }, {}], [1, 2]],
    ["decode 0.41: up", idle, [{ kv: 0.41 }, {}], [1, 3]],
    ["decode below 0.1 everywhere: down", idle, [{ kv: 0.09 }, {}], [1, 1]],
  ])("%s", (_, prefill, decode, [p, d]) => {
    expect(at(system(prefill, decode))).toEqual({ prefill: p, decode: d });
  });
});

describe("dynamo-sla-load: TTFT 0.5 s at 1 ms a token, ITL 50 ms at 10 ms + 1 ms per 1,000 KV tokens", () => {
  const performance = {
    ...PERFORMANCE,
    decodeStepSeconds: (batch: number, context: number): number => 0.01 + batch * context * 1e-6,
  };
  const at = (look: Look, parameters = {}): unknown =>
    run(DYNAMO_SLA_LOAD, ["prefill", "decode"], parameters, performance).at(5, look);
  const steady = [{ running: 9, kv: 0.3 }];

  test.each<[string, readonly Engine[], number]>([
    ["200 x 3 = 0.6 s on all: up", [{ waiting: 2 }, { waiting: 3 }], 3],
    ["one engine within 0.5 s: stays", [{ waiting: 2 }, { waiting: 1 }], 2],
    ["idle: a queue of 0 is below (0.5 - 0.2) x 0.8: down", [{}, {}], 1],
    ["1 x 200 x 2/1 = 0.4 s is not below 0.24 s: stays", [{ waiting: 1 }, {}], 2],
    ["1 x 200 x 3/2 = 0.3 s is not below 0.24 s: stays", [{ waiting: 1 }, {}, {}], 3],
  ])("prefill: %s", (_, prefill, expected) => {
    expect(at(system(prefill, steady, { lengths: [200, 1600] }))).toEqual({ prefill: expected, decode: 1 });
  });

  test("prompts of 100: 1 x 100 x 3/2 = 0.15 s is below (0.5 - 0.1) x 0.8 = 0.32 s: down; at a sensitivity of 0.3, 0.12 s, not", () => {
    const look = system([{ waiting: 1 }, {}, {}], steady, { lengths: [100, 1800] });
    expect(at(look)).toEqual({ prefill: 2, decode: 1 });
    expect(at(look, { sensitivity: 0.3 })).toEqual({ prefill: 3, decode: 1 });
  });

  test("as shipped prompts that alone miss the goal drive it up while idle: 0.6 s > 0.5 s", () => {
    expect(at(system(idle, steady, { lengths: [600, 800] }))).toEqual({ prefill: 3, decode: 1 });
  });

  test("longer queues than one pass: 1200 + 200 = 1000 + 400 tokens in two passes of 1.4 s together", () => {
    const flat = { ...performance, prefillSeconds: () => 0.3 }; // two passes 0.6 s, one 0.3 s
    const sla = run(DYNAMO_SLA_LOAD, ["prefill", "decode"], {}, flat);
    expect(sla.at(5, system([{ waiting: 6 }], steady, { lengths: [200, 1600] }))).toEqual({ prefill: 2, decode: 1 });
    expect(sla.at(10, system([{ waiting: 4 }], steady, { lengths: [200, 1600] }))).toEqual({ prefill: 1, decode: 1 });
  });

  test.each<[string, readonly Engine[], number]>([
    [
      "10 + 40 + 1 = 51 ms on all: up",
      [
        { running: 9, kv: 0.4 },
        { running: 9, kv: 0.41 },
      ],
      3,
    ],
    [
      "10 + 30 + 1 = 41 ms on one: stays",
      [
        { running: 9, kv: 0.4 },
        { running: 9, kv: 0.3 },
      ],
      2,
    ],
    [
      "10 + 20 + 1 = 31 ms after, below 40 ms: down",
      [
        { running: 9, kv: 0.1 },
        { running: 9, kv: 0.1 },
      ],
      1,
    ],
    [
      "10 + 30 + 1 = 41 ms after is not: stays",
      [
        { running: 9, kv: 0.15 },
        { running: 9, kv: 0.1 },
      ],
      2,
    ],
  ])("decode: %s", (_, decode, expected) => {
    // Queues of 2 keep prefill where it is: 0.4 s of margin 0.24 s. Lengths 100 + 1800/2 = 1,000 tokens.
    expect(at(system([{ waiting: 2 }], decode, { lengths: [100, 1800] }))).toEqual({ prefill: 1, decode: expected });
  });

  test("KV that would not fit on one replica less holds: 2 x 0.5 x 100,000", () => {
    const fast = { ...performance, decodeStepSeconds: () => 0.01 };
    const decide = (kv: number): unknown =>
      run(DYNAMO_SLA_LOAD, ["prefill", "decode"], {}, fast).at(
        5,
        system([{}], [{ kv }, { kv }], { lengths: [100, 1800] }),
      );
    expect(decide(0.5)).toEqual({ prefill: 1, decode: 2 });
    expect(decide(0.49)).toEqual({ prefill: 1, decode: 1 });
  });

  test("aggregated: down only when both sides allow it, up when one asks", () => {
    const decide = (waiting: number, kv: number): unknown =>
      run(DYNAMO_SLA_LOAD, ["aggregated"], {}, performance).at(5, {
        roles: { aggregated: { spec: 2 } },
        perReplica: {
          "aggregated running": [1, 1],
          "aggregated waiting": [waiting, waiting],
          "aggregated kvUsage": [kv, kv],
        },
        totals: { inputTokens: 100, outputTokens: 1800 },
      });
    expect(decide(0, 0.02)).toEqual({ aggregated: 1 });
    expect(decide(5, 0.02)).toEqual({ aggregated: 3 }); // 600 tokens and a step of 12 ms: over 0.5 s
    expect(decide(0, 0.4)).toEqual({ aggregated: 3 }); // 51 ms
    expect(decide(2, 0.02)).toEqual({ aggregated: 2 }); // 400 tokens queued after, over (0.5 - 0.1) x 0.8
  });
});
