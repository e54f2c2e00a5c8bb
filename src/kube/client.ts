/** The KubeApi port over HTTP(S): any API server, through one connection pool, one rate limit and one place for metrics. */

import { type Dispatcher, request as httpRequest } from "undici";
import { apiVersionOf, type KubeObject, type Resource } from "../api/kubernetes/meta.ts";
import type { Clock } from "../clock.ts";
import { ApiError } from "./api-error.ts";
import type { KubeCredentials } from "./credentials.ts";
import type {
  DeleteOptions,
  KubeApi,
  ListOptions,
  ObjectList,
  PatchType,
  Scale,
  WatchEvent,
  WriteOptions,
} from "./kube-api.ts";
import { LineJson } from "./line-json.ts";
import { collectionPath, compact, listQuery, objectPath, watchQuery } from "./paths.ts";
import { noRuntimeMetrics, type RuntimeMetrics } from "./runtime-metrics.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Longest wait for the answer to anything but a watch. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How often a request is sent again when the server says 429 with `Retry-After`, or a read loses its connection. */
const MAX_RETRIES = 5;

export interface KubeClientOptions {
  readonly credentials: KubeCredentials;
  readonly clock: Clock;
  /** Requests a second and the burst above it; watches count once, when they start. Upstream Grove: 100 and 120. */
  readonly rateLimit?: { readonly qps: number; readonly burst: number };
  /** First token is what `managedFields` shows as the manager of plain updates. */
  readonly userAgent?: string;
  readonly metrics?: RuntimeMetrics;
}

interface Call {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly verb: string;
  readonly resource: Resource;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export function createKubeClient(options: KubeClientOptions): KubeApi {
  const { credentials, clock, metrics = noRuntimeMetrics, userAgent = "grove-autoscaler" } = options;
  const bucket = options.rateLimit === undefined ? undefined : new TokenBucket(clock, options.rateLimit);

  async function send(call: Call, streaming = false): Promise<Dispatcher.ResponseData> {
    const url = new URL(credentials.serverUrl + call.path);
    for (const [name, value] of Object.entries(call.query ?? {})) url.searchParams.set(name, value);
    for (let attempt = 0; ; attempt++) {
      const waitedMs = (await bucket?.take(call.signal)) ?? 0;
      if (waitedMs > 0) metrics.rateLimiterWait(waitedMs / 1000);
      const startMs = clock.monotonicMs();
      const seconds = (): number => (clock.monotonicMs() - startMs) / 1000;
      let response: Dispatcher.ResponseData;
      try {
        response = await httpRequest(url, {
          method: call.method,
          dispatcher: credentials.dispatcher,
          headersTimeout: REQUEST_TIMEOUT_MS,
          bodyTimeout: streaming ? 0 : REQUEST_TIMEOUT_MS,
          signal: call.signal ?? null,
          headers: {
            accept: "application/json",
            "user-agent": userAgent,
            ...(await credentials.headers()),
            ...(call.body === undefined ? {} : { "content-type": call.contentType ?? "application/json" }),
          },
          body: call.body === undefined ? null : JSON.stringify(call.body),
        });
      } catch (error) {
        metrics.request(call.verb, call.resource.plural, "error", seconds());
        // A read can be repeated; of a write nobody knows whether it arrived, so its caller decides.
        if (call.method !== "GET" || attempt >= MAX_RETRIES || call.signal?.aborted === true || streaming) throw error;
        await clock.sleep(50 * 2 ** attempt, call.signal);
        continue;
      }
      metrics.request(call.verb, call.resource.plural, response.statusCode, seconds());
      if (response.statusCode < 300) return response;
      const failure = await readError(response);
      if (failure.code === 401 && attempt === 0) {
        await credentials.headers(true);
        continue;
      }
      if (failure.code !== 429 || attempt >= MAX_RETRIES) throw failure;
      await clock.sleep((failure.retryAfterSeconds ?? 1) * 1000, call.signal);
    }
  }

  const json = async <T>(call: Call): Promise<T> => (await (await send(call)).body.json()) as T;

  return {
    get: (resource, key) => json({ method: "GET", verb: "get", resource, path: objectPath(resource, key) }),

    async list<T extends KubeObject>(
      resource: Resource<T>,
      { namespace, ...rest }: ListOptions = {},
    ): Promise<ObjectList<T>> {
      const list = await json<{ items?: T[]; metadata: { resourceVersion: string; continue?: string } }>({
        method: "GET",
        verb: "list",
        resource,
        path: collectionPath(resource, namespace),
        query: listQuery(rest),
      });
      const next = list.metadata.continue;
      return {
        // Items of a list carry neither kind nor apiVersion on the wire.
        items: (list.items ?? []).map((item) => ({ ...item, apiVersion: apiVersionOf(resource), kind: resource.kind })),
        resourceVersion: list.metadata.resourceVersion,
        ...(next === undefined || next === "" ? {} : { continue: next }),
      };
    },

    async *watch<T extends KubeObject>(resource: Resource<T>, watch: Parameters<KubeApi["watch"]>[1]) {
      const response = await send(
        {
          method: "GET",
          verb: "watch",
          resource,
          path: collectionPath(resource, watch.namespace),
          query: watchQuery(watch),
          signal: watch.signal,
        },
        true,
      );
      let ready: WatchEvent<T>[] = [];
      const lines = new LineJson((document) => ready.push(readEvent<T>(document)));
      for await (const chunk of response.body) {
        lines.push(chunk as Buffer);
        yield* ready;
        ready = [];
      }
    },

    create: (resource, object, write) =>
      json({
        method: "POST",
        verb: "create",
        resource,
        path: collectionPath(resource, object.metadata.namespace),
        query: writeQuery(write),
        body: object,
      }),

    update: (resource, object, write) =>
      json({
        method: "PUT",
        verb: "update",
        resource,
        path: objectPath(resource, object.metadata, write?.subresource),
        query: writeQuery(write),
        body: object,
      }),

    patch: (resource, key, patch, write) =>
      json({
        method: "PATCH",
        verb: "patch",
        resource,
        path: objectPath(resource, key, write.subresource),
        query: { ...writeQuery(write), ...(write.force === true ? { force: "true" } : {}) },
        body: patch,
        contentType: CONTENT_TYPES[write.type],
      }),

    async delete(resource, key, remove = {}) {
      const response = await send({
        method: "DELETE",
        verb: "delete",
        resource,
        path: objectPath(resource, key),
        body: deleteBody(remove),
      });
      await response.body.dump();
    },

    async deleteCollection(resource, { namespace, labelSelector }, remove = {}) {
      const response = await send({
        method: "DELETE",
        verb: "deletecollection",
        resource,
        path: collectionPath(resource, namespace),
        query: listQuery({ labelSelector }),
        body: deleteBody(remove),
      });
      await response.body.dump();
    },

    getScale: (resource, key) =>
      json({ method: "GET", verb: "get", resource, path: objectPath(resource, key, "scale") }),

    setScale: (resource, key, replicas, { resourceVersion, ...write } = {}) =>
      json<Scale>({
        method: "PATCH",
        verb: "patch",
        resource,
        path: objectPath(resource, key, "scale"),
        query: writeQuery(write),
        // A merge patch that carries a resource version is refused with 409 when the object has moved on.
        body: { ...(resourceVersion === undefined ? {} : { metadata: { resourceVersion } }), spec: { replicas } },
        contentType: CONTENT_TYPES.merge,
      }),

    createSubresource: (resource, key, subresource, body) =>
      json({ method: "POST", verb: "create", resource, path: objectPath(resource, key, subresource), body }),
  };
}

const CONTENT_TYPES: Record<PatchType, string> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  apply: "application/apply-patch+yaml",
};

