import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import axios from "axios";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../clock.ts";
import { LatencyHistogram } from "../engines/latency-histogram.ts";
import { createPrometheus, type Prometheus } from "./prometheus.ts";
import type { ScrapeTarget } from "./scraper.ts";

const START_MS = Date.UTC(2026, 0, 1);

interface World {
  readonly clock: VirtualClock;
  readonly prometheus: Prometheus;
  /** What the target answers next; undefined removes the target. */
  expose(text: string | (() => Promise<string>) | undefined): void;
  scrapeAfter(ms: number): Promise<void>;
  value(query: string): Promise<number | undefined>;
}

function world(options: { dialect?: 2 | 3; retentionMs?: number; labels?: Record<string, string> } = {}): World {
  const clock = new VirtualClock(START_MS);
  let exposed: string | (() => Promise<string>) | undefined = "";
  const target: ScrapeTarget = {
    labels: options.labels ?? { job: "test", __address__: "hidden" },
    scrape: () => (typeof exposed === "function" ? exposed() : (exposed ?? "")),
  };
  const prometheus = createPrometheus({ clock, targets: () => (exposed === undefined ? [] : [target]), ...options });
  return {
    clock,
    prometheus,
    expose: (text) => {
      exposed = text;
    },
    scrapeAfter: async (ms) => {
      await clock.advance(ms);
      await prometheus.scraper.scrapeOnce();
    },
    value: async (query) => (await prometheus.source.query(query)).at(0)?.value,
  };
}

describe("scraping", () => {
  test("of a target in the same process only the families that are taken are stored", async () => {
    const clock = new VirtualClock(START_MS);
    const histogram = new LatencyHistogram([1]);
    const target: ScrapeTarget = {
      labels: { job: "test" },
      scrape: () => "",
      write: (writer) =>
        void writer.gauge("a", {}, 1).histogram("seconds", {}, histogram).counter("b_total", {}, 2).gauge("c", {}, 3),
    };
    const takes = (family: string): boolean => family === "seconds" || family === "c";
    const prometheus = createPrometheus({ clock, targets: () => [target], takes });
    for (let scrape = 0; scrape < 2; scrape++) {
      await prometheus.scraper.scrapeOnce();
      await clock.advance(5_000);
    }
    const own = ["scrape_duration_seconds", "scrape_samples_scraped"];
    expect(prometheus.store.labelValues("__name__")).toEqual(
      ["c", ...own, "seconds_bucket", "seconds_count", "seconds_sum", "up"].sort(),
    );
    expect((await prometheus.source.query("c")).at(0)?.value).toBe(3);
    expect((await prometheus.source.query("scrape_samples_scraped")).at(0)?.value).toBe(5);
  });

  test("target labels win and clashing ones come back as exported_*; __ labels are dropped", async () => {
    const { prometheus, expose, scrapeAfter } = world({ labels: { namespace: "monitoring", __scheme__: "http" } });
    expose('gpu{namespace="inference",pod="p"} 1\n');
    await scrapeAfter(0);
    const [sample] = await prometheus.source.query("gpu");
    expect(sample?.labels).toEqual({
      __name__: "gpu",
      namespace: "monitoring",
      exported_namespace: "inference",
      pod: "p",
    });
  });

  test("up and scrape_samples_scraped tell how the scrape went", async () => {
    const { expose, scrapeAfter, value } = world();
    expose("a 1\nb 2\n");
    await scrapeAfter(0);
    expect([await value("up"), await value("scrape_samples_scraped")]).toEqual([1, 2]);
    expose("a 1\nbroken line here\n");
    await scrapeAfter(5_000);
    expect([await value("up"), await value("scrape_samples_scraped"), await value("a")]).toEqual([0, 0, undefined]);
  });

  test("a series that vanishes from a scrape is stale at once, not after the lookback", async () => {
    const { expose, scrapeAfter, value, prometheus } = world();
    expose("a 1\nb 2\n");
    await scrapeAfter(0);
    expose("b 2\n");
    await scrapeAfter(5_000);
    expect([await value("a"), await value("b")]).toEqual([undefined, 2]);
    const [earlier] = await prometheus.source.query("a", { timeSeconds: (START_MS + 4_000) / 1000 });
    expect(earlier?.value).toBe(1);
    expose("a 3\nb 2\n");
    await scrapeAfter(5_000);
    expect(await value("a")).toBe(3);
  });

  test("every series of a target that goes away is stale, up included", async () => {
    const { expose, scrapeAfter, value } = world();
    expose("a 1\n");
    await scrapeAfter(0);
    expose(undefined);
    await scrapeAfter(5_000);
    expect([await value("a"), await value("up")]).toEqual([undefined, undefined]);
  });

  test("a scrape that hangs fails at its timeout", async () => {
    const { clock, prometheus, expose, value } = world();
    expose(() => new Promise(() => {}));
    const scraped = prometheus.scraper.scrapeOnce();
    await clock.advance(5_000);
    await scraped;
    expect(await value("up")).toBe(0);
    expect(prometheus.scraper.health()[0]?.lastError).toBe("context deadline exceeded");
  });

  test("run scrapes once per interval until the signal", async () => {
    const { clock, prometheus, expose, value } = world();
    expose("a 1\n");
    const stop = new AbortController();
    const running = prometheus.run(stop.signal);
    await clock.advance(60_000);
    expect(await value("count_over_time(a[61s])")).toBe(13);
    stop.abort();
    await running;
  });

  test("retention drops samples and then series", async () => {
    const { expose, scrapeAfter, prometheus } = world({ retentionMs: 60_000 });
    expose("a 1\n");
    await scrapeAfter(0);
    expose("b 1\n");
    for (let i = 0; i < 14; i++) await scrapeAfter(5_000);
    expect(prometheus.store.labelValues("__name__")).not.toContain("a");
    expect(prometheus.store.select([{ label: "__name__", op: "=", value: "b" }])[0]?.samples.length).toBe(13);
  });
});

