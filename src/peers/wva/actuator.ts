/**
 * What turns the replicas that the variant autoscaler publishes into `spec.replicas`: an HPA on that number, as its chart makes one.
 *
 * Source: the Helm chart of llm-d/llm-d-workload-variant-autoscaler (External `AverageValue: 1`, 10 pods in 150 s both ways, windows of
 * 240 s). The tolerance of that HPA swallows steps of one from ten replicas on: 11/10 is within a tenth of 1.
 */
import type { Behavior, ScalingRules } from "../hpa/behavior.ts";
import { externalAverageValue } from "../hpa/proposals.ts";
import { type HpaMemory, hpaSync } from "../hpa/sync.ts";
import type { PeerParameter, RoleCounts } from "../peer.ts";

/** An analysis is made at every second sync. */
export const ANALYSIS_MS = 30_000;

export const ACTUATOR_PARAMETERS = {
  windowSeconds: {
    default: 240,
    min: 0,
    max: 900,
    scale: "linear",
    about: "stabilization windows of the HPA, both ways",
  },
  hpaTolerance: { default: 0.1, min: 0, max: 0.1, scale: "linear", about: "tolerance of the HPA" },
} as const satisfies Record<string, PeerParameter>;

export interface Published {
  /** Undefined: nothing published yet. */
  readonly desired: number | undefined;
  readonly analysedMs: number;
}

export interface ActuatorMemory extends Published {
  readonly hpa: HpaMemory | undefined;
}

export const isDue = (nowMs: number, memory: Published | undefined): boolean =>
  memory === undefined || nowMs - memory.analysedMs >= ANALYSIS_MS;

export function actuate(
  nowMs: number,
  counts: RoleCounts,
  { desired, hpa }: ActuatorMemory,
  { windowSeconds = 240, hpaTolerance = 0.1 }: Readonly<Record<string, number>>,
): { readonly replicas?: number; readonly memory: HpaMemory } {
  const rules: ScalingRules = {
    stabilizationMs: windowSeconds * 1000,
    policies: [{ type: "Pods", value: 10, periodMs: 150_000 }],
  };
  const behavior: Behavior = { up: rules, down: rules };
  const proposals = [externalAverageValue(desired, 1, counts.specReplicas, hpaTolerance)];
  return hpaSync({ nowMs, counts, proposals, behavior }, hpa);
}
