/** Trials of policies/prefill-decode-slo: the same again from the same seed, every fault, ratios repaired behind the core, and one that is cut off. */
import { describe, expect, test } from "vitest";
import { once } from "../../src/decide/once.ts";
import { StepTimes } from "../../src/sim/engines/step-times.ts";
import { remember } from "../../src/sim/remember.ts";
import type { Ablation } from "../../src/trial/ablations.ts";
import { type Contestant, scalerOf } from "../../src/trial/contestants.ts";
import { measureTrial } from "../../src/trial/measures/measure-trial.ts";
import { type CountsSample, OUTCOME, type TrialRecord } from "../../src/trial/record.ts";
import { runTrial, type TrialOptions } from "../../src/trial/run.ts";
import type { Fault, Scenario } from "../../src/trial/scenario.ts";
import { sloOf } from "../../src/trial/try-out.ts";
import { miniatureScenario } from "./trial-scenario.ts";

const OURS = { kind: "Ours", parameters: {} } as const satisfies Contestant;
const STATIC = {
  kind: "Static",
  replicas: new Map([
    ["prefill", 2],
    ["decode", 3],
  ]),
} as const satisfies Contestant;
const MINUTE_MS = 60_000;
const short = (faults: readonly Fault[] = []): Scenario => ({
  ...miniatureScenario({ durationSeconds: 1_500, peakRequestsPerSecond: 45 }),
  faults,
});
const run = (
  scenario: Scenario,
  contestant: Contestant = OURS,
  more: Partial<TrialOptions> = {},
): Promise<TrialRecord> =>
  runTrial({
    scenario,
    autoscaler: "one",
    seed: 1,
    stopwatch: () => 0,
    scaler: (stage) => scalerOf(contestant, stage),
    ...more,
  });
/** What ours does when nothing goes wrong: many tests compare with it, and it is the same each time. */
const undisturbed = once(() => run(short()));
/** For fixed replicas, which no load moves: what is looked at there is there with few requests too. */
const light = (faults: readonly Fault[] = []): Scenario => ({
  ...miniatureScenario({ durationSeconds: 1_500, peakRequestsPerSecond: 10 }),
  faults,
});
const fixed = once(() => run(light(), STATIC));
/** Of the arrivals' time: its own begin is 300 s before the window's. */
const at = ({ window }: TrialRecord, ms: number): number => window.startMs - 300_000 + ms;
const countsAt = (record: TrialRecord, ms: number): CountsSample | undefined =>
  record.counts.findLast(({ atMs }) => atMs <= at(record, ms));
const attainmentOf = (record: TrialRecord, scenario: Scenario): number | undefined =>
  measureTrial(record, { sloSets: [sloOf(scenario)], missWorths: [] }).bySlo[0]?.values.attainmentRatio;

describe("of one seed", () => {
  test("is the same again, down to every request and every life; another one is not", async () => {
    const { decisionMicros: _, ...one } = await undisturbed();
    const { decisionMicros: __, ...again } = await run(short());
    expect(again).toEqual(one);
    const { lives } = await run(short(), OURS, { seed: 2 });
    expect(lives.map(({ readyMs }) => readyMs)).not.toEqual(one.lives.map(({ readyMs }) => readyMs));
  });

  test("what arrived in the window gets the time to end after it", async () => {
    const { requests, window } = await fixed();
    const lastSecond = Array.from({ length: requests.count }, (_, row) => row).filter((row) => {
      const arrivedMs = requests.arrivedMs[row] as number;
      return arrivedMs >= window.endMs - 1_000 && arrivedMs < window.endMs;
    });
    expect(lastSecond.length).toBeGreaterThan(0);
    expect(lastSecond.filter((row) => requests.outcome[row] !== OUTCOME.completed)).toEqual([]);
  });

  test("GPUs held never exceed the cluster, and the specs are what the orders made of them", async () => {
    const record = await undisturbed();
    expect(record.orders.length).toBeGreaterThan(3);
    const gpus = record.lives.flatMap(({ placedMs, goneMs, gpus: held }) =>
      Number.isNaN(placedMs)
        ? []
        : [[placedMs, held] as const, [Number.isNaN(goneMs) ? Infinity : goneMs, -held] as const],
    );
    let held = 0;
    for (const [, change] of gpus.toSorted(([a, more], [b, less]) => a - b || more - less)) {
      held += change;
      expect(held).toBeLessThanOrEqual(24);
    }
    for (const [target] of record.targets.entries()) {
      for (const order of record.orders.filter((one) => one.target === target)) {
        const before = record.counts.findLast(({ atMs }) => atMs < order.atMs)?.spec[target];
        const after = record.counts.findLast(({ atMs }) => atMs <= order.atMs)?.spec[target];
        expect([before, after]).toEqual([order.from, order.to]);
      }
    }
  });
});

