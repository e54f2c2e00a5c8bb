/** One trial: one autoscaler on one fleet under one traffic, on virtual time, from one seed. */

import { parseDurationMs } from "../api/duration.ts";
import { VirtualClock } from "../clock.ts";
import type { MetricsSource } from "../observe/metrics-source.ts";
import { type Random, seededRandom } from "../random.ts";
import { createDataPlane, type DataPlane } from "../sim/engines/data-plane.ts";
import { createPrometheus, type Prometheus } from "../sim/prometheus/prometheus.ts";
import { bandsOf } from "./bands.ts";
import { Fleet } from "./fleet/fleet.ts";
import { lossyTargets } from "./lossy-targets.ts";
import { OUTCOME, type RequestColumns, type TrialRecord } from "./record.ts";
import type { Scaler } from "./scaler.ts";
import type { Fault, Scenario } from "./scenario.ts";
import { SystemError } from "./system.ts";
import { trialTargets } from "./targets.ts";

/** What a scaler is made of. */
export interface Stage {
  readonly scenario: Scenario;
  readonly fleet: Fleet;
  readonly clock: VirtualClock;
  readonly prometheus: Prometheus;
  readonly metricsSource: MetricsSource;
  readonly random: Random;
  /** Counts scrapes. */
  readonly scrapes: () => number;
}

export interface TrialOptions {
  readonly scenario: Scenario;
  readonly autoscaler: string;
  readonly seed: number;
  readonly scaler: (stage: Stage) => Scaler;
  /** Wall time in milliseconds, for the time that decisions take. */
  readonly stopwatch: () => number;
  /** Every minute of virtual time. */
  readonly onProgress?: (doneRatio: number) => void;
  /** Cuts the trial off: the record is of what was tried until then. */
  readonly signal?: AbortSignal;
}

export const SCRAPE_SEED_OFFSET = 1_000_003;
/** A decision comes after the scrape of the same instant. */
const DECISION_DELAY_MS = 500;
/** Requests that arrived inside the window get at most this long to end. */
export const COOL_DOWN_MS = 600_000;
export const MAX_START_MS = 7_200_000;
/** The longest window of any query; a quarter of an hour more than most. */
const RETENTION_MS = 3_600_000;
const MINUTE_MS = 60_000;

