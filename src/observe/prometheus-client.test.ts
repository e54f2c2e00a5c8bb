import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { issueAuthority, issueServerCertificate } from "../grove/certificates/x509.ts";
import { createPrometheusClient, type TlsOptions } from "./prometheus-client.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

let close: () => Promise<unknown> = async () => undefined;
afterEach(() => close());

const serve = (handler: Handler): Promise<string> => listen(createServer(whole(handler)), "http");
const serveTls = (options: ServerOptions, handler: Handler): Promise<string> =>
  listen(createTlsServer(options, whole(handler)), "https");

const whole =
  (handler: Handler) =>
  (request: IncomingMessage, response: ServerResponse): void => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => handler(request, response, body));
  };

async function listen(server: Server, scheme: "http" | "https"): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const json =
  (status: number, value: unknown): Handler =>
  (_, response) =>
    void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));

describe("Prometheus client", () => {
  test.each([
    [403, true],
    [422, true],
    [401, false],
    [429, false],
    [503, false],
  ])("an answer of %d is a refusal of this question alone: %s", async (status, isRefusal) => {
    const client = createPrometheusClient({
      url: await serve(json(status, { status: "error", errorType: "x", error: "no" })),
    });
    await expect(client.query("x")).rejects.toMatchObject({ kind: "Failed", isRefusal });
  });

  test("reads vectors with NaN and infinities, scalars and matrices", async () => {
    const answers: Record<string, unknown> = {
      "/api/v1/query": {
        status: "success",
        data: {
          resultType: "vector",
          result: [
            { metric: { pod: "a" }, value: [10, "0.5"] },
            { metric: { pod: "b" }, value: [10, "NaN"] },
            { metric: { pod: "c" }, value: [10, "+Inf"] },
          ],
        },
      },
      "/api/v1/query_range": {
        status: "success",
        data: {
          resultType: "matrix",
          result: [
            {
              metric: {},
              values: [
                [1, "2"],
                [3, "-Inf"],
              ],
            },
          ],
        },
      },
    };
    const url = await serve((request, response) => json(200, answers[request.url ?? ""])(request, response, ""));
    const client = createPrometheusClient({ url });
    expect([...(await client.query("x"))]).toEqual([
      { labels: { pod: "a" }, timestampSeconds: 10, value: 0.5 },
      { labels: { pod: "b" }, timestampSeconds: 10, value: Number.NaN },
      { labels: { pod: "c" }, timestampSeconds: 10, value: Number.POSITIVE_INFINITY },
    ]);
    const range = { startSeconds: 1, endSeconds: 3, stepSeconds: 2 };
    expect(await client.queryRange("x", range)).toEqual([
      {
        labels: {},
        points: [
          [1, 2],
          [3, Number.NEGATIVE_INFINITY],
        ],
      },
    ]);
  });

  test("posts the query with the credentials", async () => {
    let seen: [string | undefined, string | undefined, string] = [undefined, undefined, ""];
    const url = await serve((request, response, body) => {
      seen = [request.method, request.headers.authorization, body];
      json(200, { status: "success", data: { resultType: "scalar", result: [1, "7"] } })(request, response, "");
    });
    const client = createPrometheusClient({ url: `${url}/`, bearerToken: "secret" });
    expect([...(await client.query('up{job="a b"}', { timeSeconds: 5 }))]).toEqual([
      { labels: {}, timestampSeconds: 1, value: 7 },
    ]);
    expect(seen).toEqual(["POST", "Bearer secret", "query=up%7Bjob%3D%22a+b%22%7D&time=5"]);
  });

  test.each<{ name: string; handler: Handler; kind: string; message: RegExp; timeoutMs?: number }>([
    {
      name: "invalid PromQL",
      handler: json(400, { status: "error", errorType: "bad_data", error: "parse error" }),
      kind: "QueryInvalid",
      message: /parse error/,
    },
    {
      name: "a range vector",
      handler: json(200, { status: "success", data: { resultType: "matrix", result: [] } }),
      kind: "QueryInvalid",
      message: /matrix/,
    },
    {
      name: "an execution error",
      handler: json(422, { status: "error", errorType: "execution", error: "many-to-many" }),
      kind: "Failed",
      message: /many-to-many/,
    },
    {
      name: "a proxy's 503 page",
      handler: (_, response) => void response.writeHead(503).end("<html>"),
      kind: "Unreachable",
      message: /503/,
    },
    {
      name: "a redirect, which is not followed",
      handler: (_, response) => void response.writeHead(302, { location: "http://127.0.0.1:1/" }).end(),
      kind: "Failed",
      message: /302/,
    },
    {
      name: "an answer without end",
      handler: (_, response) => void response.end("x".repeat(17 * 1024 * 1024)),
      kind: "TooLarge",
      message: /bytes/,
    },
    {
      name: "an answer of very many series",
      handler: json(200, {
        status: "success",
        data: { resultType: "vector", result: Array.from({ length: 3 }, () => ({ metric: {}, value: [1, "1"] })) },
      }),
      kind: "TooLarge",
      message: /3 series, more than 2/,
    },
    {
      name: "no answer in time",
      handler: () => undefined,
      kind: "Unreachable",
      message: /ECONNABORTED/,
      timeoutMs: 300,
    },
    {
      name: "an answer that does not end in time",
      handler: (_, response) => void response.writeHead(200).write('{"status":'),
      kind: "Unreachable",
      message: /ECONNABORTED: the answer did not end within 300 ms/,
      timeoutMs: 300,
    },
    {
      name: "an answer that breaks off",
      handler: (_, response) => {
        response.writeHead(200, { "content-length": "100" }).write('{"status":', () => response.destroy());
      },
      kind: "Unreachable",
      message: /ECONNRESET|aborted/,
    },
  ])("$name is a MetricsError of kind $kind", async ({ handler, kind, message, timeoutMs = 30_000 }) => {
    const client = createPrometheusClient({ url: await serve(handler), timeoutMs, maxSeries: 2 });
    await expect(client.query("x")).rejects.toMatchObject({
      name: "MetricsError",
      kind,
      message: expect.stringMatching(message),
    });
  });

  test("a server that is not there is unreachable", async () => {
    await expect(createPrometheusClient({ url: "http://127.0.0.1:1" }).query("x")).rejects.toMatchObject({
      kind: "Unreachable",
    });
  });
});

