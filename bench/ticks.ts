/** One tick of many policies: observe, decide, gate; metrics answers are in memory, so this is our own time. */
import { SCALING_POLICIES, type ScalingPolicy } from "../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../src/api/grove/pod-clique-set.ts";
import { noAutoscalerMetrics } from "../src/autoscaler/autoscaler-metrics.ts";
import { startAutoscalerInformers } from "../src/autoscaler/informers.ts";
import { PolicyLoop } from "../src/autoscaler/loop.ts";
import { createWriteGate } from "../src/autoscaler/write-gate.ts";
import { VirtualClock } from "../src/clock.ts";
import { startGroveOperator } from "../src/grove/operator.ts";
import { memoryCheckpoints } from "../src/jobs/checkpoint-store.ts";
import { inProcessQueue } from "../src/jobs/evaluation-queue.ts";
import { shareQueries } from "../src/observe/shared-queries.ts";
import { seededRandom } from "../src/random.ts";
import { createWorld } from "../src/sim/world.ts";
import { readExample } from "../test/sim/simulation.ts";
import { type Row, seconds } from "./measure.ts";

const TICKS = 5;

export async function benchTicks(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const policies of [1, 100, 1_000]) rows.push(await benchPolicies(policies));
  return rows;
}

async function benchPolicies(count: number): Promise<Row> {
  const clock = new VirtualClock();
  const abort = new AbortController();
  const random = seededRandom(count);
  const shared = { clock, random, signal: abort.signal };
  const world = await createWorld({
    ...shared,
    namespaces: ["serving"],
    nodes: Math.ceil(count / 2) + 1,
    startupScale: 0.05,
    scrapeIntervalMs: 30_000,
  });
  startGroveOperator({ ...shared, api: world.api });
  const workload = readExample<PodCliqueSet>("prefill-decode/workload.yaml", "PodCliqueSet");
  const policy = readExample<ScalingPolicy>("prefill-decode/policy.yaml", "ScalingPolicy");
  for (let index = 0; index < count; index++) {
    const name = `llama-${index}`;
    await world.api.create(POD_CLIQUE_SETS, { ...workload, metadata: { namespace: "serving", name } });
    await world.api.create(SCALING_POLICIES, {
      ...policy,
      metadata: { namespace: "serving", name },
      spec: { ...policy.spec, targetRef: { ...policy.spec.targetRef, name } },
    });
  }
  const informers = startAutoscalerInformers({ ...shared, api: world.api });
  await clock.advance(120_000);
  const loop = new PolicyLoop({
    informers,
    queries: shareQueries({ source: world.metricsSource, clock }),
    evaluations: inProcessQueue(),
    checkpoints: memoryCheckpoints(),
    gate: createWriteGate({ api: world.api, clock, random: seededRandom(1), isLeader: () => false }),
    clock,
    metrics: noAutoscalerMetrics,
  });
  const times: number[] = [];
  for (let tick = 0; tick < TICKS; tick++) {
    await clock.advance(15_000);
    times.push(
      await seconds(async () => {
        for (const one of informers.policies.list()) await loop.turn(one);
      }),
    );
  }
  abort.abort();
  // The first tick meets cold code and an empty memory.
  const best = Math.min(...times.slice(1));
  return {
    what: `one tick, ${count} ${count === 1 ? "policy" : "policies"} (3 targets, ${informers.pods.list().length} pods)`,
    value: `${(best * 1000).toFixed(1)} ms`,
    ...(count === 1_000 ? { aim: "< 1.5 s" } : {}),
  };
}
