/** The HTTP front of the embedded server, on a loopback port. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { parse as parseYaml } from "yaml";
import type { CustomResourceDefinition } from "../../../api/kubernetes/core.ts";
import { formatTime } from "../../../api/kubernetes/time.ts";
import { ApiError } from "../../../kube/api-error.ts";
import type { ApiServerOptions } from "../api-server.ts";
import type { Core, UserInfo } from "../core.ts";
import { CRD_COLLECTION } from "../crd-controller.ts";
import { unknownResource, unsupportedMediaType } from "../failure.ts";
import { isObject, type JsonObject, type StoredObject, valueAt } from "../json.ts";
import type { Kind } from "../kind.ts";
import { openWatch } from "../watches.ts";
import { aggregated, coreVersions, group, groupList, resourceList } from "./discovery.ts";
import { openapiDocument, openapiIndex, swaggerDocument } from "./openapi.ts";
import { decodeProtobuf } from "./protobuf.ts";
import { parseResourcePath, type ResourcePath } from "./request-path.ts";
import { type Answer, answerResourceRequest, isTrue, unreadableBody } from "./resource-requests.ts";
import { review } from "./reviews.ts";
import { failureStatus } from "./status.ts";
import { type IncludeObject, partialObject, table } from "./table.ts";

/** A user the front knows by a bearer token. */
export interface TokenUser {
  readonly token: string;
  readonly user: string;
  readonly groups?: readonly string[];
}

export interface ListenOptions {
  /** 0 or absent: a free port. */
  readonly port?: number;
  /**
   * Who may come in; everyone, as an administrator, when absent. kubectl sends no token over plain HTTP, so a front for
   * people at a terminal has none.
   */
  readonly tokens?: readonly TokenUser[];
}

export interface Listening {
  readonly url: string;
  close(): Promise<void>;
}

const AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
const ANONYMOUS_ADMIN: UserInfo = { username: "kubernetes-admin", groups: ["system:masters", "system:authenticated"] };
const MAX_BODY_BYTES = 3 * 1024 * 1024;
const BOOKMARK_INTERVAL_MS = 60_000;

