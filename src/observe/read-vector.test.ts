import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Sample } from "./metrics-source.ts";
import { createVectorReader, readNumber } from "./read-vector.ts";

type Row = readonly [labels: Readonly<Record<string, string>>, value: string];

const answer = (
  rows: readonly Row[],
  head = '{"status":"success","data":{"resultType":"vector","result":[',
  tail = "]}}",
) =>
  Buffer.from(
    `${head}${rows.map(([metric, value]) => `{"metric":${JSON.stringify(metric)},"value":[1764310000.123,${JSON.stringify(value)}]}`).join(",")}${tail}`,
  );

const wanted = (rows: readonly Row[]): readonly Sample[] =>
  rows.map(([labels, value]) => ({ labels, timestampSeconds: 1764310000.123, value: readNumber(value) }));

const label = fc.oneof(
  fc.constantFrom("", "a", '"', "\\", "}", "{", '},"value":[1,"', "é", "日本", "llama-1-0-decode-xyz"),
  fc.string(),
);
const value = fc.oneof(
  fc.double().map((number) => (Number.isFinite(number) ? String(number) : number > 0 ? "+Inf" : "NaN")),
  fc.integer().map(String),
  fc.constantFrom("-Inf", "0", "0.1", "1e+06", "4.9e-324", "123456789012345", "0.000000000000001", "-0"),
);
const rows = fc.array(fc.tuple(fc.dictionary(fc.constantFrom("pod", "namespace", "x"), label), value), {
  maxLength: 12,
});

describe("an instant vector read from its bytes", () => {
  test("is what JSON.parse reads, whatever came and went since the answer before", () => {
    fc.assert(
      fc.property(fc.array(rows, { minLength: 1, maxLength: 4 }), (answers) => {
        const reader = createVectorReader();
        for (const one of answers) {
          const body = answer(one);
          const samples = reader.read("q", body);
          // The next response comes into the same buffer.
          body.fill(0);
          expect([...(samples ?? [])]).toEqual(wanted(one));
          expect([samples?.length, samples?.at(0), samples?.at(one.length)]).toEqual([
            one.length,
            wanted(one)[0],
            undefined,
          ]);
        }
      }),
      { seed: 20261128, numRuns: 1_000 },
    );
  });

  test("label sets that are still there are the same objects, beside some that went and some that came", () => {
    const reader = createVectorReader();
    const pods = (...names: readonly string[]): readonly Row[] => names.map((pod) => [{ pod }, "1"]);
    const first = [...(reader.read("q", answer(pods("a", "b", "c", "d"))) ?? [])];
    const second = [...(reader.read("q", answer(pods("a", "new", "c", "d", "e"))) ?? [])];
    expect(second.map(({ labels }) => first.findIndex((one) => one.labels === labels))).toEqual([0, -1, 2, 3, -1]);
  });

  test("other answers are left to JSON.parse", () => {
    const reader = createVectorReader();
    const good: readonly Row[] = [[{ pod: "a" }, "1"]];
    const read = (head?: string, tail?: string) => reader.read("q", answer(good, head, tail));
    // VictoriaMetrics adds fields before and after the data.
    const more = read(
      '{"status":"success","isPartial":false,"data":{"resultType":"vector","result":[',
      ']},"stats":{}}',
    );
    expect([...(more ?? [])]).toEqual(wanted(good));
    expect(read('{"status":"error","data":{"resultType":"vector","result":[')).toBe(undefined);
    expect(read('{"status":"success","data":{"resultType":"matrix","result":[')).toBe(undefined);
    expect(read('{"status": "success", "data": {"resultType": "vector", "result": [')).toBe(undefined);
    expect(read(undefined, "")).toBe(undefined);
    expect(reader.read("q", Buffer.from('{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}'))).toBe(
      undefined,
    );
    expect(reader.read("q", answer(good).subarray(0, -12))).toBe(undefined);
  });
});
