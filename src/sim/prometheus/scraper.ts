/**
 * The scrape loop: reads every target once per interval and appends what it exposes.
 *
 * As in Prometheus's `scrape/scrape.go`: labels of the target win over those of the series, which come back as
 * `exported_*`; `up` and `scrape_*` are written for each attempt; a series that is no longer exposed, and every series
 * of a target that fails or goes away, gets a staleness marker.
 */
import type { Clock } from "../../clock.ts";
import type { MetricWriter } from "../engines/metric-writer.ts";
import { remember } from "../remember.ts";
import { parseExposition, parseSeriesText } from "./exposition.ts";
import { type LabelSet, labelSet, METRIC_NAME } from "./labels.ts";
import type { SeriesStore, StoredSeries } from "./series-store.ts";
import { withTargetLabels } from "./target-labels.ts";
import { WrittenSeries } from "./written-series.ts";

export interface ScrapeTarget {
  /** Labels put on every series of the target; those that start with `__` are not. */
  readonly labels: Readonly<Record<string, string>>;
  /** The exposition text. A rejection or a throw is a failed scrape. */
  scrape(): Promise<string> | string;
  /** The same without the detour over text, for targets in the same process. A throw is a failed scrape. */
  write?(writer: MetricWriter): void;
}

export interface ScraperOptions {
  readonly clock: Clock;
  readonly store: SeriesStore;
  readonly targets: () => readonly ScrapeTarget[];
  readonly scrapeIntervalMs: number;
  readonly scrapeTimeoutMs: number;
  /** Of targets in the same process: other families (a histogram is one) are not stored. */
  readonly takes: (family: string) => boolean;
}

export interface TargetHealth {
  readonly labels: LabelSet;
  readonly discoveredLabels: Readonly<Record<string, string>>;
  readonly lastScrapeMs: number;
  readonly lastDurationSeconds: number;
  /** "" after a good scrape. */
  readonly lastError: string;
}

export interface Scraper {
  /** One round over all targets, now. */
  scrapeOnce(): Promise<void>;
  /** Rounds at fixed times until the signal; a round that comes too late is left out. */
  run(signal: AbortSignal): Promise<void>;
  health(): readonly TargetHealth[];
}

const shownLabels = (labels: ScrapeTarget["labels"]): LabelSet =>
  labelSet(Object.entries(labels).filter(([name]) => !name.startsWith("__")));

/** What is remembered of a target between its scrapes. */
interface Session {
  readonly labels: LabelSet;
  readonly health: TargetHealth;
  /** Series text as exposed -> stored series. */
  readonly known: Map<string, StoredSeries>;
  /** Of a target that is written directly. */
  readonly written: WrittenSeries | undefined;
  /** Exposed by the last scrape without a time of their own: these get the marker when they vanish. */
  readonly live: Iterable<StoredSeries>;
  /** Those of {@link OWN_SERIES}, in their order. */
  readonly own: readonly StoredSeries[];
}

export function createScraper(options: ScraperOptions): Scraper {
  const { clock, store } = options;
  let sessions = new Map<string, Session>();
  const targetLabels = new WeakMap<ScrapeTarget["labels"], LabelSet>();

  async function scrapeOnce(): Promise<void> {
    const timeMs = Math.round(clock.nowMs());
    const found = new Map<string, { target: ScrapeTarget; labels: LabelSet }>();
    for (const target of options.targets()) {
      const labels = remember(targetLabels, target.labels, shownLabels);
      found.set(labels.key, { target, labels });
    }
    for (const [key, session] of sessions) if (!found.has(key)) end(session, timeMs);
    const scraped = await Promise.all(
      [...found].map(([key, { target, labels }]) => {
        if (target.write === undefined) return scrapeText(key, target, labels, timeMs);
        return [key, recordWritten({ target, labels, timeMs }, target.write, sessions.get(key), options)] as const;
      }),
    );
    sessions = new Map(scraped);
    store.collectGarbage(timeMs);
  }

  async function scrapeText(
    key: string,
    target: ScrapeTarget,
    labels: LabelSet,
    timeMs: number,
  ): Promise<readonly [string, Session]> {
    const { text, error } = await read(target, options);
    const durationSeconds = (clock.nowMs() - timeMs) / 1000;
    return [key, record({ target, labels, text, error, timeMs, durationSeconds }, sessions.get(key), store)];
  }

  function end(session: Session, timeMs: number): void {
    for (const series of session.live) series.samples.appendStale(timeMs);
    for (const series of ownSeries(store, session.labels, session.own)) series.samples.appendStale(timeMs);
  }

  return {
    scrapeOnce,
    async run(signal) {
      let dueMs = clock.monotonicMs();
      while (!signal.aborted) {
        await scrapeOnce();
        const behindMs = clock.monotonicMs() - dueMs;
        dueMs += options.scrapeIntervalMs * Math.max(1, Math.ceil(behindMs / options.scrapeIntervalMs));
        await clock.sleep(dueMs - clock.monotonicMs(), signal).catch(() => undefined);
      }
    },
    health: () => [...sessions.values()].map(({ health }) => health),
  };
}

