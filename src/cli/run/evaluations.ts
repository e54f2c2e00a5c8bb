/** Where policies are evaluated and what survives a restart, as configured: Redis, or this process and the policies' status. */
import type { Clock } from "../../clock.ts";
import type { ServiceConfig } from "../../config.ts";
import { bullmqQueue } from "../../jobs/bullmq-queue.ts";
import { type CheckpointStore, statusCheckpoints } from "../../jobs/checkpoint-store.ts";
import { type EvaluationQueue, inProcessQueue } from "../../jobs/evaluation-queue.ts";
import { redisCheckpoints } from "../../jobs/redis-checkpoint-store.ts";
import { connectRedis } from "../../jobs/redis-link.ts";
import type { Logger } from "../../log.ts";

export interface EvaluationsOptions {
  readonly config: Pick<ServiceConfig, "redisUrl" | "redisPrefix">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onEvaluated: (place: "worker" | "fallback") => void;
}

export interface Evaluations {
  readonly evaluations: EvaluationQueue;
  readonly checkpoints: CheckpointStore;
}

export async function startEvaluations({ config, clock, log, onEvaluated }: EvaluationsOptions): Promise<Evaluations> {
  const { redisUrl, redisPrefix: prefix } = config;
  if (redisUrl === undefined) return { evaluations: inProcessQueue(), checkpoints: statusCheckpoints() };
  const link = await connectRedis({ url: redisUrl, clock, log });
  return {
    evaluations: bullmqQueue({ link, prefix, clock, log, onEvaluated }),
    checkpoints: redisCheckpoints({ link, prefix }),
  };
}
