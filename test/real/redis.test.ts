/** Evaluations and checkpoints on a real Redis, and what becomes of them when it dies, hangs and comes back. */
import { request } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { wallClock } from "../../src/clock.ts";
import { decide } from "../../src/decide/decide.ts";
import { emptyMemory } from "../../src/decide/memory.ts";
import { bullmqQueue } from "../../src/jobs/bullmq-queue.ts";
import { redisDecisions } from "../../src/jobs/decision-stream.ts";
import type { EvaluationQueue } from "../../src/jobs/evaluation-queue.ts";
import { decodeExact } from "../../src/jobs/exact-json.ts";
import { redisCheckpoints } from "../../src/jobs/redis-checkpoint-store.ts";
import { connectRedis, type RedisLink } from "../../src/jobs/redis-link.ts";
import { type Logger, silentLogger } from "../../src/log.ts";
import { describeCheckpointStore } from "../conformance/checkpoint-store.ts";
import { describeEvaluationQueue } from "../conformance/evaluation-queue.ts";
import { sampleEvaluation, samplePolicy } from "../conformance/jobs-samples.ts";
import { runOn } from "../e2e/run-process.ts";
import { startServiceWorld } from "../e2e/service-world.ts";
import { type RealRedis, skipWithoutRedis, startRealRedis } from "./real-redis.ts";

const clock = wallClock();
const WAIT = { timeout: 30_000, interval: 100 };
/** What a turn may lose to Redis at most: the timeout of a link, and the machine's own hiccups. */
const MAX_TURN_MS = 4_000;

