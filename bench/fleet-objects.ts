/** A fleet as an API server would list it: policies, sets, cliques and pods with all that real objects carry. Each object is parsed anew, as from a response. */

import { GPU_BUDGETS } from "../src/api/autoscaling/gpu-budget.ts";
import type { ScalingPolicy } from "../src/api/autoscaling/scaling-policy.ts";
import { defaultScalingPolicy } from "../src/api/autoscaling/scaling-policy-defaults.ts";
import { HISTORY_MAX_ENTRIES, type ScalingPolicyStatus } from "../src/api/autoscaling/scaling-policy-status.ts";
import { POD_CLIQUES } from "../src/api/grove/pod-clique.ts";
import type { PodCliqueSet } from "../src/api/grove/pod-clique-set.ts";
import { apiVersionOf } from "../src/api/kubernetes/meta.ts";
import { formatTime } from "../src/api/kubernetes/time.ts";
import { forecastDemand, noForecasts } from "../src/decide/forecast/forecast.ts";
import { emptyMemory } from "../src/decide/memory.ts";
import { readPolicy } from "../src/decide/policy.ts";
import { serializeMemory } from "../src/jobs/checkpoint-store.ts";
import { readExample } from "../test/sim/simulation.ts";

/** Ready pods of one policy: ten GPUs, one each for prefill and decode. */
const ROLES = { frontend: 1, prefill: 3, decode: 7 } as const;
export const GPUS_PER_POLICY = ROLES.prefill + ROLES.decode;
export const PODS_PER_POLICY = GPUS_PER_POLICY + ROLES.frontend;
const POLICIES_PER_NAMESPACE = 100;

/** Each policy its own maximum, or one GPUBudget for all that has a fifth more than they use. */
export type FleetBudget = "own" | "shared";
const SHARED_BUDGET = "fleet";

export type Role = keyof typeof ROLES;

export interface FleetPod {
  readonly namespace: string;
  readonly policy: string;
  readonly role: Role;
  readonly name: string;
  /** From 0, among those of its role. */
  readonly index: number;
}

const namespaceOf = (policy: number): string => `team-${Math.floor(policy / POLICIES_PER_NAMESPACE)}`;
const POLICY_NAME = "llama-";
const policyName = (policy: number): string => `${POLICY_NAME}${policy}`;

export function* podsOf(policies: number): Generator<FleetPod> {
  for (let policy = 0; policy < policies; policy++) {
    for (const [role, replicas] of Object.entries(ROLES)) {
      for (let index = 0; index < replicas; index++) {
        const name = `${policyName(policy)}-0-${role}-${(policy * 16 + index).toString(36).padStart(5, "x")}`;
        yield { namespace: namespaceOf(policy), policy: policyName(policy), role: role as Role, name, index };
      }
    }
  }
}

/** What every metric of a pod says: half, more by day and less at night, each pod a little more or less than the others. */
export function usageOf({ role, index }: Pick<FleetPod, "role" | "index">, atMs: number): number {
  const usage = 0.5 + 0.1 * Math.sin((2 * Math.PI * atMs) / DAY_MS);
  return Number((usage * (0.8 + (0.4 * (index + 0.5)) / ROLES[role])).toFixed(6));
}

/** What one replica may have, in `policies/prefill-decode`. */
const TARGET_USAGE = { frontend: 25, prefill: 5, decode: 0.7 } as const satisfies Record<Role, number>;

function demandOf(role: Role, atMs: number): number {
  const pods = Array.from({ length: ROLES[role] }, (_, index) => usageOf({ role, index }, atMs));
  return pods.reduce((sum, usage) => sum + usage, 0) / TARGET_USAGE[role];
}

export interface Fleet {
  /** Of all objects of a kind, by its plural; every text is one object. */
  readonly texts: (plural: string) => Generator<string>;
  readonly policyText: (name: string) => string;
}

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const OLDEST_MS = 30 * DAY_MS;
const YOUNGEST_MS = DAY_MS;
/** Of a pod, from its creation to Ready. */
const START_UP_MS = 400_000;
/** Spreads whole numbers over all ages. */
const SPREAD = 7_919_000;

