/** The service's own HTTP: `/metrics`, `/healthz`, `/readyz`, on one port or on several. */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Verdict {
  readonly ok: boolean;
  /** One line: why, or what it is doing. */
  readonly text: string;
}

export interface HttpServerOptions {
  /** Empty: all addresses. */
  readonly address: string;
  /** 0: a free one. */
  readonly port: number;
  /** What is not given is not there. */
  readonly metrics?: { readonly contentType: string; expose(): Promise<string> };
  /** Whether the loop turns; a process that fails this is restarted. */
  readonly health?: () => Verdict;
  /** Whether this replica does its part: as the leader with filled caches, or as a standby. */
  readonly readiness?: () => Verdict | Promise<Verdict>;
}

export interface ServiceHttp {
  readonly url: string;
  /** Answers that have begun are finished; idle connections are closed. */
  close(): Promise<void>;
}

/** A scraper that does not read its answer must not hold the shutdown up. */
const CLOSE_TIMEOUT_MS = 2_000;

/** Rejects when the address is taken. */
export async function startHttpServer(options: HttpServerOptions): Promise<ServiceHttp> {
  const { address, port } = options;
  const server = createServer((request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
      return;
    }
    route(path, response, options).catch((error: unknown) => send(response, 500, `${error}\n`));
  });
  server.requestTimeout = CLOSE_TIMEOUT_MS;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, ...(address !== "" && { host: address }) }, resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  const host = address.includes(":") ? `[${address}]` : address === "" ? "127.0.0.1" : address;
  return {
    url: `http://${host}:${taken}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

async function route(path: string, response: ServerResponse, options: HttpServerOptions): Promise<void> {
  const { metrics, health, readiness } = options;
  if (path === "/metrics" && metrics !== undefined) {
    return send(response, 200, await metrics.expose(), metrics.contentType);
  }
  if (path === "/healthz" && health !== undefined) return judge(response, health());
  if (path === "/readyz" && readiness !== undefined) return judge(response, await readiness());
  const there = [metrics && "/metrics", health && "/healthz", readiness && "/readyz"].filter(Boolean);
  send(response, 404, `there is ${there.join(", ").replace(/, (?=[^,]*$)/, " and ")}\n`);
}

const judge = (response: ServerResponse, { ok, text }: Verdict): void => send(response, ok ? 200 : 503, `${text}\n`);

function send(response: ServerResponse, status: number, body: string, contentType = "text/plain; charset=utf-8"): void {
  response.writeHead(status, { "content-type": contentType, "cache-control": "no-store" }).end(body);
}
