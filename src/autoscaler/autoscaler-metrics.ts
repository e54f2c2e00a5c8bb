/** What the autoscaler counts. The prom-client adapter is in `server/metrics.ts`. */
import type { Decision } from "../decide/decision.ts";
import type { Observation } from "../decide/observation.ts";
import type { Policy } from "../decide/policy.ts";
import type { GateResult } from "./write-gate.ts";

export interface AutoscalerMetrics {
  /** What a decision is about to be made on. */
  observed(policy: string, model: Policy, observation: Observation): void;
  decided(policy: string, decision: Decision, durationSeconds: number): void;
  wrote(policy: string, result: GateResult): void;
  foreignWrite(policy: string): void;
  /** The policy is gone: its series end. */
  forget(policy: string): void;
}

export const noAutoscalerMetrics: AutoscalerMetrics = {
  observed: () => undefined,
  decided: () => undefined,
  wrote: () => undefined,
  foreignWrite: () => undefined,
  forget: () => undefined,
};
