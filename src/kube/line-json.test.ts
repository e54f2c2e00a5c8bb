import fc from "fast-check";
import { expect, test } from "vitest";
import { LineJson } from "./line-json.ts";

test("gives the documents whatever the chunks, also in the middle of a character", () => {
  fc.assert(
    fc.property(
      fc.array(fc.jsonValue(), { maxLength: 10 }),
      fc.array(fc.integer({ min: 1, max: 30 })),
      (values, cuts) => {
        const bytes = Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(""));
        const seen: unknown[] = [];
        const lines = new LineJson((document) => seen.push(document));
        let start = 0;
        for (const cut of cuts) {
          lines.push(bytes.subarray(start, start + cut));
          start += cut;
        }
        lines.push(bytes.subarray(start));
        expect(seen).toEqual(values.map((value) => JSON.parse(JSON.stringify(value))));
      },
    ),
  );
});

test("a line that is not JSON is an error", () => {
  expect(() => new LineJson(() => undefined).push(Buffer.from("<html>\n"))).toThrow(SyntaxError);
});
