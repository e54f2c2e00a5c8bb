/** From a case of the comparison to a scenario that can be tried. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { admit } from "../../src/api/admission.ts";
import type { ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { parseWholeProfile, type WholeProfile } from "../../src/api/autoscaling/whole-profile.ts";
import type { PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import type { KubeObject } from "../../src/api/kubernetes/meta.ts";
import { seededRandom } from "../../src/random.ts";
import type { Arrival } from "../../src/sim/engines/data-plane.ts";
import { StepTimes } from "../../src/sim/engines/step-times.ts";
import { syntheticArrivals, syntheticScenario } from "../../src/sim/traffic/synthetic.ts";
import { replayTrace } from "../../src/sim/traffic/trace.ts";
import { readTraceFile } from "../../src/sim/traffic/trace-file.ts";
import { needsOf } from "../../src/trial/oracles/needs.ts";
import type { Fault, Scenario } from "../../src/trial/scenario.ts";
import { servingSystem } from "../../src/trial/system.ts";
import type { Case, Part } from "./cases.ts";

const POLICY = new URL("../../policies/prefill-decode-slo/policy.yaml", import.meta.url);
const GPUS_PER_NODE = 8;
const NODES_PER_RACK = 4;
/** Eight nodes' worth of a fast file system. */
const STORAGE_GIB_PER_SECOND = 16;
const START_UP_SPREAD_P90 = 1.5;
const SCRAPE_INTERVAL_MS = 15_000;
/** What a client waits for its first token. */
const FIRST_TOKEN_TIMEOUT_MS = 120_000;

/** @throws Error naming the file that is missing, and how to say where it is */
function dataFile(folder: string, kind: "traces" | "profiles", name: string): string {
  const path = join(folder, kind, name);
  if (existsSync(path)) return path;
  throw new Error(
    `${path} is not there. The comparison runs on public traces and profiles (bench/README.md says which): put them into a folder with traces/ and profiles/ and give it with --data FOLDER`,
  );
}

export interface ScenarioOptions {
  readonly data: string;
  readonly part: Part;
  readonly seed: number;
  readonly faults?: readonly Fault[];
}

export function scenarioOf(one: Case, { data, part, seed, faults = [] }: ScenarioOptions): Scenario {
  const text = readFileSync(dataFile(data, "profiles", one.profile), "utf8");
  const parsed = parseWholeProfile(text);
  if (!parsed.ok) throw new Error(`${one.profile}: ${parsed.problem.field} ${parsed.problem.message}`);
  const arrivals = arrivalsOf(one, { data, part, seed });
  const system = servingSystem({
    policy: policyOf(one),
    configMaps: [],
    profile: { text, profile: parsed.profile },
    startUpSpreadP90: START_UP_SPREAD_P90,
  });
  const started = withInitialReplicas(system.set, arrivals, one, parsed.profile);
  const { workers } = parsed.profile;
  const gpus = one.maxPrefill * workers.prefill.gpus + one.maxDecode * workers.decode.gpus;
  const lastMs = arrivals.at(-1)?.atMs ?? 0;
  const endMs = Math.min((part.toSeconds - part.fromSeconds + part.warmUpSeconds) * 1000, lastMs);
  return {
    ...system,
    ...(one.stepOverheadMs === undefined
      ? {}
      : { profiles: withStepOverhead(system.profiles, parsed.profile, one.stepOverheadMs) }),
    set: started,
    name: one.name,
    arrivals,
    pool: { nodes: Math.ceil(gpus / GPUS_PER_NODE), gpusPerNode: GPUS_PER_NODE, nodesPerRack: NODES_PER_RACK },
    storageGiBPerSecond: STORAGE_GIB_PER_SECOND,
    window: { startMs: part.warmUpSeconds * 1000, endMs },
    scrapeIntervalMs: SCRAPE_INTERVAL_MS,
    ...(one.prefixCaching === true ? { prefixCaching: true, routing: "kv-aware" as const } : {}),
    firstTokenTimeoutMs: FIRST_TOKEN_TIMEOUT_MS,
    faults,
  };
}

const NO_RATIO = { min: "1:24", max: "24:1" };