describe("a fault", () => {
  const FROM_MS = 600_000;
  const TO_MS = 780_000;
  const window = { fromMs: FROM_MS, toMs: TO_MS };
  const later = (ms: number): number => TO_MS + ms;

  /** What an autoscaler can see at each tick, from the stage that every scaler is made of. */
  const seen = async (scenario: Scenario, queries: Readonly<Record<string, string>>) => {
    const rows: { readonly atMs: number; readonly values: Readonly<Record<string, number>> }[] = [];
    const record = await run(scenario, STATIC, {
      scaler: (stage) => {
        // Fixed replicas ask for no series; without a list everything is kept.
        const { families: _, ...scaler } = scalerOf(STATIC, stage);
        const originMs = stage.clock.monotonicMs();
        return {
          ...scaler,
          tickMs: 15_000,
          async tick() {
            await scaler.tick();
            const values: Record<string, number> = {};
            for (const [name, promql] of Object.entries(queries)) {
              const [sample] = await stage.metricsSource.query(promql);
              values[name] = sample?.value ?? 0;
            }
            rows.push({ atMs: stage.clock.monotonicMs() - originMs, values });
          },
        };
      },
    });
    const between = (fromMs: number, toMs: number, name: string): ReadonlySet<number | undefined> =>
      new Set(rows.filter(({ atMs }) => atMs > fromMs && atMs < toMs).map(({ values }) => values[name]));
    return { record, rows, between };
  };
  const DECODE_SERIES = 'vllm:kv_cache_usage_perc{pod=~".*decode.*"}';
  const SCRAPE_MS = 15_000;

  test("lost scrapes: no sample is taken while they last, and from the next scrape on there are again", async () => {
    const { between } = await seen(light([{ kind: "ScrapesFail", ...window }]), {
      pods: `count(${DECODE_SERIES})`,
      samples: `max(count_over_time(${DECODE_SERIES}[1m]))`,
    });
    expect(between(FROM_MS - 2 * MINUTE_MS, FROM_MS, "samples")).toEqual(new Set([4]));
    expect(between(FROM_MS + MINUTE_MS, TO_MS, "samples")).toEqual(new Set([0]));
    // A target that cannot be scraped has no series, as in Prometheus.
    expect(between(FROM_MS + SCRAPE_MS, TO_MS, "pods")).toEqual(new Set([0]));
    expect(between(TO_MS + SCRAPE_MS, TO_MS + 2 * MINUTE_MS, "pods")).toEqual(new Set([3]));
  });

  test("lost scrapes: ours takes nothing away while nothing is known, afterwards it goes on", async () => {
    const record = await run(short([{ kind: "ScrapesFail", ...window }]));
    const during = record.orders.filter(
      ({ atMs }) => atMs > at(record, FROM_MS + 2 * MINUTE_MS) && atMs <= at(record, TO_MS),
    );
    expect(during.filter(({ from, to }) => to < from)).toEqual([]);
    expect(record.orders.some(({ atMs }) => atMs > at(record, TO_MS))).toBe(true);
  });

  test.each([
    { how: "drop", during: { pods: 2, nan: 0, unchanged: 0 } },
    { how: "nan", during: { pods: 3, nan: 1, unchanged: 1 } },
    { how: "freeze", during: { pods: 3, nan: 0, unchanged: 1 } },
  ] as const)(
    "an exporter that fails ($how): that of one replica of its target, as long as it lasts",
    async ({ how, during }) => {
      const { between } = await seen(light([{ kind: "ExporterFails", how, ref: "decode", ...window }]), {
        pods: `count(${DECODE_SERIES})`,
        nan: `count(${DECODE_SERIES} != ${DECODE_SERIES})`,
        unchanged: 'count(changes(vllm:generation_tokens_total{pod=~".*decode.*"}[1m]) == 0)',
        prefill: 'count(vllm:num_requests_waiting{pod=~".*prefill.*"} >= 0)',
      });
      const quiet = { pods: 3, nan: 0, unchanged: 0 };
      for (const name of ["pods", "nan", "unchanged"] as const) {
        expect([name, between(FROM_MS - 2 * MINUTE_MS, FROM_MS, name)]).toEqual([name, new Set([quiet[name]])]);
        expect([name, between(FROM_MS + 75_000, TO_MS, name)]).toEqual([name, new Set([during[name]])]);
        expect([name, between(TO_MS + 75_000, TO_MS + 3 * MINUTE_MS, name)]).toEqual([name, new Set([quiet[name]])]);
      }
      expect(between(FROM_MS, TO_MS, "prefill")).toEqual(new Set([2]));
    },
  );

  test("lost on the way: as many scrapes as was said, each by itself, and nothing else of the seed changes", async () => {
    const { record, rows } = await seen(
      { ...light(), scrapeLossRatio: 0.3 },
      { taken: `sum(count_over_time(${DECODE_SERIES}[5m]))`, pods: `count(count_over_time(${DECODE_SERIES}[5m]))` },
    );
    const late = rows.filter(({ atMs, values }) => atMs > 10 * MINUTE_MS && values["pods"] === 3);
    const shares = late.map(({ values }) => (values["taken"] ?? 0) / (3 * 20));
    expect(shares.reduce((sum, share) => sum + share, 0) / shares.length).toBeCloseTo(0.7, 1);
    expect(new Set(shares).size).toBeGreaterThan(5);
    const whole = await fixed();
    expect(record.lives).toEqual(whole.lives);
  });

  test.each(["drop", "nan", "freeze"] as const)(
    "an exporter that fails (%s) costs ours few requests, and one that says nothing takes no replica of its target away",
    async (how) => {
      const scenario = short([{ kind: "ExporterFails", how, ref: "decode", ...window }]);
      const record = await run(scenario);
      const whole = attainmentOf(await undisturbed(), short()) ?? Number.NaN;
      expect(attainmentOf(record, scenario)).toBeGreaterThan(whole - 0.03);
      // What is frozen looks like what is known.
      if (how === "freeze") return;
      const during = record.orders.filter(({ atMs }) => atMs > at(record, FROM_MS) && atMs <= at(record, TO_MS));
      const DECODE = 2;
      expect(during.filter(({ target, from, to }) => target === DECODE && to < from)).toEqual([]);
    },
  );

  test("a restart just before the load rises: the forecast goes on from the checkpoint, and orders as early as without", async () => {
    const beforeRiseMs = 360_000;
    const [restarted, whole] = [await run(short([{ kind: "Restart", atMs: beforeRiseMs }])), await undisturbed()];
    const ups = (record: TrialRecord) =>
      record.orders.filter(({ atMs, from, to }) => to > from && atMs < at(record, FROM_MS));
    expect(ups(whole).length).toBeGreaterThan(2);
    expect(ups(restarted)).toEqual(ups(whole));
  });

  test("a restart: whoever scales is told, once and then", async () => {
    const toldMs: number[] = [];
    await run(light([{ kind: "Restart", atMs: FROM_MS }]), STATIC, {
      scaler: (stage) => {
        const originMs = stage.clock.monotonicMs();
        return {
          ...scalerOf(STATIC, stage),
          restart: () => void toldMs.push(Math.round(stage.clock.monotonicMs() - originMs)),
        };
      },
    });
    expect(toldMs).toEqual([FROM_MS]);
  });

  test("a restart of ours goes on from its checkpoint, and as many requests are in time", async () => {
    const [restarted, whole] = [await run(short([{ kind: "Restart", atMs: FROM_MS }])), await undisturbed()];
    const early = (record: TrialRecord) => record.orders.filter(({ atMs }) => atMs < at(record, FROM_MS));
    expect(early(restarted)).toEqual(early(whole));
    expect(attainmentOf(restarted, short())).toBeCloseTo(attainmentOf(whole, short()) ?? Number.NaN, 2);
  });

  test("no room: what is ordered waits, and starts when there is room again", async () => {
    const record = await run(short([{ kind: "NoRoom", fromMs: 300_000, toMs: TO_MS }]));
    const [full, healed] = [countsAt(record, TO_MS - 1), countsAt(record, later(5 * MINUTE_MS))];
    expect(full?.starting).toEqual([0, 0, 0]);
    expect(Math.max(...(full?.pending ?? []))).toBeGreaterThan(0);
    expect(healed?.pending).toEqual([0, 0, 0]);
    expect(record.lives.some(({ placedMs }) => Math.abs(placedMs - at(record, TO_MS)) < 1)).toBe(true);
  });

  test("lost nodes: what ran there is gone without having been told, and is made anew", async () => {
    const record = await run(light([{ kind: "NodeLoss", ratio: 0.5, ...window }]), STATIC);
    const lost = record.lives.filter(({ goneMs, stoppedMs }) => goneMs >= 0 && Number.isNaN(stoppedMs));
    expect(lost.length).toBeGreaterThan(0);
    for (const { goneMs } of lost) expect(goneMs).toBeCloseTo(at(record, FROM_MS), 3);
    expect(countsAt(record, FROM_MS - 1)?.ready.slice(1)).toEqual([2, 3]);
    expect(countsAt(record, FROM_MS + 1)?.ready.slice(1)).not.toEqual([2, 3]);
    expect(countsAt(record, later(5 * MINUTE_MS))?.ready.slice(1)).toEqual([2, 3]);
  });

  test("all nodes lost: nothing is ready until they are back, then everything is again", async () => {
    const scenario = light([{ kind: "NodeLoss", ratio: 1, ...window }]);
    const record = await run({ ...scenario, pool: { nodes: 1, gpusPerNode: 8, nodesPerRack: 4 } }, STATIC);
    expect(countsAt(record, TO_MS - 1)).toMatchObject({ ready: [0, 0, 0], starting: [0, 0, 0] });
    expect(countsAt(record, later(5 * MINUTE_MS))?.ready.slice(1)).toEqual([2, 3]);
  });

  test("a crash: one replica less until it has started again", async () => {
    const record = await run(light([{ kind: "Crash", ref: "decode", atMs: FROM_MS }]), STATIC);
    expect(countsAt(record, FROM_MS - 1)?.ready.slice(1)).toEqual([2, 3]);
    expect(countsAt(record, FROM_MS + 1)).toMatchObject({ starting: [0, 0, 1] });
    expect(countsAt(record, FROM_MS + 5 * MINUTE_MS)?.ready.slice(1)).toEqual([2, 3]);
    expect(record.lives.reduce((sum, { lostRequests }) => sum + lostRequests, 0)).toBeGreaterThan(0);
  });
});

