/** What the autoscaler counts. The prom-client adapter is in `server/metrics.ts`. */
import type { Decision } from "../decide/decision.ts";
import type { GateResult } from "./write-gate.ts";

export interface AutoscalerMetrics {
  decided(policy: string, decision: Decision, durationSeconds: number): void;
  wrote(policy: string, result: GateResult): void;
  foreignWrite(policy: string): void;
  /** The policy is gone: its series end. */
  forget(policy: string): void;
}

export const noAutoscalerMetrics: AutoscalerMetrics = {
  decided: () => undefined,
  wrote: () => undefined,
  foreignWrite: () => undefined,
  forget: () => undefined,
};