const OWN_SERIES = ["up", "scrape_duration_seconds", "scrape_samples_scraped"] as const;

/** @param known of the last scrape: the store may have dropped one since */
const ownSeries = (store: SeriesStore, labels: LabelSet, known?: readonly StoredSeries[]): readonly StoredSeries[] =>
  OWN_SERIES.map((name, index) => {
    const before = known?.[index];
    return before !== undefined && before.samples.length > 0
      ? before
      : store.seriesOf(labelSet([...labels, [METRIC_NAME, name]]));
  });

async function read(
  target: ScrapeTarget,
  { clock, scrapeTimeoutMs }: ScraperOptions,
): Promise<{ text?: string; error: string }> {
  const done = new AbortController();
  const late = async (): Promise<never> => {
    await clock.sleep(scrapeTimeoutMs, done.signal);
    throw new Error("context deadline exceeded");
  };
  try {
    const answer = target.scrape();
    if (typeof answer === "string") return { text: answer, error: "" };
    return { text: await Promise.race([answer, late()]).finally(() => done.abort()), error: "" };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

interface Attempt {
  readonly target: ScrapeTarget;
  readonly labels: LabelSet;
  readonly text: string | undefined;
  readonly error: string;
  readonly timeMs: number;
  readonly durationSeconds: number;
}

function record(attempt: Attempt, before: Session | undefined, store: SeriesStore): Session {
  const { labels, timeMs, text } = attempt;
  const known = before?.known ?? new Map<string, StoredSeries>();
  const live = new Set<StoredSeries>();
  let error = attempt.error;
  let samples = 0;
  if (text !== undefined) {
    try {
      // The whole text is read before anything is written: a broken exposition must not leave half a scrape.
      const parsed = parseExposition(text, known).map((sample) => ({
        sample,
        series: resolve(sample.series, labels, known, store),
      }));
      for (const { sample, series } of parsed) {
        series.samples.append(sample.timestampMs ?? timeMs, sample.value);
        if (sample.timestampMs === undefined) live.add(series);
        samples++;
      }
      if (known.size > 2 * samples) forgetUnused(known, new Set(parsed.map(({ sample }) => sample.series)));
    } catch (cause) {
      error = cause instanceof Error ? cause.message : String(cause);
      live.clear();
      samples = 0;
    }
  }
  for (const series of before?.live ?? []) if (!live.has(series)) series.samples.appendStale(timeMs);
  return { ...closed(attempt, before, store, { error, samples }), known, written: undefined, live };
}

function recordWritten(
  attempt: Pick<Attempt, "target" | "labels" | "timeMs">,
  write: (writer: MetricWriter) => void,
  before: Session | undefined,
  { store, takes }: ScraperOptions,
): Session {
  const { labels, timeMs } = attempt;
  const written = before?.written ?? new WrittenSeries(labels, store, takes);
  let error = "";
  written.begin();
  try {
    write(written);
  } catch (cause) {
    error = cause instanceof Error ? cause.message : String(cause);
    written.begin();
  }
  const live = written.append(timeMs);
  // The same list is the same series.
  if (before !== undefined && before.live !== live) {
    const now = new Set(live);
    for (const series of before.live) if (!now.has(series)) series.samples.appendStale(timeMs);
  }
  const known = before?.known ?? new Map<string, StoredSeries>();
  const done = closed({ ...attempt, durationSeconds: 0 }, before, store, { error, samples: live.length });
  return { ...done, known, written, live };
}

/** `up` and its like, and what is said of the target. */
function closed(
  { labels, target, timeMs, durationSeconds }: Pick<Attempt, "target" | "labels" | "timeMs" | "durationSeconds">,
  before: Session | undefined,
  store: SeriesStore,
  { error, samples }: { readonly error: string; readonly samples: number },
): Pick<Session, "labels" | "health" | "own"> {
  const own = ownSeries(store, labels, before?.own);
  const [up, duration, scraped] = own;
  up?.samples.append(timeMs, error === "" ? 1 : 0);
  duration?.samples.append(timeMs, durationSeconds);
  scraped?.samples.append(timeMs, samples);
  const health = {
    labels,
    discoveredLabels: target.labels,
    lastScrapeMs: timeMs,
    lastDurationSeconds: durationSeconds,
    lastError: error,
  };
  return { labels, health, own };
}

/** Text of series that the target no longer exposes would otherwise pile up as its label values change. */
function forgetUnused(known: Map<string, StoredSeries>, used: ReadonlySet<string>): void {
  for (const text of known.keys()) if (!used.has(text)) known.delete(text);
}

function resolve(
  text: string,
  targetLabels: LabelSet,
  known: Map<string, StoredSeries>,
  store: SeriesStore,
): StoredSeries {
  const series = known.get(text);
  if (series !== undefined && series.samples.length > 0) return series;
  const stored = store.seriesOf(withTargetLabels(parseSeriesText(text), targetLabels));
  known.set(text, stored);
  return stored;
}
