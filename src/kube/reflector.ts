/** Follows one resource: list, then watch, for ever, whatever the server and the network do. */
import type { KubeObject, Resource } from "../api/kubernetes/meta.ts";
import type { Clock } from "../clock.ts";
import type { Logger } from "../log.ts";
import type { Random } from "../random.ts";
import { isGone } from "./api-error.ts";
import { backoffMs } from "./backoff.ts";
import type { KubeApi, ListOptions } from "./kube-api.ts";
import type { RuntimeMetrics } from "./runtime-metrics.ts";

/** A list page of 500 objects parses in about 40 ms; a whole list of 10,000 pods would block the loop for most of a second. */
const PAGE_SIZE = 500;
/** Watches end after 5 to 10 minutes (client-go's range), spread so that they do not all come back at once. */
const WATCH_MIN_SECONDS = 300;
/** A watch that neither ends nor sends anything this long after its own timeout is dead. */
const WATCHDOG_GRACE_MS = 30_000;
/** A watch that ends sooner without an event says that something between us and the server cuts it: no reason to hammer. */
const MIN_WATCH_MS = 1_000;
const RETRY = { baseMs: 800, maxMs: 30_000 } as const;

export interface ReflectorOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly metrics: RuntimeMetrics;
  readonly scope?: Pick<ListOptions, "namespace" | "labelSelector" | "fieldSelector">;
}

/** Receives the stream. `replace` is the whole state after a (re-)list: what is not in it is gone. */
export interface ReflectorSink<T> {
  replace(objects: readonly T[]): void;
  put(object: T): void;
  remove(object: T): void;
  /** What is kept of a listed object, asked page by page: a whole list of whole objects would not fit beside what is kept of it. Default: all. */
  keep?(object: T): T;
  /** A list or watch failed; it is tried again. */
  failed?(error: unknown): void;
}

/** Never throws and never ends before `signal` aborts. */
export async function runReflector<T extends KubeObject>(
  resource: Resource<T>,
  sink: ReflectorSink<T>,
  options: ReflectorOptions,
): Promise<void> {
  const { clock, random, signal, log, metrics } = options;
  let failures = 0;
  let resourceVersion: string | undefined;
  while (!signal.aborted) {
    try {
      resourceVersion ??= await replaceAll(resource, sink, options);
      const startMs = clock.monotonicMs();
      let hasEvents = false;
      for await (const event of watchOnce(resource, resourceVersion, options)) {
        failures = 0;
        hasEvents = true;
        resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
        if (event.type === "BOOKMARK") continue;
        if (event.type === "DELETED") sink.remove(event.object);
        else sink.put(event.object);
      }
      if (!hasEvents && clock.monotonicMs() - startMs < MIN_WATCH_MS) throw new Error("the watch ended at once");
      metrics.watchRestarted(resource.plural, "timeout");
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (isGone(error)) {
        metrics.watchRestarted(resource.plural, "expired");
        resourceVersion = undefined;
      } else {
        metrics.watchRestarted(resource.plural, "error");
        sink.failed?.(error);
        log.warn({ resource: resource.plural, error: String(error), failures }, "watch failed, trying again");
      }
      failures++;
      if (failures > 1 || !isGone(error)) {
        await clock.sleep(backoffMs(failures, { ...RETRY, random }), signal).catch(() => undefined);
      }
    }
  }
}

/**
 * A function of its own: what a suspended frame has once named it keeps, and the whole first list would outlive everything in it.
 *
 * @returns the resource version of the list
 */
async function replaceAll<T extends KubeObject>(
  resource: Resource<T>,
  sink: ReflectorSink<T>,
  options: ReflectorOptions,
): Promise<string> {
  const { items, resourceVersion } = await listAll(resource, sink, options);
  sink.replace(items);
  return resourceVersion;
}

async function listAll<T extends KubeObject>(
  resource: Resource<T>,
  sink: ReflectorSink<T>,
  { api, scope }: ReflectorOptions,
): Promise<{ items: readonly T[]; resourceVersion: string }> {
  const items: T[] = [];
  let next: string | undefined;
  for (;;) {
    const page = await api.list(resource, {
      ...scope,
      limit: PAGE_SIZE,
      ...(next === undefined ? {} : { continue: next }),
    });
    for (const item of page.items) items.push(sink.keep?.(item) ?? item);
    if (page.continue === undefined || page.continue === "") return { items, resourceVersion: page.resourceVersion };
    next = page.continue;
  }
}

async function* watchOnce<T extends KubeObject>(
  resource: Resource<T>,
  resourceVersion: string,
  { api, clock, random, signal, scope }: ReflectorOptions,
) {
  const timeoutSeconds = Math.round(WATCH_MIN_SECONDS * (1 + random.next()));
  const attempt = new AbortController();
  const stop = (): void => attempt.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  const watchdog = clock.setTimer(timeoutSeconds * 1000 + WATCHDOG_GRACE_MS, () =>
    attempt.abort(new Error("the watch outlived its own timeout")),
  );
  try {
    yield* api.watch(resource, { ...scope, resourceVersion, timeoutSeconds, signal: attempt.signal });
  } finally {
    watchdog.cancel();
    signal.removeEventListener("abort", stop);
    attempt.abort();
  }
}
