import { describe, expect, test } from "vitest";
import { type Look, type Run, run } from "../peer.fixture.ts";
import { DYNAMO_LOAD_V1 } from "./load-v1.ts";

interface State {
  readonly prefill: number;
  readonly decode: number;
  readonly starting?: number;
  readonly queue?: number | ((second: number) => number);
  readonly kv?: number;
  readonly waiting?: number;
  readonly gpuBudget?: number;
}

const look = (
  second: number,
  { prefill, decode, starting = 0, queue = 0.3 * prefill, kv = 0.7, waiting = 0, gpuBudget }: State,
): Look => ({
  roles: { prefill: { spec: prefill }, decode: { spec: decode + starting, starting } },
  perReplica: { kvUsage: Array(decode).fill(kv), waiting: Array(decode).fill(waiting) },
  totals: { queue: typeof queue === "number" ? queue : queue(second) },
  ...(gpuBudget === undefined ? {} : { gpuBudget }),
});

/** One interval of 30 s from `from` on. @returns what is decided at its end */
function interval(planner: Run, from: number, state: State): unknown {
  for (let second = from; second < from + 30; second++) expect(planner.at(second, look(second, state))).toEqual({});
  return planner.at(from + 30, look(from + 30, state));
}

const start = (): Run => run(DYNAMO_LOAD_V1, ["prefill", "decode"]);

describe("dynamo-load-v1", () => {
  test.each<[string, State, { prefill: number; decode: number }]>([
    ["within all thresholds", { prefill: 2, decode: 2 }, { prefill: 2, decode: 2 }],
    ["KV 0.91 > 0.9: decode up", { prefill: 2, decode: 2, kv: 0.91 }, { prefill: 2, decode: 3 }],
    [
      "a request that waits is 0.02 of a cache: 0.7 + 11 x 0.02 = 0.92",
      { prefill: 2, decode: 2, waiting: 11 },
      { prefill: 2, decode: 3 },
    ],
    ["KV 0.49 < 0.5: decode down", { prefill: 2, decode: 2, kv: 0.49 }, { prefill: 2, decode: 1 }],
    ["2/2 = 1 > 0.5 a worker, steady: prefill up", { prefill: 2, decode: 2, queue: 2 }, { prefill: 3, decode: 2 }],
    ["0.3/2 = 0.15 < 0.2: prefill down", { prefill: 2, decode: 2, queue: 0.3 }, { prefill: 1, decode: 2 }],
    ["the last stay", { prefill: 1, decode: 1, queue: 0, kv: 0 }, { prefill: 1, decode: 1 }],
    [
      "a queue that its trend empties is left alone: from 30 to 6, 6 + 3 x (6 - 30) < 0.5",
      { prefill: 1, decode: 2, queue: (second) => 30 - 0.8 * second },
      { prefill: 1, decode: 2 },
    ],
    [
      "prefill goes first where GPUs are short",
      { prefill: 2, decode: 2, queue: 9, kv: 0.95, gpuBudget: 5 },
      { prefill: 3, decode: 2 },
    ],
    [
      "what goes makes room: prefill down, decode up",
      { prefill: 2, decode: 2, queue: 0, kv: 0.95, gpuBudget: 4 },
      { prefill: 1, decode: 3 },
    ],
    ["no room, no step", { prefill: 2, decode: 2, kv: 0.95, gpuBudget: 4 }, { prefill: 2, decode: 2 }],
  ])("%s", (_, state, expected) => {
    expect(interval(start(), 0, state)).toEqual(expected);
  });

  test("while a worker starts it does not measure, and the interval begins when it serves", () => {
    const planner = start();
    for (let second = 0; second < 100; second++) {
      expect(planner.at(second, look(second, { prefill: 2, decode: 2, starting: 1, kv: 0.95 }))).toEqual({});
    }
    expect(interval(planner, 100, { prefill: 2, decode: 3, kv: 0.7 })).toEqual({ prefill: 2, decode: 3 });
  });

  test("after a new decode worker: 3 intervals of grace, the first of which ends with the step itself, as in the source", () => {
    const planner = start();
    expect(interval(planner, 0, { prefill: 2, decode: 2, kv: 0.95 })).toEqual({ prefill: 2, decode: 3 });
    planner.at(31, look(31, { prefill: 2, decode: 2, starting: 1 }));
    const low = { prefill: 2, decode: 3, kv: 0.3 };
    expect(interval(planner, 32, low)).toEqual({ prefill: 2, decode: 3 });
    expect(interval(planner, 62, low)).toEqual({ prefill: 2, decode: 3 });
    expect(interval(planner, 92, low)).toEqual({ prefill: 2, decode: 2 });
  });

  test("a worker that went in the middle: that interval says nothing", () => {
    const planner = start();
    for (let second = 0; second < 20; second++) planner.at(second, look(second, { prefill: 2, decode: 3, kv: 0.95 }));
    for (let second = 20; second < 30; second++) planner.at(second, look(second, { prefill: 2, decode: 2, kv: 0.95 }));
    expect(planner.at(30, look(30, { prefill: 2, decode: 2, kv: 0.95 }))).toEqual({});
    expect(interval(planner, 30, { prefill: 2, decode: 2, kv: 0.95 })).toEqual({ prefill: 2, decode: 3 });
  });

  test("no samples, no step", () => {
    const planner = start();
    const empty: Look = { roles: { prefill: { spec: 3 }, decode: { spec: 3 } } };
    for (let second = 0; second < 30; second++) expect(planner.at(second, empty)).toEqual({});
    expect(planner.at(30, empty)).toEqual({ prefill: 3, decode: 3 });
  });

  test("aggregated engines follow KV alone", () => {
    const planner = run(DYNAMO_LOAD_V1, ["aggregated"]);
    const at = { roles: { aggregated: { spec: 2 } }, perReplica: { kvUsage: [0.95, 0.95], waiting: [0, 0] } };
    for (let second = 0; second < 30; second++) expect(planner.at(second, at)).toEqual({});
    expect(planner.at(30, at)).toEqual({ aggregated: 3 });
  });
});
