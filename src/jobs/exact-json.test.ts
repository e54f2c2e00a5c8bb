import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeExact, encodeExact } from "./exact-json.ts";

test("every number comes back as it was, wherever it stands", () => {
  const value = { a: Number.NaN, b: [Number.POSITIVE_INFINITY, { c: Number.NEGATIVE_INFINITY }], d: -0, e: 0.1 + 0.2 };
  expect(decodeExact(encodeExact(value))).toEqual(value);
  expect(Object.is((decodeExact(encodeExact(value)) as { d: number }).d, -0)).toBe(true);
});

test("any plain data comes back", () => {
  const plain = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.double(),
      fc.string(),
      fc.boolean(),
      fc.constant(null),
      fc.array(tie("value")),
      fc.dictionary(
        fc.string().filter((key) => key !== "__proto__" && key !== "$number"),
        tie("value"),
        { noNullPrototype: true },
      ),
    ),
  })).value;
  fc.assert(
    fc.property(plain, (value) => {
      expect(decodeExact(encodeExact(value))).toEqual(value);
    }),
  );
});
