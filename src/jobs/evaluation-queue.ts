/**
 * The EvaluationQueue port: where a policy is evaluated. An evaluation is plain data in and plain data out, so it may run anywhere.
 *
 * Adapters: in process (below) and BullMQ on Redis (`bullmq-queue.ts`), which spreads evaluations over all replicas of the service.
 */
import { type DecideResult, decide } from "../decide/decide.ts";
import type { Memory } from "../decide/memory.ts";
import type { Observation } from "../decide/observation.ts";
import type { Policy } from "../decide/policy.ts";

export interface Evaluation {
  /** `namespace/name` of the policy; one evaluation per key at a time. */
  readonly key: string;
  readonly policy: Policy;
  readonly observation: Observation;
  readonly memory: Memory;
}

export interface EvaluationQueue {
  evaluate(evaluation: Evaluation): Promise<DecideResult>;
  /** Why evaluations run elsewhere than configured; undefined when all is well. Shown in the `Degraded` condition. */
  readonly degraded: string | undefined;
  close(): Promise<void>;
}

export function inProcessQueue(): EvaluationQueue {
  return {
    evaluate: async ({ policy, observation, memory }) => decide(policy, observation, memory),
    degraded: undefined,
    close: async () => undefined,
  };
}