export function fleetOf(policies: number, budget: FleetBudget, nowMs: number): Fleet {
  const workload = readExample<PodCliqueSet>("prefill-decode/workload.yaml", "PodCliqueSet");
  // With its defaults, as an API server has it.
  const policy = defaultScalingPolicy(readExample<ScalingPolicy>("prefill-decode/policy.yaml", "ScalingPolicy"));
  const createdMs = (index: number): number => nowMs - YOUNGEST_MS - ((index * SPREAD) % (OLDEST_MS - YOUNGEST_MS));
  const metadataOf = (
    namespace: string,
    name: string,
    createdAt: string,
    labels: Readonly<Record<string, string>> = {},
  ) => ({
    namespace,
    name,
    labels,
    uid: `uid-${namespace}/${name}`,
    resourceVersion: "1000",
    generation: 1,
    creationTimestamp: createdAt,
    managedFields: [
      {
        manager: "grove-operator",
        operation: "Apply",
        apiVersion: "v1",
        time: createdAt,
        fieldsType: "FieldsV1",
        fieldsV1: {
          "f:metadata": { "f:labels": { "f:app.kubernetes.io/managed-by": {}, "f:grove.io/podclique": {} } },
        },
      },
    ],
  });
  const labelsOf = (name: string, role?: Role): Readonly<Record<string, string>> => ({
    "app.kubernetes.io/managed-by": "grove-operator",
    "app.kubernetes.io/part-of": name,
    "app.kubernetes.io/name": role === undefined ? name : `${name}-0-${role}`,
    "app.kubernetes.io/component": "pcs-podclique",
    "grove.io/podcliqueset-replica-index": "0",
    "grove.io/podgang": `${name}-0`,
    ...(role === undefined ? {} : { "grove.io/podclique": `${name}-0-${role}` }),
  });
  const cliqueOf = (role: Role) => {
    const clique = workload.spec.template.cliques.find(({ name }) => name === role);
    if (clique === undefined) throw new Error(`the example has no clique ${role}`);
    return clique;
  };

  const status = statusAfterADay(policy, nowMs);
  const policyOf = (index: number) => ({
    ...policy,
    metadata: metadataOf(namespaceOf(index), policyName(index), formatTime(createdMs(index))),
    spec: {
      ...policy.spec,
      targetRef: { name: policyName(index) },
      ...(budget === "own"
        ? {}
        : { gpuBudget: { ...policy.spec.gpuBudget, sharedBudgetRef: { name: SHARED_BUDGET } } }),
    },
    status,
  });
  const setOf = (index: number) => ({
    ...workload,
    metadata: metadataOf(namespaceOf(index), policyName(index), formatTime(createdMs(index))),
    status: { replicas: 1, availableReplicas: 1, updatedReplicas: 1 },
  });
  function* each(make: (index: number) => object): Generator<string> {
    for (let index = 0; index < policies; index++) yield JSON.stringify(make(index));
  }
  function* cliques(): Generator<string> {
    for (let index = 0; index < policies; index++) {
      for (const role of Object.keys(ROLES) as Role[]) {
        const name = policyName(index);
        yield JSON.stringify({
          apiVersion: "grove.io/v1alpha1",
          kind: POD_CLIQUES.kind,
          metadata: metadataOf(
            namespaceOf(index),
            `${name}-0-${role}`,
            formatTime(createdMs(index)),
            labelsOf(name, role),
          ),
          spec: { ...cliqueOf(role).spec, replicas: ROLES[role] },
          status: { replicas: ROLES[role], readyReplicas: ROLES[role], scheduledReplicas: ROLES[role] },
        });
      }
    }
  }
  function* pods(): Generator<string> {
    let index = 0;
    for (const { namespace, policy: set, role, name } of podsOf(policies)) {
      const atMs = createdMs(index++);
      const createdAt = formatTime(atMs);
      const readyAt = formatTime(atMs + START_UP_MS);
      yield JSON.stringify({
        apiVersion: "v1",
        kind: "Pod",
        metadata: metadataOf(namespace, name, createdAt, labelsOf(set, role)),
        spec: { ...cliqueOf(role).spec.podSpec, nodeName: `gpu-node-${name.length}` },
        status: {
          phase: "Running",
          conditions: ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
            type,
            status: "True",
            lastTransitionTime: type === "Ready" || type === "ContainersReady" ? readyAt : createdAt,
          })),
          podIP: "10.0.0.1",
          hostIP: "10.1.0.1",
          containerStatuses: [{ name: "vllm", ready: true, restartCount: 0, image: "vllm/vllm-openai:latest" }],
        },
      });
    }
  }
  function* budgets(): Generator<string> {
    const { namespace: _, ...metadata } = metadataOf("", SHARED_BUDGET, formatTime(nowMs - OLDEST_MS));
    yield JSON.stringify({
      apiVersion: apiVersionOf(GPU_BUDGETS),
      kind: GPU_BUDGETS.kind,
      metadata,
      spec: { capacity: Math.ceil(1.2 * policies * GPUS_PER_POLICY), reserve: 0, members: [] },
    });
  }
  const texts: Fleet["texts"] = (plural) => {
    if (plural === "pods") return pods();
    if (plural === "podcliques") return cliques();
    if (plural === "podcliquesets") return each(setOf);
    if (plural === "scalingpolicies") return each(policyOf);
    if (plural === "gpubudgets" && budget === "shared") return budgets();
    return [][Symbol.iterator]() as unknown as Generator<string>;
  };
  return { texts, policyText: (name) => JSON.stringify(policyOf(Number(name.slice(POLICY_NAME.length)))) };
}

/** What a policy that was followed for a day has in its status: a full history, and forecasts that know the day. */
function statusAfterADay({ spec }: ScalingPolicy, nowMs: number): Pick<ScalingPolicyStatus, "history" | "checkpoint"> {
  const forecasts = spec.scaleTargets.map(({ name }) => {
    let memory = noForecasts(DAY_MS);
    for (let atMs = nowMs - 1.1 * DAY_MS; atMs < nowMs; atMs += MINUTE_MS / 4)
      ({ memory } = forecastDemand(demandOf(name as Role, atMs), atMs, START_UP_MS, readPolicy(spec).forecast, memory));
    return [name, memory] as const;
  });
  const history = Array.from({ length: HISTORY_MAX_ENTRIES }, (_, at) => ({
    id: `${at + 1}`,
    time: formatTime(nowMs - (HISTORY_MAX_ENTRIES - at) * 20 * MINUTE_MS),
    outcome: "Scaled" as const,
    reason: "MetricAboveTarget",
    message: `decode ${at}→${at + 1}: kvCacheUsage asks for ${at + 0.62} replicas, forecast ${at + 0.81} within 400 s; prefill 3 and frontend 1 stay`,
    desired: { frontend: 1, prefill: 3, decode: at + 1 },
  }));
  return { history, checkpoint: serializeMemory({ ...emptyMemory, forecasts: Object.fromEntries(forecasts) }) };
}
