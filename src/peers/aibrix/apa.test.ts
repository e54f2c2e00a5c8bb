/** Vectors of vllm-project/aibrix:pkg/controller/podautoscaler/algorithm/apa_test.go where a name says so. */
import { describe, expect, test } from "vitest";
import { type Look, run } from "../peer.fixture.ts";
import { AIBRIX_APA, AIBRIX_APA_FIXED, apaReplicas, stabilize } from "./apa.ts";

test.each<[string, number, number, number, number, number]>([
  ["basic_scale_up: 2 x 45/30 = 3", 2, 45, 2, 2, 3],
  ["scale_up_upto_ceiling: 2 x 35/30 = 2.33 -> 3", 2, 35, 2, 2, 3],
  ["scale_up_upto_max_scale_up: 6, at most 2 x 2", 2, 90, 2, 2, 4],
  ["scale_up_upto_max_scale_up_ceiling: 6, at most 2.5 x 2", 2, 90, 2.5, 2, 5],
  ["basic_scale_down: 6 x 20/30 = 4", 6, 20, 2, 2, 4],
  ["scale_down_upto_ceiling: 6 x 18/30 = 3.6 -> 4", 6, 18, 2, 2, 4],
  ["scale_down_upto_max_scale_down: 2, at least 6/2", 6, 10, 2, 2, 3],
  ["scale_down_upto_max_scale_down_floor: 1, at least floor(6/2.5) = 2", 6, 5, 2, 2.5, 2],
  ["no_scaling_as_within_up_tolerance: 1.1", 2, 33, 2, 2, 2],
  ["no_scaling_as_within_down_tolerance: 0.9", 2, 27, 2, 2, 2],
])("%s", (_, current, load, maxUpRate, maxDownRate, expected) => {
  const options = { upTolerance: 0.1, downTolerance: 0.1, maxUpRate, maxDownRate };
  expect(apaReplicas(current, load / 30, options)).toBe(expected);
});

describe("the way down, 10 replicas, 9 and 4 in the window, 8 now", () => {
  const history = [
    { atMs: 0, value: 9 },
    { atMs: 1, value: 4 },
  ];
  test("as shipped: 4", () => expect(stabilize(8, 10, history, "Lowest")).toBe(4));
  test("repaired: 9", () => expect(stabilize(8, 10, history, "Highest")).toBe(9));
  test("up at once", () => expect(stabilize(12, 10, history, "Highest")).toBe(12));
});

const kv = (spec: number, values: readonly (number | undefined)[]): Look => ({
  roles: { decode: { spec } },
  perReplica: { "decode load": values },
});

describe("aibrix-apa", () => {
  test("the mean of 180 s: 0.8, 0.4: 0.6/0.5 = 1.2 of 2 -> 3; then 0.4, 0.4 alone: 0.8 of 4 -> 4", () => {
    const apa = run(AIBRIX_APA, ["decode"]);
    expect(apa.at(0, kv(2, [0.8, 0.8]))).toEqual({ decode: 4 });
    expect(apa.at(10, kv(2, [0.4, 0.4]))).toEqual({ decode: 3 });
    expect(apa.at(189, kv(4, [0.4, 0.4, 0.4, 0.4]))).toEqual({ decode: 4 }); // of 4 x 0.8 = 3.2
  });

  test("a pod that cannot be read is idle: (0.5 + 0)/2 = 0.25, half of 2", () => {
    expect(run(AIBRIX_APA, ["decode"]).at(0, kv(2, [0.5, undefined]))).toEqual({ decode: 1 });
    expect(run(AIBRIX_APA_FIXED, ["decode"]).at(0, kv(2, [0.5, undefined]))).toEqual({ decode: 2 });
  });

  test("no pod can be read: as shipped that is idle too, repaired it is no decision", () => {
    expect(run(AIBRIX_APA, ["decode"]).at(0, kv(4, [undefined, Number.NaN]))).toEqual({ decode: 2 });
    expect(run(AIBRIX_APA_FIXED, ["decode"]).at(0, kv(4, [undefined, Number.NaN]))).toEqual({});
  });

  test("one dip: as shipped it comes back, repaired the peak of the window holds", () => {
    const follow = (definition: typeof AIBRIX_APA): unknown => {
      const apa = run(definition, ["decode"]);
      apa.at(0, kv(8, Array(8).fill(0.5))); // 8
      apa.at(200, kv(8, Array(8).fill(0.25))); // dip: 4
      return apa.at(400, kv(8, Array(8).fill(0.4))); // 0.8 x 8 = 6.4 -> 7
    };
    expect(follow(AIBRIX_APA)).toEqual({ decode: 4 });
    expect(follow(AIBRIX_APA_FIXED)).toEqual({ decode: 7 });
  });

  test("nothing to read is no decision", () => {
    expect(run(AIBRIX_APA, ["decode"]).at(0, { roles: { decode: { spec: 2, ready: 0, starting: 2 } } })).toEqual({});
  });

  test("at zero with a minimum it is off", () => {
    expect(
      run(AIBRIX_APA, ["decode"]).at(0, {
        roles: { decode: { spec: 0, ready: 1 } },
        perReplica: { "decode load": [1] },
      }),
    ).toEqual({});
  });

  test("prefill follows waiting requests: 25/10 of 2 -> 4 at most", () => {
    const look = { roles: { prefill: { spec: 2 } }, perReplica: { "prefill load": [25, 25] } };
    expect(run(AIBRIX_APA, ["prefill"]).at(0, look)).toEqual({ prefill: 4 });
  });
});