export async function listen(
  core: Core,
  options: ApiServerOptions,
  { port = 0, tokens }: ListenOptions,
): Promise<Listening> {
  const users = new Map(
    (tokens ?? []).map(({ token, user, groups = [] }): [string, UserInfo] => [
      token,
      { username: user, groups: [...groups, "system:authenticated"] },
    ]),
  );
  const server = createServer((incoming, outgoing) => {
    handle(core, options, users, tokens !== undefined, incoming, outgoing).catch((error: unknown) => {
      sendFailure(outgoing, error, undefined);
    });
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function handle(
  core: Core,
  options: ApiServerOptions,
  users: ReadonlyMap<string, UserInfo>,
  needsToken: boolean,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<ServerResponse> {
  const url = new URL(incoming.url ?? "/", "http://localhost");
  const path = parseResourcePath(url.pathname);
  let named = path?.name;
  try {
    if (HEALTH.has(url.pathname)) return sendText(outgoing, "ok");
    const user = authenticate(incoming, users, needsToken);
    const body = await readBody(incoming);
    const given = valueAt(body, ["metadata", "name"]);
    if (typeof given === "string") named ??= given;
    const reviewed =
      incoming.method === "POST" && isObject(body)
        ? review(url.pathname, body, user, users, options.authorize, formatTime(core.clock.nowMs()))
        : undefined;
    if (reviewed !== undefined) return sendJson(outgoing, 201, reviewed);
    if (path === undefined) return sendDocument(core, incoming, outgoing, url);
    const warnings: string[] = [];
    const answer = answerResourceRequest(
      core,
      options,
      {
        method: incoming.method ?? "GET",
        path,
        query: url.searchParams,
        user,
        userAgent: incoming.headers["user-agent"] ?? "",
        contentType: incoming.headers["content-type"] ?? "",
        body,
      },
      warnings,
    );
    if (warnings.length > 0)
      outgoing.setHeader(
        "Warning",
        warnings.map((text) => `299 - ${JSON.stringify(text)}`),
      );
    return send(core, answer, incoming, outgoing, url.searchParams);
  } catch (error) {
    return sendFailure(outgoing, error, path && { ...path, name: named });
  }
}

const HEALTH = new Set(["/healthz", "/readyz", "/livez"]);

function authenticate(
  { headers }: IncomingMessage,
  users: ReadonlyMap<string, UserInfo>,
  needsToken: boolean,
): UserInfo {
  const token = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];
  const user = token === undefined ? undefined : users.get(token);
  if (user !== undefined) return user;
  if (needsToken) throw new ApiError(401, "Unauthorized", "Unauthorized");
  return ANONYMOUS_ADMIN;
}

async function readBody(incoming: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new ApiError(413, "RequestEntityTooLarge", `limit is ${MAX_BODY_BYTES}`);
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  const bytes = Buffer.concat(chunks);
  const type = incoming.headers["content-type"] ?? "";
  if (type.includes("protobuf") || type.includes("cbor")) {
    const decoded = decodeProtobuf(bytes);
    if (decoded === undefined) throw unsupportedMediaType(["application/json", "application/yaml"]);
    return decoded;
  }
  const text = bytes.toString("utf8");
  try {
    return type.includes("yaml") ? (parseYaml(text) as unknown) : (JSON.parse(text) as unknown);
  } catch (error) {
    throw unreadableBody(error instanceof Error ? error.message : String(error));
  }
}

/** Discovery, versions and OpenAPI: everything that is not a resource. */
function sendDocument(
  core: Core,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  { pathname }: URL,
): ServerResponse {
  const kinds = core.kinds.all();
  const wantsAggregated = (incoming.headers.accept ?? "").includes("as=APIGroupDiscoveryList");
  const parts = pathname.split("/").filter((part) => part !== "");
  if ((pathname === "/api" || pathname === "/apis") && wantsAggregated) {
    return sendJson(outgoing, 200, aggregated(kinds, pathname === "/api"), AGGREGATED);
  }
  const document = ((): JsonObject | undefined => {
    if (pathname === "/version") return VERSION;
    if (pathname === "/api") return coreVersions(incoming.headers.host ?? "");
    if (pathname === "/apis") return groupList(kinds);
    if (parts[0] === "api" && parts.length === 2) return resourceList(kinds, parts[1]!);
    if (parts[0] === "apis" && parts.length === 2) return group(kinds, parts[1]!);
    if (parts[0] === "apis" && parts.length === 3) return resourceList(kinds, `${parts[1]}/${parts[2]}`);
    if (pathname === "/openapi/v2") return swaggerDocument(kinds, customSchemaOf(core));
    if (pathname === "/openapi/v3") return openapiIndex(kinds, String(core.kinds.revision));
    if (parts[0] === "openapi" && parts[1] === "v3") {
      return openapiDocument(kinds, parts.slice(3).join("/"), customSchemaOf(core));
    }
    if (pathname === "/")
      return { paths: ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"] };
    return undefined;
  })();
  if (document === undefined) throw unknownResource();
  return sendJson(outgoing, 200, document);
}

const VERSION = {
  major: "1",
  minor: "35",
  gitVersion: "v1.35.4+embedded",
  gitCommit: "",
  gitTreeState: "clean",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "",
  compiler: "",
  platform: "linux/amd64",
};

const customSchemaOf =
  ({ store }: Core) =>
  ({ resource }: Kind): JsonObject => {
    const crd = store.get(CRD_COLLECTION, { name: `${resource.plural}.${resource.group}` }) as unknown as
      | CustomResourceDefinition
      | undefined;
    return crd?.spec.versions.find(({ name }) => name === resource.version)?.schema?.openAPIV3Schema ?? {};
  };

interface Form {
  readonly as: "Table" | "Partial" | undefined;
  readonly include: IncludeObject;
}

/** The representation a client prefers, from its Accept header. */
function formOf({ headers }: IncomingMessage, query: URLSearchParams): Form {
  const [first = ""] = (headers.accept ?? "").split(",");
  const include = query.get("includeObject");
  return {
    as: first.includes("as=Table") ? "Table" : first.includes("as=PartialObjectMetadata") ? "Partial" : undefined,
    include: include === "None" || include === "Object" ? include : "Metadata",
  };
}

function send(
  core: Core,
  answer: Answer,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  query: URLSearchParams,
): ServerResponse {
  const form = formOf(incoming, query);
  const pretty = isTrue(query.get("pretty"));
  const nowMs = core.clock.nowMs();
  switch (answer.kind) {
    case "raw":
      return sendJson(outgoing, answer.code, answer.body, undefined, pretty);
    case "text":
      return sendText(outgoing, answer.text);
    case "watch":
      return sendWatch(core, answer.type, answer.query, form, outgoing, query);
    case "object": {
      const { object, type, code } = answer;
      const meta = { resourceVersion: object.metadata.resourceVersion };
      const shown =
        form.as === "Table"
          ? table(type, [object], meta, { include: form.include, nowMs, withColumns: true })
          : form.as === "Partial"
            ? partialObject(object)
            : object;
      return sendJson(outgoing, code, shown, undefined, pretty);
    }
    case "list": {
      const { objects, type, meta } = answer;
      if (form.as === "Table") {
        return sendJson(outgoing, 200, table(type, objects, meta, { include: form.include, nowMs, withColumns: true }));
      }
      const isPartial = form.as === "Partial";
      return sendJson(
        outgoing,
        200,
        {
          kind: isPartial ? "PartialObjectMetadataList" : type.listKind,
          apiVersion: isPartial ? "meta.k8s.io/v1" : type.apiVersion,
          metadata: meta,
          items: isPartial ? objects.map(partialObject) : objects,
        },
        undefined,
        pretty,
      );
    }
    default:
      return answer satisfies never;
  }
}

const texts = new WeakMap<object, string>();

/** JSON of a stored object, made once for all watchers. */
function textOf(object: object): string {
  let text = texts.get(object);
  if (text === undefined) {
    text = JSON.stringify(object);
    texts.set(object, text);
  }
  return text;
}

function sendWatch(
  core: Core,
  kind: Kind,
  query: Parameters<typeof openWatch>[2],
  form: Form,
  outgoing: ServerResponse,
  search: URLSearchParams,
): ServerResponse {
  outgoing.writeHead(200, { "Content-Type": "application/json", "Cache-Control": "no-cache, private" });
  outgoing.flushHeaders();
  let isFirst = true;
  const emit = (type: string, object: object): void => {
    outgoing.write(`{"type":"${type}","object":${textOf(object)}}\n`);
  };
  const shown = (object: StoredObject): object => {
    if (form.as === "Partial") return partialObject(object);
    if (form.as !== "Table") return object;
    const meta = { resourceVersion: object.metadata.resourceVersion };
    const one = table(kind, [object], meta, { include: form.include, nowMs: core.clock.nowMs(), withColumns: isFirst });
    isFirst = false;
    return one;
  };
  const bookmark = (version: string, annotations?: JsonObject): void =>
    emit("BOOKMARK", {
      kind: kind.resource.kind,
      apiVersion: kind.apiVersion,
      metadata: { resourceVersion: version, creationTimestamp: null, ...(annotations && { annotations }) },
    });
  const timers: { cancel(): void }[] = [];
  const finish = (error?: ApiError): void => {
    for (const timer of timers) timer.cancel();
    if (error !== undefined) emit("ERROR", failureStatus(error));
    outgoing.end();
  };
  const initial = search.get("sendInitialEvents");
  const wantsBookmarks = isTrue(search.get("allowWatchBookmarks"));
  try {
    const stop = openWatch(
      core,
      kind,
      { ...query, ...(initial !== null && { sendInitialEvents: isTrue(initial) }) },
      {
        onEvent: (type, object) => emit(type, shown(object)),
        onInitialEventsEnd: (version) => bookmark(version, { "k8s.io/initial-events-end": "true" }),
        onClose: finish,
      },
    );
    outgoing.on("close", () => {
      stop();
      for (const timer of timers) timer.cancel();
    });
    if (wantsBookmarks) repeat(core, timers, BOOKMARK_INTERVAL_MS, () => bookmark(String(core.store.version)));
    const seconds = Number(search.get("timeoutSeconds") ?? 0);
    if (seconds > 0) {
      timers.push(
        core.clock.setTimer(seconds * 1000, () => {
          if (wantsBookmarks) bookmark(String(core.store.version));
          stop();
          finish();
        }),
      );
    }
  } catch (error) {
    // The status line is out: as on a real server, a version that is too old is told by an event.
    finish(error instanceof ApiError ? error : internalError(error));
  }
  return outgoing;
}

function repeat(core: Core, timers: { cancel(): void }[], everyMs: number, work: () => void): void {
  const slot = timers.length;
  const arm = (): void => {
    timers[slot] = core.clock.setTimer(everyMs, () => {
      work();
      arm();
    });
  };
  arm();
}

const internalError = (error: unknown): ApiError =>
  new ApiError(
    500,
    "InternalError",
    `Internal error occurred: ${error instanceof Error ? error.message : String(error)}`,
  );

function sendFailure(outgoing: ServerResponse, thrown: unknown, path: ResourcePath | undefined): ServerResponse {
  const error = thrown instanceof ApiError ? thrown : internalError(thrown);
  if (outgoing.headersSent) {
    return outgoing.end();
  }
  if (error.retryAfterSeconds !== undefined) outgoing.setHeader("Retry-After", String(error.retryAfterSeconds));
  return sendJson(
    outgoing,
    error.code,
    failureStatus(error, { name: path?.name, group: path?.group, kind: path?.plural }),
  );
}

function sendJson(
  outgoing: ServerResponse,
  code: number,
  body: object,
  type = "application/json",
  pretty = false,
): ServerResponse {
  outgoing.writeHead(code, { "Content-Type": type, "Cache-Control": "no-cache, private" });
  return outgoing.end(`${pretty ? JSON.stringify(body, undefined, 2) : JSON.stringify(body)}\n`);
}

function sendText(outgoing: ServerResponse, text: string): ServerResponse {
  outgoing.writeHead(200, { "Content-Type": "text/plain; charset=utf-8" });
  return outgoing.end(text);
}
