/** Where policies are evaluated and what survives a restart, as configured: Redis, or this process and the policies' status. */
import type { Clock } from "../../clock.ts";
import type { ServiceConfig } from "../../config/settings.ts";
import { bullmqQueue } from "../../jobs/bullmq-queue.ts";
import { type CheckpointStore, statusCheckpoints } from "../../jobs/checkpoint-store.ts";
import { type DecisionStream, redisDecisions } from "../../jobs/decision-stream.ts";
import { type EvaluationQueue, inProcessQueue } from "../../jobs/evaluation-queue.ts";
import { recordEvaluations } from "../../jobs/recorder.ts";
import { redisCheckpoints } from "../../jobs/redis-checkpoint-store.ts";
import { connectRedis } from "../../jobs/redis-link.ts";
import type { Logger } from "../../log.ts";
import { recordingTo } from "../recording.ts";

export interface EvaluationsOptions {
  readonly config: Pick<ServiceConfig, "redisUrl" | "redisPrefix" | "recordFile" | "recordMaxMegabytes">;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onEvaluated: (place: "worker" | "fallback") => void;
}

export interface Evaluations {
  readonly evaluations: EvaluationQueue;
  readonly checkpoints: CheckpointStore;
  /** Only with Redis. */
  readonly decisions?: DecisionStream;
}

/** @throws UsageError when the recording cannot be opened */
export async function startEvaluations(options: EvaluationsOptions): Promise<Evaluations> {
  const { recordFile: file, recordMaxMegabytes } = options.config;
  const recording =
    file === undefined ? undefined : recordingTo({ file, maxBytes: recordMaxMegabytes * 1_000_000, log: options.log });
  const started = await startUnrecorded(options);
  return recording === undefined
    ? started
    : { ...started, evaluations: recordEvaluations(started.evaluations, recording) };
}

async function startUnrecorded({ config, clock, log, onEvaluated }: EvaluationsOptions): Promise<Evaluations> {
  const { redisUrl, redisPrefix: prefix } = config;
  if (redisUrl === undefined) return { evaluations: inProcessQueue(), checkpoints: statusCheckpoints() };
  const link = await connectRedis({ url: redisUrl, clock, log });
  return {
    evaluations: bullmqQueue({ link, prefix, clock, log, onEvaluated }),
    checkpoints: redisCheckpoints({ link, prefix }),
    decisions: redisDecisions({ link, prefix }),
  };
}