describe("the same query again", () => {
  const answer = async (prometheus: Prometheus, query: string): Promise<Record<string, number>> =>
    Object.fromEntries(
      Array.from(await prometheus.source.query(query), ({ labels, value }) => [labels["pod"] ?? "", value]),
    );

  test("sees one pod in the place of another, in groups and in histograms", async () => {
    const { expose, scrapeAfter, prometheus } = world();
    const histogram = (pod: string, half: number): string =>
      `h_bucket{pod="${pod}",le="1"} ${half}\nh_bucket{pod="${pod}",le="2"} 10\nh_bucket{pod="${pod}",le="+Inf"} 10\n`;
    const sums = "sum by (pod) (h_bucket)";
    const medians = "histogram_quantile(0.5, sum by (pod, le) (h_bucket))";
    expose(histogram("a", 10));
    await scrapeAfter(0);
    expect([await answer(prometheus, sums), await answer(prometheus, medians)]).toEqual([{ a: 30 }, { a: 0.5 }]);
    expose(histogram("b", 0));
    await scrapeAfter(5_000);
    expect([await answer(prometheus, sums), await answer(prometheus, medians)]).toEqual([{ b: 20 }, { b: 1.5 }]);
  });

  test("refuses what has become the same without its name", async () => {
    const { expose, scrapeAfter, prometheus } = world();
    const query = '-{__name__=~"a|b|c"}';
    expose('a{pod="x"} 1\nb{pod="y"} 2\n');
    await scrapeAfter(0);
    expect(await answer(prometheus, query)).toEqual({ x: -1, y: -2 });
    expose('a{pod="x"} 1\nc{pod="x"} 2\n');
    await scrapeAfter(5_000);
    await expect(prometheus.source.query(query)).rejects.toThrow("same labelset");
  });
});

