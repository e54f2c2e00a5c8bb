/**
 * A trial of ours as the whole system: embedded API server, operator, gang scheduler, kubelets, autoscaler and its write gate, on virtual time. The same
 * scenario, the same traffic and the same kind of record as the fast mode; what is left out there is what differs here.
 *
 * A composition root. Storage that starts share is the fast mode's alone: kubelets here start each pod on its own.
 */
import { SCALING_POLICIES } from "../../api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS } from "../../api/grove/pod-clique-set.ts";
import { CONFIG_MAPS } from "../../api/kubernetes/core.ts";
import { startAutoscaler } from "../../autoscaler/controller.ts";
import { VirtualClock } from "../../clock.ts";
import { startGroveOperator } from "../../grove/operator.ts";
import { memoryCheckpoints } from "../../jobs/checkpoint-store.ts";
import { inProcessQueue } from "../../jobs/evaluation-queue.ts";
import { seededRandom } from "../../random.ts";
import type { StartupTimes } from "../../sim/kubelet/startup.ts";
import { createWorld } from "../../sim/world.ts";
import { bandsOf } from "../../trial/bands.ts";
import { lossyTargets } from "../../trial/lossy-targets.ts";
import type { TrialRecord } from "../../trial/record.ts";
import { COOL_DOWN_MS, MAX_START_MS, SCRAPE_SEED_OFFSET } from "../../trial/run.ts";
import type { Scenario } from "../../trial/scenario.ts";
import { SystemError } from "../../trial/system.ts";
import { trialTargets } from "../../trial/targets.ts";
import { recordWorld } from "./record-world.ts";

export interface WholeSystemOptions {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly onProgress?: (doneRatio: number) => void;
  readonly signal?: AbortSignal;
}

const MINUTE_MS = 60_000;

/** @throws SystemError when the set never becomes available */
export async function runWholeSystem({ scenario, seed, onProgress, signal }: WholeSystemOptions): Promise<TrialRecord> {
  const { policy, set, window } = scenario;
  const { namespace = "default" } = set.metadata;
  const clock = new VirtualClock();
  const abort = new AbortController();
  // Of its own: how many scrapes are lost must not change how long a pod starts.
  const scrapeRandom = seededRandom(seed + SCRAPE_SEED_OFFSET);
  const world = await createWorld({
    clock,
    random: seededRandom(seed),
    signal: abort.signal,
    nodes: scenario.pool.nodes,
    gpusPerNode: scenario.pool.gpusPerNode,
    namespaces: [namespace],
    profiles: scenario.profiles,
    startup: startupOf(scenario),
    scrapeIntervalMs: scenario.scrapeIntervalMs,
    firstTokenTimeoutMs: scenario.firstTokenTimeoutMs,
    ...(scenario.prefixCaching === undefined ? {} : { prefixCaching: scenario.prefixCaching }),
    ...(scenario.routing === undefined ? {} : { routing: scenario.routing }),
    scraped: (targets) => lossyTargets(targets, scenario.scrapeLossRatio ?? 0, scrapeRandom),
  });
  const shared = { api: world.api, clock, random: seededRandom(seed + 1), signal: abort.signal };
  const operator = startGroveOperator({ ...shared, settings: { initContainerImage: "grove-initc:embedded" } });
  const autoscaler = startAutoscaler({
    ...shared,
    metricsSource: world.metricsSource,
    evaluations: inProcessQueue(),
    checkpoints: memoryCheckpoints(),
    isLeader: () => true,
  });
  try {
    await clock.settle();
    await Promise.all([operator.ready, autoscaler.ready]);
    for (const configMap of scenario.configMaps) await world.api.create(CONFIG_MAPS, configMap);
    const recording = recordWorld(autoscaler.informers, scenario, clock);
    await world.api.create(POD_CLIQUE_SETS, set);
    const { name } = set.metadata;
    const isAvailable = (): boolean =>
      (autoscaler.informers.sets.get(namespace, name)?.status?.availableReplicas ?? 0) >= set.spec.replicas;
    if (!(await clock.advanceUntil(isAvailable, MAX_START_MS))) {
      throw new SystemError(
        `${scenario.name}: the set is not available after ${MAX_START_MS / MINUTE_MS} min: is the cluster too small for it (--gpus, --gpus-per-node)?`,
      );
    }
    await world.api.create(SCALING_POLICIES, policy);
    const startMs = clock.monotonicMs();
    const system = { namespace, partOf: name };
    world.dataPlane.attachTraffic(system, scenario.arrivals);
    const totalMs = window.endMs + COOL_DOWN_MS;
    let atEnd: ReturnType<typeof recording.lives> = [];
    clock.setTimer(window.endMs, () => {
      atEnd = recording.lives();
    });
    for (let doneMs = 0; doneMs < totalMs && signal?.aborted !== true; doneMs += MINUTE_MS) {
      await clock.advance(Math.min(MINUTE_MS, totalMs - doneMs));
      onProgress?.(Math.min(1, (doneMs + MINUTE_MS) / totalMs));
    }
    // Of a trial that was cut off, what there is.
    const endMs = Math.min(window.endMs, Math.max(window.startMs, clock.monotonicMs() - startMs));
    const gpuBudget = policy.spec.gpuBudget?.max;
    return {
      autoscaler: "grove",
      seed,
      window: { startMs: startMs + window.startMs, endMs: startMs + endMs },
      targets: trialTargets(scenario),
      bands: bandsOf(policy),
      ...(gpuBudget === undefined ? {} : { gpuBudget }),
      requests: world.dataPlane.requests(system),
      lives: atEnd.length === 0 ? recording.lives() : atEnd,
      counts: recording.counts,
      orders: recording.orders,
      decisionMicros: new Float64Array(),
    };
  } finally {
    abort.abort();
  }
}

/** By role, as kubelets know it: the median of all stages, and the spread of all but the weights. */
function startupOf({ policy, set, startUpOf }: Scenario): StartupTimes {
  const { cliques, podCliqueScalingGroups = [] } = set.spec.template;
  return Object.fromEntries(
    policy.spec.scaleTargets.flatMap(({ role, ref }) => {
      if (role === undefined || role === "other") return [];
      const group = podCliqueScalingGroups.find(({ name }) => name === ref);
      const clique = cliques.find(({ name }) => name === (group?.cliqueNames[0] ?? ref));
      if (clique === undefined) return [];
      const { fixedMedianMs, fixedSpreadP90, weightsGiB, podGiBPerSecond } = startUpOf(clique.name);
      const weightsMs = (1000 * weightsGiB) / podGiBPerSecond;
      return [[role, { medianMs: fixedMedianMs + weightsMs, p90Ms: fixedMedianMs * fixedSpreadP90 + weightsMs }]];
    }),
  );
}