export async function runTrial(options: TrialOptions): Promise<TrialRecord> {
  const { scenario, seed, stopwatch, onProgress, signal } = options;
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  // Of its own: how many scrapes are lost must not change how long a pod starts.
  const scrapeRandom = seededRandom(seed + SCRAPE_SEED_OFFSET);
  const { policy, set } = scenario;
  const inSet = policy.spec.scaleTargets.filter(({ level }) => level !== "PodCliqueSet");
  const refs = inSet.map(({ ref = "" }) => ref);
  const dataPlane = createDataPlane({
    clock,
    profiles: scenario.profiles,
    firstTokenTimeoutMs: scenario.firstTokenTimeoutMs,
    ...(scenario.prefixCaching === undefined ? {} : { prefixCaching: scenario.prefixCaching }),
    ...(scenario.routing === undefined ? {} : { routing: scenario.routing }),
  });
  const fleet = new Fleet({
    clock,
    random,
    dataPlane,
    set,
    pool: scenario.pool,
    startUpOf: scenario.startUpOf,
    storageGiBPerSecond: scenario.storageGiBPerSecond,
    targets: refs,
    pendingTimeoutMs: parseDurationMs(policy.spec.coldStart.pendingTimeout) ?? Number.POSITIVE_INFINITY,
  });
  const isAvailable = (): boolean => fleet.availableSetReplicas >= set.spec.replicas;
  if (!(await clock.advanceUntil(isAvailable, MAX_START_MS))) {
    throw new SystemError(
      `${scenario.name}: the set is not available after ${MAX_START_MS / MINUTE_MS} min: is the cluster too small for it (--gpus, --gpus-per-node)?`,
    );
  }
  const prometheus = createPrometheus({
    clock,
    scrapeIntervalMs: scenario.scrapeIntervalMs,
    retentionMs: RETENTION_MS,
    takes: (family) => scaler.families?.has(family) ?? true,
    targets: () => lossyTargets(dataPlane.targets(), scenario.scrapeLossRatio ?? 0, scrapeRandom),
  });
  const startMs = clock.monotonicMs();
  const stop = new AbortController();
  let failure: unknown;
  let scrapes = 0;
  every(scenario.scrapeIntervalMs, 0, async () => {
    await prometheus.scraper.scrapeOnce();
    scrapes++;
  });
  const scaler: Scaler = options.scaler({
    scenario,
    fleet,
    clock,
    prometheus,
    metricsSource: prometheus.source,
    random,
    scrapes: () => scrapes,
  });
  const decisionMicros: number[] = [];
  every(scaler.tickMs, DECISION_DELAY_MS, async () => {
    const beganMs = stopwatch();
    await scaler.tick();
    decisionMicros.push((stopwatch() - beganMs) * 1000);
  });
  const system = { namespace: set.metadata.namespace ?? "default", partOf: set.metadata.name };
  dataPlane.attachTraffic(system, scenario.arrivals);
  for (const fault of scenario.faults) arm(fault, { clock, dataPlane, fleet, scaler });
  const { window } = scenario;
  clock.setTimer(window.startMs, () => fleet.startWindow());
  const totalMs = window.endMs + COOL_DOWN_MS;
  let livesAtEnd: ReturnType<Fleet["lives"]> = [];
  clock.setTimer(window.endMs, () => {
    livesAtEnd = fleet.lives();
  });
  const hasJudgedAll = everythingEnded(() => dataPlane.requests(system), startMs + window.endMs);
  for (let doneMs = 0; doneMs < totalMs && signal?.aborted !== true; ) {
    // From scrape to scrape: a look at the engines is then no look that there would not have been anyway.
    const stepMs = Math.min(doneMs < window.endMs ? MINUTE_MS : scenario.scrapeIntervalMs, totalMs - doneMs);
    await clock.advance(stepMs);
    if (failure !== undefined) throw failure;
    doneMs += stepMs;
    const isOver = doneMs >= window.endMs && hasJudgedAll();
    onProgress?.(isOver ? 1 : doneMs / totalMs);
    if (isOver) break;
  }
  stop.abort();
  dataPlane.advance();
  // Of a trial that was cut off, what there is.
  const endMs = Math.min(window.endMs, Math.max(window.startMs, clock.monotonicMs() - startMs));
  const gpuBudget = policy.spec.gpuBudget?.max;
  return {
    autoscaler: options.autoscaler,
    seed,
    window: { startMs: startMs + window.startMs, endMs: startMs + endMs },
    targets: trialTargets(scenario),
    bands: bandsOf(policy),
    ...(gpuBudget === undefined ? {} : { gpuBudget }),
    requests: dataPlane.requests(system),
    lives: livesAtEnd.length === 0 ? fleet.lives() : livesAtEnd,
    counts: fleet.counts,
    orders: fleet.orders,
    decisionMicros: Float64Array.from(decisionMicros),
  };

  function every(periodMs: number, delayMs: number, run: () => Promise<void>): void {
    const next = (): void => {
      run().then(
        () => {
          if (!stop.signal.aborted) clock.setTimer(periodMs, next);
        },
        (error: unknown) => {
          failure ??= error;
          stop.abort();
        },
      );
    };
    clock.setTimer(delayMs, next);
  }
}

/** Has every request that arrived before `endMs` ended? Asked again and again, it looks at each once. */
function everythingEnded(read: () => RequestColumns, endMs: number): () => boolean {
  let row = 0;
  return () => {
    const { count, arrivedMs, outcome } = read();
    const isOpen = (): boolean => row < count && (arrivedMs[row] as number) < endMs;
    while (isOpen() && outcome[row] !== OUTCOME.unfinished) row++;
    return !isOpen();
  };
}

interface Breakable {
  readonly clock: VirtualClock;
  readonly dataPlane: DataPlane;
  readonly fleet: Fleet;
  readonly scaler: Scaler;
}

function arm(fault: Fault, { clock, dataPlane, fleet, scaler }: Breakable): void {
  const during = ({ fromMs, toMs }: { fromMs: number; toMs: number }, begin: () => () => void): void => {
    let end: () => void = () => undefined;
    clock.setTimer(fromMs, () => {
      end = begin();
    });
    clock.setTimer(toMs, () => end());
  };
  switch (fault.kind) {
    case "ScrapesFail":
      during(fault, () => {
        dataPlane.stopScraping(true);
        return () => dataPlane.stopScraping(false);
      });
      break;
    case "ExporterFails":
      during(fault, () => {
        const key = fleet.readyPodOf(fault.ref);
        if (key !== undefined) dataPlane.setMetricFault(key, fault.how);
        return () => {
          if (key !== undefined) dataPlane.setMetricFault(key, undefined);
        };
      });
      break;
    case "Restart":
      clock.setTimer(fault.atMs, () => scaler.restart());
      break;
    case "NoRoom":
      during(fault, () => {
        fleet.setFull(true);
        return () => fleet.setFull(false);
      });
      break;
    case "NodeLoss":
      during(fault, () => {
        const nodes = fleet.busiestNodes(fault.ratio);
        fleet.setNodesDown(nodes, true);
        return () => fleet.setNodesDown(nodes, false);
      });
      break;
    case "Crash":
      clock.setTimer(fault.atMs, () => fleet.crash(fault.ref, 0));
      break;
    default:
      fault satisfies never;
  }
}
