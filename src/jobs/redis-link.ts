/**
 * One Redis server and what happens when it is not there: nobody waits for it for long, nobody is told twice, and it is used again when it is back.
 */
import { Redis, type RedisOptions } from "ioredis";
import type { Clock } from "../clock.ts";
import { type Logger, silentLogger } from "../log.ts";

export interface RedisLinkOptions {
  /** `redis://user:password@host:6379/0` or `rediss://…`. */
  readonly url: string;
  readonly clock: Clock;
  readonly log?: Logger;
  /** Longest wait for anything that is asked of Redis. */
  readonly timeoutMs?: number;
  /** After a failure Redis is left alone for this long. */
  readonly retryMs?: number;
}

export interface RedisLink {
  readonly client: Redis;
  /** Why Redis is not used now, as a sentence; undefined while all is well. */
  readonly degraded: string | undefined;
  /** Runs `work` if Redis is there, for at most the timeout. Undefined: it did not work out, do without. Never rejects. */
  attempt<T>(work: () => Promise<T>): Promise<{ readonly value: T } | undefined>;
  /** A connection of its own for blocking commands; closed with the link. */
  blockingClient(): Redis;
  close(): Promise<void>;
}

/** A turn of a policy may lose this much to a Redis that hangs, once per `retryMs`. */
const TIMEOUT_MS = 1_500;
const RETRY_MS = 10_000;
const MAX_RECONNECT_MS = 2_000;

/** Resolves when Redis answers, or after the timeout: a service without its Redis still starts. */
export async function connectRedis(options: RedisLinkOptions): Promise<RedisLink> {
  const { clock, log = silentLogger, timeoutMs = TIMEOUT_MS, retryMs = RETRY_MS } = options;
  const where = hostOf(options.url);
  const clients: Redis[] = [];
  let isClosed = false;
  const open = (more: Pick<RedisOptions, "enableOfflineQueue" | "maxRetriesPerRequest" | "commandTimeout">): Redis => {
    const settings = {
      connectTimeout: timeoutMs,
      // BullMQ makes copies of a connection; with this they give up too when the link is closed, and the process can end.
      retryStrategy: (times: number) => (isClosed ? null : Math.min(50 * 2 ** Math.min(times, 10), MAX_RECONNECT_MS)),
      ...more,
    };
    const client = new Redis(options.url, settings);
    // Without a listener ioredis prints to the console; what a lost connection means is said in `fail`.
    client.on("error", () => undefined);
    clients.push(client);
    return client;
  };
  // A command that cannot go out now fails now, instead of waiting for a server that may never come.
  const client = open({ enableOfflineQueue: false, maxRetriesPerRequest: 0, commandTimeout: timeoutMs });
  let failure: string | undefined;
  let retryAtMs = Number.NEGATIVE_INFINITY;

  const fail = (why: string): undefined => {
    retryAtMs = clock.monotonicMs() + retryMs;
    if (failure === undefined && !isClosed)
      log.warn({ redis: where, error: why }, "Redis is not used: going on without");
    failure = `Redis at ${where} does not answer (${why}): policies are evaluated in the leader, checkpoints go to their status`;
    return undefined;
  };
  const link: RedisLink = {
    client,
    get degraded() {
      return failure;
    },
    async attempt(work) {
      if (client.status !== "ready") return fail("no connection");
      if (failure !== undefined && clock.monotonicMs() < retryAtMs && failureIsNewerThanConnection()) return undefined;
      try {
        const value = await within(work(), timeoutMs, clock);
        if (failure !== undefined) log.info({ redis: where }, "Redis is used again");
        failure = undefined;
        return { value };
      } catch (error) {
        return fail(error instanceof Error ? error.message : String(error));
      }
    },
    blockingClient: () => open({ maxRetriesPerRequest: null }),
    async close() {
      isClosed = true;
      for (const one of clients) one.disconnect();
    },
  };
  // A new connection is news: it is tried at once, not after the pause that followed its loss.
  let connectedAtMs = Number.NEGATIVE_INFINITY;
  client.on("ready", () => {
    connectedAtMs = clock.monotonicMs();
  });
  const failureIsNewerThanConnection = (): boolean => retryAtMs - retryMs >= connectedAtMs;
  const ready = new Promise<void>((resolve) => client.once("ready", () => resolve()));
  await within(ready, timeoutMs, clock).catch((error: Error) => fail(error.message));
  return link;
}

async function within<T>(work: Promise<T>, timeoutMs: number, clock: Clock): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = clock.setTimer(timeoutMs, () => late.reject(new Error(`no answer within ${timeoutMs} ms`)));
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    timer.cancel();
    work.catch(() => undefined);
  }
}

/** Without the password. */
function hostOf(url: string): string {
  const { hostname, port } = new URL(url);
  return `${hostname}:${port === "" ? "6379" : port}`;
}