/** The policy that is shipped, with the goals, the bounds and the cluster of the case. */
function policyOf({ ttftMs, itlMs, maxPrefill, maxDecode, ratio = NO_RATIO, gpuBudget }: Case): ScalingPolicy {
  const shipped = parseAllDocuments(readFileSync(POLICY, "utf8"))
    .map((document) => document.toJS() as ScalingPolicy)
    .find(({ kind }) => kind === "ScalingPolicy") as ScalingPolicy;
  const most: Readonly<Record<string, number>> = { prefill: maxPrefill, decode: maxDecode };
  const { gpuBudget: _, ratios: __, ...spec } = shipped.spec;
  const object = {
    ...shipped,
    spec: {
      ...spec,
      scaleTargets: spec.scaleTargets.map((target) => ({
        ...target,
        maxReplicas: most[target.name] ?? target.maxReplicas,
      })),
      slo: {
        ...spec.slo,
        ttft: { quantile: "p90", target: `${ttftMs}ms` },
        itl: { quantile: "p90", target: `${itlMs}ms` },
      },
      ratios: [{ name: "prefill-decode", between: ["prefill", "decode"], ...ratio }],
      ...(gpuBudget === undefined ? {} : { gpuBudget: { max: gpuBudget } }),
    },
  } as unknown as KubeObject;
  const { object: complete, errors } = admit({ operation: "CREATE", object });
  if (errors.length > 0) throw new Error(`the policy of the comparison: ${JSON.stringify(errors)}`);
  return complete as ScalingPolicy;
}

/** Of the engines alone: what the policy reads stays as it is. */
function withStepOverhead(
  profiles: Scenario["profiles"],
  whole: WholeProfile,
  stepOverheadMs: number,
): Scenario["profiles"] {
  const stepTimes = new StepTimes(whole, { decodeMultiplier: whole.decodeMultiplier, stepOverheadMs });
  return Object.fromEntries(Object.entries(profiles).map(([name, profile]) => [name, { ...profile, stepTimes }]));
}

function arrivalsOf({ traffic }: Case, { data, part, seed }: Omit<ScenarioOptions, "faults">): readonly Arrival[] {
  const random = seededRandom(seed);
  const startSeconds = part.fromSeconds - part.warmUpSeconds;
  if ("synthetic" in traffic) {
    return [...syntheticArrivals(syntheticScenario(traffic.synthetic, traffic.requestsPerSecond), random)];
  }
  const trace = readTraceFile(dataFile(data, "traces", traffic.trace));
  return replayTrace(trace, {
    startSeconds,
    durationSeconds: part.toSeconds - startSeconds,
    rateFactor: traffic.rateFactor,
    jitterSeconds: traffic.jitterSeconds ?? 0,
    random,
  });
}

const START_INTERVALS_MS = 120_000;
/** Of the capacity at the goal. */
const START_USED_RATIO = 0.7;

/** Everybody takes over a system that suits the load of the first two minutes. */
function withInitialReplicas(
  set: PodCliqueSet,
  arrivals: readonly Arrival[],
  { ttftMs, itlMs, maxPrefill, maxDecode }: Case,
  profile: WholeProfile,
): PodCliqueSet {
  const { replicas } = needsOf({
    arrivals: arrivals.filter(({ atMs }) => atMs < START_INTERVALS_MS),
    roles: ["prefill", "decode"],
    profile,
    goals: { ttft: { quantile: 0.9, targetMs: ttftMs }, itl: { quantile: 0.9, targetMs: itlMs } },
    intervalMs: START_INTERVALS_MS / 4,
    endMs: START_INTERVALS_MS,
    usedRatio: START_USED_RATIO,
    // Nobody starts short.
    sharesQueue: false,
  });
  const most = { prefill: maxPrefill, decode: maxDecode };
  const initial = new Map(
    (["prefill", "decode"] as const).map((role, index) => [
      role as string,
      Math.min(most[role], Math.max(1, Math.ceil(Math.max(...(replicas[index] ?? []))))),
    ]),
  );
  const { template } = set.spec;
  const cliques = template.cliques.map((clique) => {
    const replicas = initial.get(clique.name);
    return replicas === undefined ? clique : { ...clique, spec: { ...clique.spec, replicas, minAvailable: 1 } };
  });
  return { ...set, spec: { ...set.spec, template: { ...template, cliques } } };
}