describe("ours without one of its parts", () => {
  const base = short();
  const { spec } = base.policy;
  const withSpec = (changed: Partial<typeof spec>): Scenario => ({
    ...base,
    policy: { ...base.policy, spec: { ...spec, ...changed } },
  });
  const bound = withSpec({
    ratios: [{ ...spec.ratios[0], name: "prefill-decode", between: ["prefill", "decode"], min: "1:2", max: "1:2" }],
    gpuBudget: { ...spec.gpuBudget, max: 6 },
  } as Partial<typeof spec>);
  const slow: Scenario = {
    ...base,
    profiles: Object.fromEntries(
      Object.entries(base.profiles).map(([name, profile]) => [
        name,
        { ...profile, stepTimes: new StepTimes(base.profile, { decodeMultiplier: 1, stepOverheadMs: 30 }) },
      ]),
    ),
  };
  const unchanged = new Map([[base, undisturbed]]);
  const measured = async (scenario: Scenario, ablation?: Ablation) => {
    const record = await (ablation === undefined
      ? remember(unchanged, scenario, () => once(() => run(scenario)))()
      : run(scenario, { ...OURS, ablation }));
    const { values, bySlo } = measureTrial(record, { sloSets: [sloOf(scenario)], missWorths: [] });
    return { record, attainment: bySlo[0]?.values.attainmentRatio ?? Number.NaN, ...values };
  };
  const changes = async (scenario: Scenario, ablation: Ablation) =>
    [await measured(scenario), await measured(scenario, ablation)] as const;

  /** From 1:2 to 2:4 by what is ready takes two decisions: no state between is 1:2 (docs/decisions/0013). */
  const SECONDS_OF_A_STEP = 15;

  test("no ratio: outside the band, which ours is for a step of what starts at most", async () => {
    const [whole, without] = await changes(bound, "noRatio");
    expect(whole.outOfBandSpecSeconds).toBeLessThanOrEqual(SECONDS_OF_A_STEP);
    expect(without.outOfBandSpecSeconds).toBeGreaterThan(300);
    expect(without.overBudgetSeconds).toBe(0);
  });

  test("ratio repaired behind the core: in the band, by other orders than the core's", async () => {
    const [whole, without] = await changes(bound, "postHocRatio");
    expect(without.outOfBandSpecSeconds).toBeLessThan(30);
    expect(without.record.orders).not.toEqual(whole.record.orders);
  });

  test("no budget: over it", async () => {
    const [whole, without] = await changes(bound, "noBudget");
    expect(whole.overBudgetSeconds).toBe(0);
    expect(without.overBudgetSeconds).toBeGreaterThan(60);
  });

  test("no pending accounting: what starts is ordered again, up to the maximum", async () => {
    const [whole, without] = await changes(base, "noPendingAccounting");
    expect(without.allocatedGpuHours).toBeGreaterThan(1.2 * whole.allocatedGpuHours);
  });

  test("no forecast: the first replica for the rise is ordered later", async () => {
    const [whole, without] = await changes(base, "noForecast");
    const firstUp = ({ record }: typeof whole) => record.orders.find(({ from, to }) => to > from)?.atMs ?? Number.NaN;
    expect(firstUp(without)).toBeGreaterThan(firstUp(whole));
  });

  test("no stabilization: each lull of two minutes takes replicas away that are missed after it", async () => {
    const lulls = base.arrivals.filter(({ atMs }, index) => atMs % (4 * MINUTE_MS) < 2 * MINUTE_MS || index % 3 === 0);
    const [whole, without] = await changes({ ...base, arrivals: lulls }, "noStabilization");
    expect(without.flaps).toBeGreaterThan(whole.flaps);
    expect(without.attainment).toBeLessThan(whole.attainment);
  });

  test("goals for the mean: fewer GPUs, and more requests are late", async () => {
    const [whole, without] = await changes(base, "meanLatency");
    expect(without.allocatedGpuHours).toBeLessThan(whole.allocatedGpuHours);
    expect(without.attainment).toBeLessThan(whole.attainment);
  });

  test("no online capacity: engines that are slower than their profile are taken at its word", async () => {
    const [whole, without] = await changes(slow, "noOnlineCapacity");
    expect(without.record.orders).not.toEqual(whole.record.orders);
  });
  test.each(["onlineCapacity", "noCapacity"] as const)(
    "%s: without a profile more GPUs serve less",
    async (ablation) => {
      const [whole, without] = await changes(base, ablation);
      expect(without.allocatedGpuHours).toBeGreaterThan(whole.allocatedGpuHours);
      expect(without.attainment).toBeLessThan(whole.attainment);
    },
  );
});

test("one that is cut off is judged until then, with all that it holds", async () => {
  const abort = new AbortController();
  const full = await undisturbed();
  const cut = await run(short(), OURS, {
    signal: abort.signal,
    onProgress: (done) => {
      if (done > 0.45) abort.abort();
    },
  });
  expect(cut.window.endMs).toBeLessThan(full.window.endMs);
  expect(cut.window.endMs).toBeGreaterThan(cut.window.startMs);
  const known = <T extends { readonly atMs: number }>(all: readonly T[]): readonly T[] =>
    all.filter(({ atMs }) => atMs <= cut.window.endMs);
  expect(cut.orders).toEqual(known(full.orders));
  expect(cut.counts).toEqual(known(full.counts));
  expect(cut.lives.map(({ name }) => name)).toEqual(
    full.lives.filter(({ createdMs }) => createdMs <= cut.window.endMs).map(({ name }) => name),
  );
});
