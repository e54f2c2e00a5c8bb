/** HTTPS for admission webhooks: POST JSON to a path, get JSON back. Certificates come when they are there, and change while it runs. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { connect } from "node:tls";

export interface WebhookServerOptions {
  /** Empty: all addresses. */
  readonly address: string;
  /** 0: a free one. */
  readonly port: number;
  /** By path. What it throws is answered with 400. */
  readonly routes: Readonly<Record<string, (body: unknown) => Promise<unknown>>>;
}

export interface WebhookServer {
  readonly port: number;
  /** PEM. Connections from now on are made with it. */
  setCertificate(certificate: string, privateKey: string): void;
  /** Undefined when a handshake with it succeeds now, else why not. */
  problem(): Promise<string | undefined>;
  /** Answers that have begun are finished; idle connections are closed. */
  close(): Promise<void>;
}

/** An object has 1.5 MiB at most in etcd; a review holds it twice, as JSON. */
const BODY_BYTES_MAX = 8 * 2 ** 20;
const PROBE_TIMEOUT_MS = 2_000;
/**
 * Who may close an idle connection first is the API server, which does after 90 s (IdleConnTimeout of Go's transport): with
 * the default of 5 s here a connection may be closed under a review that is on its way, and the write it belongs to fails.
 */
const KEEP_ALIVE_MS = 120_000;

/** Rejects when the address is taken. Until there is a certificate every handshake fails. */
export async function startWebhookServer({ address, port, routes }: WebhookServerOptions): Promise<WebhookServer> {
  let hasCertificate = false;
  const server = createServer((request, response) => {
    answer(request, response, routes).catch((error: unknown) =>
      send(response, 400, { error: error instanceof Error ? error.message : String(error) }),
    );
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  // A client that is no TLS client, or trusts somebody else: its problem, and no reason to end.
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, ...(address !== "" && { host: address }) }, resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  return {
    port: taken,
    setCertificate(cert, key) {
      server.setSecureContext({ cert, key, minVersion: "TLSv1.2" });
      hasCertificate = true;
    },
    problem: async () => (hasCertificate ? handshake(address, taken) : "there is no certificate yet"),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

/** Whether somebody answers is asked here; who it is, is the API server's to check. */
function handshake(address: string, port: number): Promise<string | undefined> {
  const host = address === "" || address === "0.0.0.0" ? "127.0.0.1" : address === "::" ? "::1" : address;
  return new Promise((resolve) => {
    const socket = connect({ host, port, rejectUnauthorized: false, timeout: PROBE_TIMEOUT_MS });
    const end = (problem?: string): void => {
      socket.destroy();
      resolve(problem);
    };
    socket.once("secureConnect", () => end());
    socket.once("timeout", () => end("the webhook server does not answer"));
    socket.once("error", (error) => end(`the webhook server does not answer: ${error.message}`));
  });
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  routes: WebhookServerOptions["routes"],
): Promise<void> {
  const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
  const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (route === undefined) return send(response, 404, { error: `there is ${Object.keys(routes).join(", ")}` });
  if (request.method !== "POST") {
    response.setHeader("allow", "POST");
    return send(response, 405, { error: "webhooks take POST" });
  }
  const text = await readBody(request);
  if (text === undefined) return send(response, 413, { error: `the body is larger than ${BODY_BYTES_MAX} bytes` });
  send(response, 200, await route(JSON.parse(text) as unknown));
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_BYTES_MAX) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
