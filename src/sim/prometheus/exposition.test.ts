import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { escapeLabelValue, formatValue, parseExposition, parseSeriesText } from "./exposition.ts";

describe("parseExposition", () => {
  test("reads names, labels, special values and timestamps; skips comments and blank lines", () => {
    const text = [
      "# HELP a Some help {with braces}",
      "# TYPE a counter",
      "a 1",
      "",
      'b{x="1",y="}{ \\"q\\" \\\\"} 2.5 1700000000123',
      "  c{} NaN",
      'd{le="+Inf",} +Inf',
      "e -Inf",
    ].join("\n");
    expect(parseExposition(text)).toEqual([
      { series: "a", value: 1 },
      { series: 'b{x="1",y="}{ \\"q\\" \\\\"}', value: 2.5, timestampMs: 1_700_000_000_123 },
      { series: "c{}", value: Number.NaN },
      { series: 'd{le="+Inf",}', value: Number.POSITIVE_INFINITY },
      { series: "e", value: Number.NEGATIVE_INFINITY },
    ]);
  });

  test.each(["a", "a b", 'a{x="1" 2', "a 1 2 3", "{} 1x"])("names the line that is not a sample: %s", (line) => {
    expect(() => parseExposition(`ok 1\n${line}\n`)).toThrow(/line 2 /);
  });

  test.each(["a{x=1}", 'a{x="1"y="2"}', 'a{x="1",x="2"}', '1a{x="1"}'])("refuses the series %s", (series) => {
    expect(() => parseSeriesText(series)).toThrow(SyntaxError);
  });

  test("a scrape after the first reads the same, whatever stands on its lines", () => {
    const known = new Map(["a", "a{}", 'a{x="} 1"}', 'a{x="1"}', 'a {x="1"}'].map((series) => [series, true]));
    const piece = fc.constantFrom(
      ...known.keys(),
      " ",
      "\t",
      "\r",
      "1",
      "+Inf",
      "NaN",
      "x",
      "1700000000123",
      "#",
      "}",
      '"',
    );
    const line = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(""));
    const usual = fc
      .constantFrom(...known.keys())
      .chain((series) =>
        fc.constantFrom(`${series} 2`, `${series} 2 1700000000123`, ` ${series}  NaN `, `${series} 2\r`, `${series} x`),
      );
    const outcome = (text: string, of?: ReadonlyMap<string, unknown>): unknown => {
      try {
        return parseExposition(text, of);
      } catch (error) {
        return String(error);
      }
    };
    fc.assert(
      fc.property(fc.array(fc.oneof(line, usual), { maxLength: 4 }), (lines) => {
        const text = lines.join("\n");
        expect(outcome(text, known)).toEqual(outcome(text));
      }),
      { numRuns: 2_000 },
    );
  });

  test("what is written is what is read", () => {
    const values = fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.string({ minLength: 1 }), { maxKeys: 4 });
    fc.assert(
      fc.property(values, fc.double(), (labels, value) => {
        const pairs = Object.entries(labels).map(([name, text]) => `${name}="${escapeLabelValue(text)}"`);
        const [sample] = parseExposition(`m{${pairs.join(",")}} ${formatValue(value)}\n`);
        expect(sample?.value).toBe(value === 0 ? sample?.value : value);
        expect(Object.fromEntries(parseSeriesText(sample?.series ?? ""))).toEqual({ __name__: "m", ...labels });
      }),
    );
  });
});