describe.skipIf(skipWithoutRedis())("on a real Redis", () => {
  let redis: RealRedis;
  const links: RedisLink[] = [];
  const queues: EvaluationQueue[] = [];
  beforeAll(async () => {
    redis = await startRealRedis();
  });
  afterEach(async () => {
    await Promise.all(queues.splice(0).map((queue) => queue.close()));
    await Promise.all(links.splice(0).map((link) => link.close()));
  });
  afterAll(() => redis?.stop());

  let prefixNumber = 0;
  const freshPrefix = (): string => `test-${process.pid}-${prefixNumber++}`;
  const connect = async (log: Logger = silentLogger): Promise<RedisLink> => {
    const link = await connectRedis({ url: redis.url, clock, log, retryMs: 500 });
    links.push(link);
    return link;
  };
  const openQueue = async (
    prefix = freshPrefix(),
    log: Logger = silentLogger,
  ): Promise<{ readonly queue: EvaluationQueue; readonly evaluated: Record<"worker" | "fallback", number> }> => {
    const evaluated = { worker: 0, fallback: 0 };
    const queue = bullmqQueue({
      link: await connect(log),
      prefix,
      clock,
      log,
      onEvaluated: (place) => void evaluated[place]++,
    });
    queues.push(queue);
    return { queue, evaluated };
  };

  describeEvaluationQueue("BullMQ", async () => (await openQueue()).queue);

  describe("CheckpointStore", () => {
    let link: RedisLink;
    beforeAll(async () => {
      link = await connectRedis({ url: redis.url, clock });
    });
    afterAll(() => link?.close());
    const prefix = freshPrefix();
    describeCheckpointStore("Redis", () => redisCheckpoints({ link, prefix }));
  });

  test("decisions that say something new are in the stream, whole and in their order; the oldest go", async () => {
    const prefix = freshPrefix();
    const link = await connect();
    const stream = redisDecisions({ link, prefix, maxEntries: 100 });
    const { policy, observation, memory } = sampleEvaluation();
    const { decision } = decide(policy, observation, memory);
    const held = { ...decision, outcome: "Held" as const, reason: "DemandMet" };
    for (const id of ["1", "2"]) stream.add("serving/a", { ...held, id });
    stream.add("serving/b", { ...held, id: "3" });
    stream.add("serving/a", { ...decision, outcome: "Scaled", id: "4" });
    stream.add("serving/a", { ...decision, outcome: "Scaled", id: "5" });
    const entries = async () => {
      const found = await link.client.xrange(`{${prefix}}:decisions`, "-", "+");
      return found.map(([, flat]) =>
        Object.fromEntries(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1]]] : []))),
      );
    };
    await vi.waitFor(async () => expect(await entries()).toHaveLength(4), WAIT);
    const all = await entries();
    expect(all.map(({ policy: key, id }) => `${key}#${id}`)).toEqual([
      "serving/a#1",
      "serving/b#3",
      "serving/a#4",
      "serving/a#5",
    ]);
    expect(decodeExact(all[3]?.["decision"] ?? "")).toEqual({ ...decision, outcome: "Scaled", id: "5" });
    expect(all[3]).toMatchObject({ outcome: "Scaled", reason: decision.reason, time: String(decision.atMs) });
    for (let id = 0; id < 1_000; id++) stream.add("serving/a", { ...decision, outcome: "Scaled", id: `${id}` });
    await vi.waitFor(async () => expect((await entries()).at(-1)?.["id"]).toBe("999"), WAIT);
    expect((await entries()).length).toBeLessThan(400);
  });

  test("evaluations are spread over the replicas of the service, each done once", async () => {
    const prefix = freshPrefix();
    const [leader, other] = await Promise.all([openQueue(prefix), openQueue(prefix)]);
    const inWorkers = (): number => leader.evaluated.worker + other.evaluated.worker;
    // Connections are made meanwhile, and until then the leader evaluates for itself.
    await vi.waitFor(async () => {
      await leader.queue.evaluate(sampleEvaluation({ key: "serving/first" }));
      expect(inWorkers()).toBeGreaterThan(0);
      expect(leader.queue.degraded).toBeUndefined();
    }, WAIT);
    const before = { inWorkers: inWorkers(), fallback: leader.evaluated.fallback };
    const many = Array.from({ length: 200 }, (_, index) => sampleEvaluation({ key: `serving/p${index}` }));
    // Few at once: what waits behind two hundred others on a busy machine is evaluated in process instead, as it should be.
    for (let from = 0; from < many.length; from += 10)
      await Promise.all(many.slice(from, from + 10).map((one) => leader.queue.evaluate(one)));
    expect(inWorkers() - before.inWorkers).toBe(200);
    expect(other.evaluated.worker).toBeGreaterThan(0);
    expect(leader.evaluated.fallback).toBe(before.fallback);
  });

  test("killed in the middle: decides in process at once, says so once, and uses Redis again when it is back", async () => {
    const lines: string[] = [];
    const note = (_: unknown, message: string): void => void lines.push(message);
    const { queue, evaluated } = await openQueue(freshPrefix(), { ...silentLogger, info: note, warn: note });
    const evaluation = sampleEvaluation();
    const expected = decide(evaluation.policy, evaluation.observation, evaluation.memory);
    await queue.evaluate(evaluation);
    expect(evaluated).toEqual({ worker: 1, fallback: 0 });

    await redis.kill();
    for (let turn = 0; turn < 3; turn++) {
      const startMs = clock.monotonicMs();
      expect(await queue.evaluate(evaluation)).toEqual(expected);
      expect(clock.monotonicMs() - startMs).toBeLessThan(MAX_TURN_MS);
    }
    expect(evaluated.fallback).toBe(3);
    expect(queue.degraded).toMatch(
      /^Redis at 127\.0\.0\.1:\d+ does not answer \(.+\): policies are evaluated in the leader/,
    );
    expect(lines).toEqual(["Redis is not used: going on without"]);

    await redis.restart();
    await vi.waitFor(async () => {
      expect(await queue.evaluate(evaluation)).toEqual(expected);
      expect(queue.degraded).toBeUndefined();
    }, WAIT);
    expect(evaluated.worker).toBeGreaterThan(1);
    expect(lines).toEqual(["Redis is not used: going on without", "Redis is used again"]);
  });

  test("a Redis that hangs costs one turn its timeout, and the next ones nothing", async () => {
    const { queue, evaluated } = await openQueue();
    const evaluation = sampleEvaluation();
    await queue.evaluate(evaluation);
    redis.freeze();
    try {
      const startMs = clock.monotonicMs();
      await queue.evaluate(evaluation);
      expect(clock.monotonicMs() - startMs).toBeLessThan(MAX_TURN_MS);
      expect(queue.degraded).toBeDefined();
      expect(evaluated.fallback).toBe(1);
    } finally {
      redis.thaw();
    }
    await vi.waitFor(async () => {
      await queue.evaluate(evaluation);
      expect(queue.degraded).toBeUndefined();
    }, WAIT);
  });

  test("a service that starts without Redis starts, and finds it later", async () => {
    await redis.kill();
    try {
      const { queue } = await openQueue();
      expect(queue.degraded).toBeDefined();
      await queue.evaluate(sampleEvaluation());
      await redis.restart();
      await vi.waitFor(async () => {
        await queue.evaluate(sampleEvaluation());
        expect(queue.degraded).toBeUndefined();
      }, WAIT);
    } finally {
      await redis.kill();
      await redis.restart();
    }
  });

  test("the service evaluates on it, and ends without it when told to", async () => {
    const world = await startServiceWorld();
    const service = runOn(world, "--redis-url", redis.url, "--redis-prefix", freshPrefix());
    try {
      const heard = (msg: string) =>
        vi.waitFor(() => expect(service.lines().map((line) => line.msg)).toContain(msg), WAIT);
      await heard("leading");
      await world.deploy();
      const url = service.lines().find((line) => line.url !== undefined)?.url;
      await vi.waitFor(async () => {
        const { body } = await request(`${url}/metrics`);
        expect(await body.text()).toMatch(/grove_autoscaler_evaluations_total\{place="worker"\} [1-9]/);
      }, WAIT);
      await redis.kill();
      service.child.kill("SIGTERM");
      expect(await service.exit).toBe(0);
    } finally {
      service.child.kill("SIGKILL");
      await world.stop();
      await redis.kill();
      await redis.restart();
    }
  });

  test("checkpoints go to the status while Redis is away, and the newer of two wins afterwards", async () => {
    const store = redisCheckpoints({ link: await connect(), prefix: freshPrefix() });
    const policy = samplePolicy("away");
    const memory = (decisions: number) => ({ ...emptyMemory, decisions });
    expect(await store.save(policy, memory(1))).toBeUndefined();
    redis.freeze();
    let checkpoint: string | undefined;
    try {
      checkpoint = (await store.save(policy, memory(2)))?.();
    } finally {
      redis.thaw();
    }
    expect(checkpoint).toContain('"decisions":2');
    const inStatus = { ...policy, status: { ...policy.status, checkpoint: checkpoint ?? "" } };
    await vi.waitFor(async () => expect(await store.save(policy, memory(1))).toBeUndefined(), WAIT);
    expect(await store.load(inStatus)).toEqual(memory(2));
    await store.save(policy, memory(3));
    expect(await store.load(inStatus)).toEqual(memory(3));
  });
});
