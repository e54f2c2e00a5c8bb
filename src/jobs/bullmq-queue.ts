/**
 * EvaluationQueue on BullMQ: evaluations are jobs that a worker in any replica of the service takes; the leader waits for the result.
 *
 * It never makes a turn fail or wait: whatever goes wrong with Redis, the evaluation is done in this process instead and `degraded` says why.
 */
import { Queue, QueueEvents, Worker } from "bullmq";
import type { Clock } from "../clock.ts";
import { type DecideResult, decide } from "../decide/decide.ts";
import { type Logger, silentLogger } from "../log.ts";
import type { Evaluation, EvaluationQueue } from "./evaluation-queue.ts";
import { decodeExact, encodeExact } from "./exact-json.ts";
import type { RedisLink } from "./redis-link.ts";

export interface BullmqQueueOptions {
  readonly link: RedisLink;
  /** First part of every key. */
  readonly prefix: string;
  readonly clock: Clock;
  /** Jobs that this replica evaluates at the same time. */
  readonly concurrency?: number;
  readonly log?: Logger;
  /** Called for each evaluation that this process computed: as a worker for the leader, or itself for want of Redis. */
  readonly onEvaluated?: (place: "worker" | "fallback") => void;
}

/** Bumped when the shape of an evaluation or of its result changes: replicas of two versions do not take each other's jobs. */
const QUEUE_NAME = "evaluations-v2";
/** A job that is older than a turn's patience is of no use to anybody. */
const JOB_TTL_MS = 1_000;
/** Finished jobs that are kept for a leader that has not read them yet: 1,000 × some 30 kB. */
const KEEP_FINISHED = 1_000;
/** Four events a job, of which one carries the result. */
const KEEP_EVENTS = 4 * KEEP_FINISHED;
const CLOSE_TIMEOUT_MS = 1_000;

interface JobData {
  /** Of this very evaluation: the answer to another one of the same policy is not the answer. */
  readonly id: string;
  readonly evaluation: string;
}

interface JobResult {
  readonly id: string;
  /** Absent: it could not be decided. The leader finds the error by itself, with its stack. */
  readonly result?: string;
}

export function bullmqQueue(options: BullmqQueueOptions): EvaluationQueue {
  const { link, prefix, clock, concurrency = 4, log = silentLogger, onEvaluated = () => undefined } = options;
  // The hash tag keeps all keys of the queue in one slot of a Redis cluster.
  const common = { prefix: `{${prefix}}` };
  const queue = new Queue<JobData, JobResult>(QUEUE_NAME, {
    ...common,
    connection: link.client,
    streams: { events: { maxLen: KEEP_EVENTS } },
  });
  // From the beginning: an event that comes before the first read would be missed, and its leader would wait in vain.
  const events = new QueueEvents(QUEUE_NAME, {
    ...common,
    connection: link.blockingClient(),
    lastEventId: "0-0",
    // How long a read that nobody answers may outlive the end of the service.
    blockingTimeout: 2_000,
  });
  const worker = new Worker<JobData, JobResult>(
    QUEUE_NAME,
    async ({ data }) => {
      const { policy, observation, memory } = decodeExact(data.evaluation) as Evaluation;
      try {
        const result = encodeExact(decide(policy, observation, memory));
        onEvaluated("worker");
        return { id: data.id, result };
      } catch {
        return { id: data.id };
      }
    },
    { ...common, connection: link.blockingClient(), concurrency },
  );
  // What they report is a lost connection, which the link notices and says by itself.
  const note = (error: Error): void => log.debug({ error: String(error) }, "bullmq");
  queue.on("error", note);
  events.on("error", note);
  worker.on("error", note);
  // One listener per evaluation that is waited for: as many as there are turns at once.
  queue.setMaxListeners(0);
  events.setMaxListeners(0);
  const origin = `${process.pid}-${clock.nowMs()}`;
  let evaluationNumber = 0;

  async function evaluateAnywhere(evaluation: Evaluation): Promise<DecideResult | undefined> {
    const id = `${origin}-${evaluationNumber++}`;
    const job = await queue.add(
      "evaluate",
      { id, evaluation: encodeExact(evaluation) },
      {
        // A job that died with its worker must not stand in the way of the policy's next ones.
        deduplication: { id: evaluation.key, ttl: JOB_TTL_MS },
        removeOnComplete: { count: KEEP_FINISHED },
        removeOnFail: { count: KEEP_FINISHED },
        attempts: 1,
      },
    );
    const answer = await job.waitUntilFinished(events, JOB_TTL_MS);
    return answer.id === id && answer.result !== undefined ? (decodeExact(answer.result) as DecideResult) : undefined;
  }

  return {
    async evaluate(evaluation) {
      const answer = await link.attempt(() => evaluateAnywhere(evaluation));
      if (answer?.value !== undefined) return answer.value;
      const result = decide(evaluation.policy, evaluation.observation, evaluation.memory);
      onEvaluated("fallback");
      return result;
    },
    get degraded() {
      return link.degraded;
    },
    async close() {
      // Jobs at hand are finished first; without Redis they cannot be, and nobody waits for them.
      await atMost(CLOSE_TIMEOUT_MS, clock, worker.pause());
      await atMost(CLOSE_TIMEOUT_MS, clock, Promise.allSettled([worker.close(true), events.close(), queue.close()]));
      await link.close();
    },
  };
}

async function atMost(timeoutMs: number, clock: Clock, work: Promise<unknown>): Promise<void> {
  const given = new AbortController();
  const done = work.catch(() => undefined);
  await Promise.race([done, clock.sleep(timeoutMs, given.signal).catch(() => undefined)]);
  given.abort();
}
