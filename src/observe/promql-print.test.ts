import { expect, test } from "vitest";
import { LANGUAGE_QUERIES, PRESET_QUERIES, PRODUCT_QUERIES } from "../../test/conformance/promql-queries.ts";
import { parsePromql } from "./promql.ts";
import { parseExpression } from "./promql-parse.ts";
import { printExpression } from "./promql-print.ts";

/** Without the places in the text and the parentheses, which are not part of the meaning. */
const meaning = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(meaning);
  if (typeof value !== "object" || value === null) return value;
  const node = value as Readonly<Record<string, unknown>>;
  if (node["kind"] === "paren") return meaning(node["expr"]);
  const entries = Object.entries(node).filter(([key]) => key !== "position");
  // -1 and -(1) are the same number.
  if (node["kind"] === "negate") {
    const inner = meaning(node["expr"]) as Readonly<Record<string, unknown>>;
    if (inner["kind"] === "number") return { kind: "number", value: -(inner["value"] as number) };
  }
  return Object.fromEntries(entries.map(([key, one]) => [key, meaning(one)]));
};

const queries = [...new Set([...LANGUAGE_QUERIES, ...PRESET_QUERIES, ...PRODUCT_QUERIES])].filter(
  (query) => parsePromql(query).ok,
);

test.each(queries)("printed and parsed again it means the same: %s", (query) => {
  const expr = parseExpression(query);
  expect(meaning(parseExpression(printExpression(expr)))).toEqual(meaning(expr));
});