const SCALAR = json(200, { status: "success", data: { resultType: "scalar", result: [1, "7"] } });

test("basic authentication asks for the password before each query", async () => {
  const seen: (string | undefined)[] = [];
  const url = await serve((request, response, body) => {
    seen.push(request.headers.authorization);
    SCALAR(request, response, body);
  });
  let password = "first";
  const client = createPrometheusClient({ url, basicAuth: { username: "scaler", password: async () => password } });
  await client.query("x");
  password = "zweites \u00e4";
  await client.query("x");
  const pairs = seen.map((one) => Buffer.from(one?.replace(/^Basic /, "") ?? "", "base64").toString("utf8"));
  expect(pairs).toEqual(["scaler:first", "scaler:zweites \u00e4"]);
});

describe("large answers", () => {
  /** @returns a matrix in a body of half a megabyte, held back at its end until it is let go */
  async function slowServer() {
    const held: ServerResponse[] = [];
    const padding = " ".repeat(500_000);
    const url = await serve((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.write(`{"status":"success","data":{"resultType":"vector","result":[]}}${padding}`);
      held.push(response);
    });
    const isHeld = async (count: number) => {
      while (held.length < count) await new Promise((resolve) => setImmediate(resolve));
    };
    return { url, held, isHeld };
  }

  test("are read two at a time, and one that is given up or hangs keeps no place", async () => {
    const { url, held, isHeld } = await slowServer();
    const client = createPrometheusClient({ url });
    const hanging = [new AbortController(), new AbortController()];
    const first = hanging.map(({ signal }) => client.query("x", { signal }).catch((error) => error));
    await isHeld(2);
    let isAnswered = false;
    const waiting = client.query("y").finally(() => {
      isAnswered = true;
    });
    const abandoned = new AbortController();
    const given = ["v", "w"].map((query) =>
      client.query(query, { signal: abandoned.signal }).catch((error: Error) => error.name),
    );
    await isHeld(5);
    for (const response of held.slice(2)) response.end();
    for (let turn = 0; turn < 1_000; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
    abandoned.abort();
    expect(await Promise.all(given)).toEqual(["MetricsError", "MetricsError"]);
    for (const one of hanging) one.abort();
    await Promise.all(first);
    expect((await waiting).length).toBe(0);
    // Nobody has kept a place.
    const after = ["a", "b", "c"].map((query) => client.query(query));
    await isHeld(8);
    for (const response of held) response.end();
    expect((await Promise.all(after)).map(({ length }) => length)).toEqual([0, 0, 0]);
  });
});

test("an answer larger than the configured size is refused", async () => {
  const url = await serve((_, response) => void response.end("x".repeat(4_096)));
  await expect(createPrometheusClient({ url, maxResponseBytes: 1_024 }).query("x")).rejects.toMatchObject({
    kind: "TooLarge",
    message: expect.stringContaining("1024 bytes"),
  });
});

describe("TLS", () => {
  const validity = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 };
  const authority = issueAuthority(validity);
  const stranger = issueAuthority(validity);
  const ofAddress = issueServerCertificate(authority, ["127.0.0.1"], validity);
  const ofName = issueServerCertificate(authority, ["prometheus.monitoring.svc"], validity);

  test.each<{ name: string; server: typeof ofName; tls: TlsOptions; trusts: boolean }>([
    { name: "its authority", server: ofAddress, tls: { ca: authority.certificate }, trusts: true },
    { name: "no unknown authority", server: ofAddress, tls: {}, trusts: false },
    { name: "no other authority", server: ofAddress, tls: { ca: stranger.certificate }, trusts: false },
    { name: "no other name", server: ofName, tls: { ca: authority.certificate }, trusts: false },
    {
      name: "the name it was told",
      server: ofName,
      tls: { ca: authority.certificate, serverName: "prometheus.monitoring.svc" },
      trusts: true,
    },
    { name: "anybody when asked to", server: ofName, tls: { insecureSkipVerify: true }, trusts: true },
  ])("trusts $name", async ({ server, tls, trusts }) => {
    const url = await serveTls({ cert: server.certificate, key: server.privateKey }, SCALAR);
    const answer = createPrometheusClient({ url, tls }).query("x");
    if (trusts) await expect(answer).resolves.toHaveLength(1);
    else
      await expect(answer).rejects.toMatchObject({ kind: "Unreachable", message: expect.stringMatching(/CERT|cert/) });
  });

  test("shows its client certificate", async () => {
    let shown = "";
    const url = await serveTls(
      { cert: ofAddress.certificate, key: ofAddress.privateKey, requestCert: true, rejectUnauthorized: false },
      (request, response, body) => {
        shown = (request.socket as TLSSocket).getPeerX509Certificate()?.toString() ?? "";
        SCALAR(request, response, body);
      },
    );
    const tls = { ca: authority.certificate, certificate: ofName.certificate, key: ofName.privateKey };
    await createPrometheusClient({ url, tls }).query("x");
    expect(shown.trim()).toBe(ofName.certificate.trim());
  });
});
