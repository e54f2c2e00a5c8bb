import { describe, expect, test } from "vitest";
import {
  GROUPED_SCOPES,
  GROUPED_TEMPLATES,
  groupedSeries,
  SINGLE_TEMPLATES,
} from "../../test/conformance/grouped-queries.ts";
import { LAST_MS } from "../../test/conformance/promql-samples.ts";
import { VirtualClock } from "../clock.ts";
import { labelSet } from "../sim/prometheus/labels.ts";
import { createPrometheus } from "../sim/prometheus/prometheus.ts";
import { MetricsError, type MetricsSource, type Sample, type SampleVector } from "./metrics-source.ts";
import { planQuery } from "./query-plan.ts";
import { fillQuery } from "./query-text.ts";
import type { SharedAnswer } from "./shared-answer.ts";
import { shareQueries } from "./shared-queries.ts";
import { literalPrefix } from "./split-answer.ts";

function recorded(seed: number): { readonly clock: VirtualClock; readonly source: MetricsSource } {
  const clock = new VirtualClock(LAST_MS);
  const prometheus = createPrometheus({ clock, targets: () => [] });
  for (const { name, labels, points } of groupedSeries(seed, LAST_MS)) {
    const stored = prometheus.store.seriesOf(labelSet([...Object.entries(labels), ["__name__", name]]));
    for (const [ms, value] of points) stored.samples.append(ms, value);
  }
  return { clock, source: prometheus.source };
}

/** By labels; the order of a vector means nothing. */
const sorted = (samples: readonly Sample[]): readonly Sample[] =>
  samples.toSorted((a, b) => (JSON.stringify(labelsOf(a)) < JSON.stringify(labelsOf(b)) ? -1 : 1));
const labelsOf = ({ labels }: Sample): unknown => Object.entries(labels).sort();

function expectSame(got: readonly Sample[], want: readonly Sample[], context: string): void {
  expect(sorted(got).map(labelsOf), context).toEqual(sorted(want).map(labelsOf));
  sorted(want).forEach(({ value, timestampSeconds }, index) => {
    const one = sorted(got)[index] as Sample;
    expect(one.timestampSeconds, context).toBe(timestampSeconds);
    if (Number.isFinite(value))
      expect(Math.abs(one.value - value), context).toBeLessThanOrEqual(1e-9 * Math.abs(value));
    else expect(one.value, context).toBe(value);
  });
}

describe("grouping", () => {
  test.each(GROUPED_TEMPLATES)("split, it is what each policy would get alone: %s", async (template) => {
    expect(planQuery(template), "is grouped").not.toBe(undefined);
    let answered = 0;
    for (const seed of [1, 2, 3, 4, 5]) {
      const { clock, source } = recorded(seed);
      for (const timeMs of [LAST_MS, LAST_MS - 95_000, LAST_MS + 120_000]) {
        const at: MetricsSource = {
          ...source,
          query: (promql) => source.query(promql, { timeSeconds: timeMs / 1000 }),
        };
        const grouped = shareQueries({ source: at, clock });
        for (const scope of GROUPED_SCOPES) {
          const alone = await at.query(fillQuery(template, scope)).catch((error: unknown) => error);
          const got = await grouped.ask(template, scope).catch((error: unknown) => error);
          const context = `${template} of ${scope.podRegex} with seed ${seed}`;
          if (alone instanceof MetricsError) expect(got, context).toMatchObject({ kind: alone.kind });
          else {
            expectSame([...(got as SharedAnswer).samples], [...(alone as SampleVector)], context);
            answered += (alone as SampleVector).length;
          }
        }
      }
    }
    expect(answered).toBeGreaterThan(10);
  });

  test.each(SINGLE_TEMPLATES)("is left as it is: %s", (template) => {
    expect(planQuery(template)).toBeUndefined();
  });

  test.each([
    { pattern: "llama-[0-9]+-decode-.*", prefix: "llama-" },
    { pattern: "qwen\\.7b-[0-9]+", prefix: "qwen.7b-" },
    { pattern: "ab*", prefix: "a" },
    { pattern: "ab{2}", prefix: "a" },
    { pattern: "a\\.?", prefix: "a" },
    { pattern: "ab+", prefix: "ab" },
    { pattern: "a|b", prefix: "" },
    { pattern: "(?i)a", prefix: "" },
    { pattern: "\\d+", prefix: "" },
    { pattern: ".*", prefix: "" },
  ])("every match of $pattern begins with '$prefix'", ({ pattern, prefix }) => {
    expect(literalPrefix(pattern)).toBe(prefix);
  });
});

