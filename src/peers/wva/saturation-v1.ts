/**
 * The variant autoscaler's first saturation analysis: spare KV cache and spare queue of the replicas that are not saturated.
 *
 * Source: llm-d/llm-d-workload-variant-autoscaler:internal/saturation/analyzer.go (internal/capacity/analyzer.go before). One variant a role.
 */

import { SYNC_MS } from "../hpa/sync.ts";
import type { PeerDefinition, RoleCounts } from "../peer.ts";
import { perRole } from "../per-role.ts";
import { meanOf } from "../stamped.ts";
import { ACTUATOR_PARAMETERS, type ActuatorMemory, actuate, isDue, type Published } from "./actuator.ts";
import { loadsOf, type ReplicaLoad, replicaQueries } from "./queries.ts";

export interface SaturationOptions {
  /** A replica at one of these is saturated. */
  readonly kvThreshold: number;
  readonly queueThreshold: number;
  /** Mean distance to the thresholds that has to be left. */
  readonly kvSpareTrigger: number;
  readonly queueSpareTrigger: number;
}

/** Removing one needs somebody to take its load. */
const MIN_UNSATURATED = 2;

/** The step that the replicas ask for: up while too little is spare, down when enough would be spare on one less. */
export function saturationStep(loads: readonly ReplicaLoad[], options: SaturationOptions): -1 | 0 | 1 {
  if (loads.length === 0) return 0;
  const { kvThreshold, queueThreshold, kvSpareTrigger, queueSpareTrigger } = options;
  const free = loads.filter(({ kvUsage, waiting }) => kvUsage < kvThreshold && waiting < queueThreshold);
  const spareKv = meanOf(free.map(({ kvUsage }) => kvThreshold - kvUsage)) ?? 0;
  const spareQueue = meanOf(free.map(({ waiting }) => queueThreshold - waiting)) ?? 0;
  if (spareKv < kvSpareTrigger || spareQueue < queueSpareTrigger) return 1;
  if (free.length < MIN_UNSATURATED || loads.length <= 1) return 0;
  const sum = (of: (load: ReplicaLoad) => number): number => free.reduce((total, load) => total + of(load), 0);
  const kvAfter = sum(({ kvUsage }) => kvUsage) / (free.length - 1);
  const queueAfter = sum(({ waiting }) => waiting) / (free.length - 1);
  const isSafe = kvThreshold - kvAfter >= kvSpareTrigger && queueThreshold - queueAfter >= queueSpareTrigger;
  return isSafe ? -1 : 0;
}

/** What is published next: nothing new while replicas are on their way, or do not all report. */
export function nextDesired(
  before: Published | undefined,
  { specReplicas }: RoleCounts,
  loads: readonly ReplicaLoad[],
  options: SaturationOptions,
): number | undefined {
  const desired = before?.desired;
  if (loads.length === 0) return desired ?? specReplicas;
  if (desired !== undefined && desired !== specReplicas) return desired;
  if (loads.length !== specReplicas) return specReplicas;
  return loads.length + saturationStep(loads, options);
}

export const WVA_V1: PeerDefinition = {
  name: "wva-v1",
  title: "llm-d workload variant autoscaler V1 under its HPA (re-implemented)",
  source: "llm-d/llm-d-workload-variant-autoscaler:internal/saturation/analyzer.go",
  parameters: {
    kvThreshold: {
      default: 0.8,
      min: 0.1,
      max: 0.95,
      scale: "linear",
      about: "KV usage from which a replica is saturated",
    },
    queueThreshold: { default: 5, min: 1, max: 100, scale: "log", about: "waiting requests from which it is" },
    kvSpareTrigger: { default: 0.1, min: 0.01, max: 0.6, scale: "linear", about: "spare KV usage that has to be left" },
    queueSpareTrigger: { default: 3, min: 0.2, max: 50, scale: "log", about: "spare queue that has to be left" },
    ...ACTUATOR_PARAMETERS,
  },
  create(parameters, { roles }) {
    const { kvThreshold = 0.8, queueThreshold = 5, kvSpareTrigger = 0.1, queueSpareTrigger = 3 } = parameters;
    const options = { kvThreshold, queueThreshold, kvSpareTrigger, queueSpareTrigger };
    return perRole<ActuatorMemory>(roles, {
      tickMs: SYNC_MS,
      queries: replicaQueries,
      decide(input, memory) {
        const { nowMs, counts } = input;
        const published = isDue(nowMs, memory)
          ? { desired: nextDesired(memory, counts, loadsOf(input, counts), options), analysedMs: nowMs }
          : (memory as ActuatorMemory);
        const acted = actuate(nowMs, counts, { ...published, hpa: memory?.hpa }, parameters);
        return {
          replicas: acted.replicas,
          memory: { desired: published.desired, analysedMs: published.analysedMs, hpa: acted.memory },
        };
      },
    });
  },
};