describe("range functions, worked by hand", () => {
  test("a time in which the series was not there is no sample of a rate", async () => {
    const { expose, scrapeAfter, value } = world();
    for (const text of ["c 10\n", "c 20\n", "", "c 5\n", ""]) {
      expose(text);
      await scrapeAfter(10_000);
    }
    // 5 - 10, and the 20 of the reset; samples at 10, 20 and 40 s are 15 s apart and reach the edges of 10 to 50 s: 15 over 30 s, times 40/30.
    expect(await value("increase(c[40s])")).toBeCloseTo(20, 9);
    expect(await value("count_over_time(c[40s])")).toBe(3);
  });

  /** Scrapes 0, 10, 20, 30 s with a reset before the last. */
  async function counter(dialect: 2 | 3): Promise<World> {
    const made = world({ dialect });
    for (const value of [10, 30, 50, 5]) {
      made.expose(`c ${value}\n`);
      await made.scrapeAfter(value === 10 ? 0 : 10_000);
    }
    return made;
  }

  test.each([
    // Change 50 - 10 + 5 = 45 over 30 s of samples; the range is covered to both ends.
    { query: "increase(c[30s])", two: 45, three: 37.5 },
    { query: "rate(c[30s])", two: 1.5, three: 1.25 },
    // The last two samples: reset, so the value since the reset.
    { query: "irate(c[30s])", two: 0.5, three: 0.5 },
    // 40 s range: the first sample is 10 s (one distance) after its start, but zero lies 30 * 10/45 s before it.
    { query: "increase(c[40s])", two: 45 * ((30 + 30 * (10 / 45)) / 30), three: 45 * ((30 + 30 * (10 / 45)) / 30) },
    { query: "delta(c[30s])", two: -5, three: -37.5 },
    { query: "resets(c[1m])", two: 1, three: 1 },
    { query: "changes(c[1m])", two: 3, three: 3 },
    { query: "count_over_time(c[30s])", two: 4, three: 3 },
    { query: "avg_over_time(c[1m])", two: 23.75, three: 23.75 },
    { query: "quantile_over_time(0.5, c[1m])", two: 20, three: 20 },
  ])("$query", async ({ query, two, three }) => {
    expect(await (await counter(2)).value(query)).toBeCloseTo(two, 10);
    expect(await (await counter(3)).value(query)).toBeCloseTo(three, 10);
  });

  test("histogram_quantile interpolates inside the bucket", async () => {
    const { expose, scrapeAfter, value } = world();
    expose('h_bucket{le="1"} 10\nh_bucket{le="2"} 20\nh_bucket{le="4"} 40\nh_bucket{le="+Inf"} 50\n');
    await scrapeAfter(0);
    expect(await value("histogram_quantile(0.1, h_bucket)")).toBe(0.5);
    expect(await value("histogram_quantile(0.6, h_bucket)")).toBe(3);
    expect(await value("histogram_quantile(0.95, h_bucket)")).toBe(4);
  });

  test("an instant selector forgets a sample after the lookback", async () => {
    const { clock, prometheus, expose, scrapeAfter, value } = world();
    expose("a 1\n");
    await scrapeAfter(0);
    await clock.advance(300_000);
    expect(await value("a")).toBe(1);
    await clock.advance(1);
    expect(await value("a")).toBeUndefined();
    expect(prometheus.store.seriesCount).toBeGreaterThan(0);
  });
});

describe("errors and HTTP", () => {
  test("the port tells a wrong query from one that failed", async () => {
    const { prometheus, expose, scrapeAfter } = world();
    expose('a{x="1"} 1\na{x="2"} 2\n');
    await scrapeAfter(0);
    await expect(prometheus.source.query("sum(")).rejects.toMatchObject({ kind: "QueryInvalid" });
    await expect(prometheus.source.query("info(a)")).rejects.toMatchObject({ kind: "QueryInvalid" });
    await expect(prometheus.source.query("a + on() a")).rejects.toMatchObject({ kind: "Failed" });
  });

  test("the HTTP API answers as Prometheus does", async () => {
    const { clock, prometheus, expose, scrapeAfter } = world();
    expose('a{x="1"} 1\n');
    await scrapeAfter(0);
    const server = createServer(prometheus.httpHandler);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const http = axios.create({ baseURL: base, proxy: false, validateStatus: () => true });
    try {
      const seconds = clock.nowMs() / 1000;
      const posted = await http.post("/api/v1/query", new URLSearchParams({ query: "a * 2" }));
      expect(posted.data).toEqual({
        status: "success",
        data: { resultType: "vector", result: [{ metric: { job: "test", x: "1" }, value: [seconds, "2"] }] },
      });
      const range = { query: "a", start: seconds, end: seconds + 20, step: "10s" };
      const { data } = await http.get("/api/v1/query_range", { params: range });
      expect(data.data.result[0].values).toEqual([0, 10, 20].map((later) => [seconds + later, "1"]));
      expect(await http.get("/api/v1/query?query=sum(")).toMatchObject({
        status: 400,
        data: { status: "error", errorType: "bad_data" },
      });
      expect(await http.get("/api/v1/query_range", { params: { ...range, step: "0.001" } })).toMatchObject({
        status: 400,
        data: { errorType: "bad_data", error: expect.stringContaining("exceeded maximum resolution") },
      });
      expect((await http.get("/api/v1/targets")).data.data.activeTargets[0]).toMatchObject({ health: "up" });
      expect((await http.get("/-/ready")).status).toBe(200);
      expect((await http.get("/nothing")).status).toBe(404);
    } finally {
      server.close();
    }
  });
});