function writeQuery({ fieldManager, dryRun }: WriteOptions = {}): Record<string, string> {
  return compact({ fieldManager, dryRun: dryRun === true ? "All" : undefined });
}

function deleteBody(options: DeleteOptions): unknown {
  return { apiVersion: "v1", kind: "DeleteOptions", ...options };
}

interface Status {
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: {
    readonly retryAfterSeconds?: number;
    readonly causes?: readonly { readonly field?: string; readonly message?: string; readonly reason?: string }[];
  };
}

function toApiError(status: Status, fallbackCode: number, retryAfterSeconds?: number): ApiError {
  const retry = status.details?.retryAfterSeconds ?? retryAfterSeconds;
  return new ApiError(
    status.code ?? fallbackCode,
    status.reason ?? "Unknown",
    status.message ?? `HTTP ${fallbackCode}`,
    {
      ...(retry === undefined ? {} : { retryAfterSeconds: retry }),
      causes: status.details?.causes ?? [],
    },
  );
}

async function readError(response: Dispatcher.ResponseData): Promise<ApiError> {
  const text = await response.body.text();
  const header = Number(response.headers["retry-after"]);
  const retryAfterSeconds = Number.isFinite(header) && header > 0 ? header : undefined;
  try {
    return toApiError(JSON.parse(text) as Status, response.statusCode, retryAfterSeconds);
  } catch {
    // A proxy's page, not the API server's Status.
    return toApiError({ message: text.slice(0, 200) }, response.statusCode, retryAfterSeconds);
  }
}

function readEvent<T>(document: unknown): WatchEvent<T> {
  const event = document as { type: string; object: unknown };
  if (event.type === "ERROR") throw toApiError(event.object as Status, 500);
  return event as WatchEvent<T>;
}