describe("questions to the server", () => {
  function counting(source: MetricsSource): MetricsSource & { readonly asked: string[] } {
    const asked: string[] = [];
    return {
      ...source,
      asked,
      query(promql, options) {
        asked.push(promql);
        return source.query(promql, options);
      },
    };
  }
  const policies = Array.from({ length: 1_000 }, (_, index) => ({
    namespace: `team-${index % 10}`,
    podRegex: `llama-${index}-[0-9]+-decode-.*`,
  }));

  test("1,000 policies with the same signal ask once for it and once for its age", async () => {
    const { clock, source } = recorded(1);
    const counted = counting(source);
    const queries = shareQueries({ source: counted, clock });
    await Promise.all(policies.map((scope) => queries.ask("sum(rate(app_requests_total{ {{selector}} }[1m]))", scope)));
    expect(counted.asked).toEqual([
      'sum by (namespace, pod) (rate({__name__="app_requests_total"}[60000ms]))',
      'max by (namespace, pod) (timestamp({__name__="app_requests_total"}))',
    ]);
  });

  test("with grouping off each asks for its own pods", async () => {
    const { clock, source } = recorded(1);
    const counted = counting(source);
    const queries = shareQueries({ source: counted, clock, grouping: false });
    await Promise.all(policies.slice(0, 10).map((scope) => queries.ask("sum(app_queue{ {{selector}} })", scope)));
    expect(counted.asked).toHaveLength(20);
    expect(counted.asked.every((text) => /namespace="team-\d"/.test(text))).toBe(true);
  });

  test("an answer for all pods that is too large is asked for one policy, and not tried again for ten minutes", async () => {
    const { clock, source } = recorded(1);
    const counted = counting({
      ...source,
      query: (promql, options) =>
        promql.startsWith("sum by")
          ? Promise.reject(new MetricsError("TooLarge", "more than 16 MiB"))
          : source.query(promql, { ...options, timeSeconds: LAST_MS / 1000 }),
    });
    const queries = shareQueries({ source: counted, clock });
    const scope = { namespace: "team-a", podRegex: "llama-[0-9]+-decode-.*" };
    const template = "sum(app_queue{ {{selector}} })";
    const [want] = await source.query(fillQuery(template, scope));
    expect((await queries.ask(template, scope)).samples).toEqual([want]);
    await clock.advance(60_000);
    await queries.ask(template, scope);
    expect(counted.asked.filter((text) => text.startsWith("sum by"))).toHaveLength(1);
    await clock.advance(600_000);
    await queries.ask(template, scope);
    expect(counted.asked.filter((text) => text.startsWith("sum by"))).toHaveLength(2);
  });

  test.each([
    ["Failed" as const, false, 2],
    ["Failed" as const, true, 3],
  ])(
    "after %s (a refusal: %s) %d questions were asked: what is too slow is not asked once a policy",
    async (kind, isRefusal, asked) => {
      const counted = counting({
        query: () => Promise.reject(new MetricsError(kind, "no", isRefusal)),
        queryRange: async () => [],
      });
      const queries = shareQueries({ source: counted, clock: new VirtualClock() });
      const ask = queries.ask("sum(app_queue{ {{selector}} })", { namespace: "a", podRegex: "b" });
      await expect(ask).rejects.toMatchObject({ kind });
      expect(counted.asked).toHaveLength(asked);
    },
  );

  test("a server that is down is not asked a second question", async () => {
    const counted = counting({
      query: () => Promise.reject(new MetricsError("Unreachable", "ECONNREFUSED")),
      queryRange: async () => [],
    });
    const queries = shareQueries({ source: counted, clock: new VirtualClock() });
    const ask = queries.ask("sum(app_queue{ {{selector}} })", { namespace: "a", podRegex: "b" });
    await expect(ask).rejects.toMatchObject({ kind: "Unreachable" });
    expect(counted.asked).toHaveLength(2);
  });

  test("who waits less long goes on without the answer", async () => {
    const clock = new VirtualClock();
    const silent: MetricsSource = { query: () => new Promise(() => undefined), queryRange: async () => [] };
    const queries = shareQueries({ source: silent, clock }).within(4_000);
    const refused = expect(queries.query("up")).rejects.toMatchObject({
      kind: "Unreachable",
      message: expect.stringContaining("within 4 s"),
    });
    await clock.advance(4_000);
    await refused;
  });
});
