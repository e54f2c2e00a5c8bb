import { describe, expect, test } from "vitest";
import { parsePromql } from "./promql.ts";

describe("parsePromql", () => {
  test("names every metric that is read, once and sorted", () => {
    const query = 'sum(rate(vllm:b_total{x="y"}[1m])) / on() group_left max_over_time(a[5m:1m]) or {__name__="c"} or a';
    expect(parsePromql(query)).toEqual({ ok: true, metricNames: ["a", "c", "vllm:b_total"], readsAny: false });
  });

  test.each(['sum({job="x"})', 'a + on() rate({__name__=~"b.*"}[1m])', 'quantile(scalar({job="x"}), a)'])(
    "%s may read any metric",
    (query) => {
      expect(parsePromql(query)).toMatchObject({ ok: true, readsAny: true });
    },
  );

  test.each([
    { query: "", message: "no expression found in input" },
    { query: "sum(rate(a[1m])", message: "unexpected end of input" },
    { query: "1 + nosuch(a)", message: 'unknown function with name "nosuch"' },
    { query: "rate(a)", message: 'expected type range vector in call to function "rate", got instant vector' },
    { query: 'sum({job=~".*"})', message: "vector selector must contain at least one non-empty matcher" },
    { query: 'a{b=~"("}', message: "error parsing regexp" },
    { query: "a[5m]] ", message: "unexpected input" },
    { query: "a[step()]", message: 'duration expression "step()" is not supported' },
  ])("refuses $query and says why", ({ query, message }) => {
    const parsed = parsePromql(query);
    expect(parsed).toMatchObject({ ok: false, message: expect.stringContaining(message) });
    expect(parsed.ok ? -1 : parsed.position).toBeGreaterThanOrEqual(0);
  });

  test("points at the place of the mistake", () => {
    expect(parsePromql("1 + nosuch(a)")).toMatchObject({ ok: false, position: 4 });
  });
});
