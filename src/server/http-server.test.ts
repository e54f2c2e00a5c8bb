import { request } from "undici";
import { afterEach, expect, test } from "vitest";
import { type ServiceHttp, startHttpServer, type Verdict } from "./http-server.ts";

let http: ServiceHttp | undefined;
afterEach(() => http?.close());

async function serve({ health, readiness }: { health?: Verdict; readiness?: Verdict } = {}) {
  http = await startHttpServer({
    address: "127.0.0.1",
    port: 0,
    metrics: { contentType: "text/plain; version=0.0.4", expose: async () => "up 1\n" },
    health: () => health ?? { ok: true, text: "ok" },
    readiness: () => readiness ?? { ok: true, text: "leads" },
  });
  return http.url;
}

async function get(path: string, method: "GET" | "POST" = "GET") {
  const { statusCode, headers, body } = await request(`${http?.url}${path}`, { method });
  return { status: statusCode, type: headers["content-type"], text: await body.text() };
}

test("metrics come as the registry writes them", async () => {
  await serve();
  expect(await get("/metrics?x=1")).toEqual({ status: 200, type: "text/plain; version=0.0.4", text: "up 1\n" });
});

test("health and readiness say why in one line, and 503 when not", async () => {
  await serve({ health: { ok: false, text: "no turn for 400 s" }, readiness: { ok: false, text: "caches fill" } });
  expect(await get("/healthz")).toMatchObject({ status: 503, text: "no turn for 400 s\n" });
  expect(await get("/readyz")).toMatchObject({ status: 503, text: "caches fill\n" });
});

test("nothing else is there, and nothing can be sent", async () => {
  await serve();
  expect((await get("/")).status).toBe(404);
  expect((await get("/healthz", "POST")).status).toBe(405);
});

test("a port that is taken is an error, not a hang", async () => {
  const url = await serve();
  const port = Number(new URL(url).port);
  await expect(
    startHttpServer({
      address: "127.0.0.1",
      port,
      metrics: { contentType: "", expose: async () => "" },
      health: () => ({ ok: true, text: "" }),
      readiness: () => ({ ok: true, text: "" }),
    }),
  ).rejects.toThrow("EADDRINUSE");
});
