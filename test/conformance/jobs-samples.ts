/** Evaluations and policies for the suites of the two ports under `src/jobs`. */
import type { ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { emptyMemory, type Memory } from "../../src/decide/memory.ts";
import type { MetricReading, Observation } from "../../src/decide/observation.ts";
import { readPolicy } from "../../src/decide/policy.ts";
import type { Evaluation } from "../../src/jobs/evaluation-queue.ts";
import { readExample } from "../sim/simulation.ts";

const example = (): ScalingPolicy =>
  readExample<ScalingPolicy>("multinode-prefill-decode/policy.yaml", "ScalingPolicy");

/** The example policy over a set of one replica in which every metric reads `value` on each of `ready` replicas. */
export function sampleEvaluation({
  key = "serving/llama-70b",
  value = 0.9,
  ready = 2,
  atMs = 1_000_000,
  memory = emptyMemory,
}: {
  readonly key?: string;
  readonly value?: number;
  readonly ready?: number;
  readonly atMs?: number;
  readonly memory?: Memory;
} = {}): Evaluation {
  const policy = readPolicy(example().spec);
  const reading = (target: string): MetricReading => ({
    kind: "PerReplica",
    samples: Array.from({ length: ready }, (_, index) => ({ replica: `${target}/${index}`, value, ageMs: 1_000 })),
  });
  const observation: Observation = {
    nowMs: atMs,
    monotonicMs: atMs,
    set: {
      objectName: "llama-70b",
      resourceVersion: "7",
      replicas: 1,
      ready: 1,
      fixedGpus: 0,
      metrics: (policy.set?.metrics ?? []).map(() => reading("sets")),
    },
    targets: policy.targets.map(({ name, metrics }) => ({
      objects: [
        {
          setIndex: 0,
          objectName: `llama-70b-0-${name}`,
          resourceVersion: "8",
          replicas: ready,
          ready,
          starting: 0,
          pending: 0,
          overdue: 0,
          isChanging: false,
        },
      ],
      minAvailable: 1,
      templateReplicas: 1,
      gpusPerReplica: 2,
      metrics: metrics.map(() => reading(name)),
    })),
    gpusInUse: policy.targets.length * ready * 2,
    isSharing: false,
    startupsMs: [["decode", 40_000]],
    foreignWriters: {},
  };
  return { key, policy, observation, memory };
}

export function samplePolicy(name = "llama-70b", uid = `uid-of-${name}`): ScalingPolicy {
  const policy = example();
  return { ...policy, metadata: { ...policy.metadata, namespace: "serving", name, uid } };
}
