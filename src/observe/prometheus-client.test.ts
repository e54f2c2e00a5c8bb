import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { createPrometheusClient } from "./prometheus-client.ts";

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

let close: () => Promise<unknown> = async () => undefined;
afterEach(() => close());

async function serve(handler: Handler): Promise<string> {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => handler(request, response, body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const json =
  (status: number, value: unknown): Handler =>
  (_, response) =>
    void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));

describe("Prometheus client", () => {
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
    expect(await client.query("x")).toEqual([
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
    expect(await client.query('up{job="a b"}', { timeSeconds: 5 })).toEqual([
      { labels: {}, timestampSeconds: 1, value: 7 },
    ]);
    expect(seen).toEqual(["POST", "Bearer secret", "query=up%7Bjob%3D%22a+b%22%7D&time=5"]);
  });

  test.each<{ name: string; handler: Handler; kind: string; message: RegExp }>([
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
    { name: "no answer in time", handler: () => undefined, kind: "Unreachable", message: /ECONNABORTED/ },
  ])("$name is a MetricsError of kind $kind", async ({ handler, kind, message }) => {
    const client = createPrometheusClient({ url: await serve(handler), timeoutMs: 300 });
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
