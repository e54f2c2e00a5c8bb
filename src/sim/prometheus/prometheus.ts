/** The embedded Prometheus: scrape loop, storage, PromQL, the MetricsSource port and the HTTP API. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../../clock.ts";
import type { MetricsSource } from "../../observe/metrics-source.ts";
import { createHttpApi } from "./http-api.ts";
import { createMetricsSource } from "./metrics-source.ts";
import { createPromqlEngine, type PromqlEngine } from "./promql-engine.ts";
import { createScraper, type Scraper, type ScrapeTarget } from "./scraper.ts";
import { SeriesStore } from "./series-store.ts";

export interface PrometheusOptions {
  readonly clock: Clock;
  readonly targets: () => readonly ScrapeTarget[];
  /** Default 5 s. */
  readonly scrapeIntervalMs?: number;
  /** Default: the interval. */
  readonly scrapeTimeoutMs?: number;
  /** Default: everything. Of targets in the same process: other families (a histogram is one) are not stored. */
  readonly takes?: (family: string) => boolean;
  /** Default 1 h of the clock. */
  readonly retentionMs?: number;
  /** Default 50,000: at one hour of 5 s scrapes 720 samples of 16 bytes each, 0.6 GB. */
  readonly maxSeries?: number;
  /** Default 5 min, as in Prometheus. */
  readonly lookbackMs?: number;
  /** Range edges as in Prometheus 2 (both ends closed, the default) or 3 (left open). */
  readonly dialect?: 2 | 3;
}

export interface Prometheus {
  readonly source: MetricsSource;
  readonly engine: PromqlEngine;
  readonly store: SeriesStore;
  readonly scraper: Scraper;
  readonly httpHandler: (request: IncomingMessage, response: ServerResponse) => void;
  /** Scrapes until the signal. */
  run(signal: AbortSignal): Promise<void>;
}

/** Prometheus's default limit of samples per query. */
const MAX_SAMPLES = 50_000_000;
const MINUTE_MS = 60_000;

export function createPrometheus(options: PrometheusOptions): Prometheus {
  const { clock, scrapeIntervalMs = 5_000 } = options;
  const store = new SeriesStore({
    retentionMs: options.retentionMs ?? 60 * MINUTE_MS,
    maxSeries: options.maxSeries ?? 50_000,
  });
  const scraper = createScraper({
    clock,
    store,
    targets: options.targets,
    scrapeIntervalMs,
    scrapeTimeoutMs: options.scrapeTimeoutMs ?? scrapeIntervalMs,
    takes: options.takes ?? (() => true),
  });
  const engine = createPromqlEngine({
    store,
    lookbackMs: options.lookbackMs ?? 5 * MINUTE_MS,
    defaultStepMs: MINUTE_MS,
    dialect: options.dialect ?? 2,
    maxSamples: MAX_SAMPLES,
  });
  return {
    source: createMetricsSource(engine, clock),
    engine,
    store,
    scraper,
    httpHandler: createHttpApi({ engine, store, scraper, clock }),
    run: (signal) => scraper.run(signal),
  };
}
