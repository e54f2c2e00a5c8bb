import { Agent, request } from "undici";
import { afterEach, expect, test } from "vitest";
import { issueAuthority, issueServerCertificate } from "../grove/certificates/x509.ts";
import { startWebhookServer, type WebhookServer } from "./webhook-server.ts";

const validity = { notBeforeMs: Date.now() - 60_000, notAfterMs: Date.now() + 3_600_000 };
const authority = issueAuthority(validity);
const certified = () => issueServerCertificate(authority, ["127.0.0.1"], validity);

const agents: Agent[] = [];
let server: WebhookServer | undefined;
afterEach(async () => {
  await Promise.all(agents.splice(0).map((agent) => agent.close()));
  await server?.close();
});

async function start(): Promise<WebhookServer> {
  server = await startWebhookServer({
    address: "127.0.0.1",
    port: 0,
    routes: {
      "/echo": async (body) => ({ got: body }),
      "/refuse": async () => {
        throw new Error("that is no review");
      },
    },
  });
  return server;
}

async function post(path: string, body: string, method: "POST" | "GET" = "POST", ca = authority.certificate) {
  const dispatcher = new Agent({ connect: { ca } });
  agents.push(dispatcher);
  const answer = await request(`https://127.0.0.1:${server?.port}${path}`, {
    method,
    dispatcher,
    ...(method === "POST" && { body }),
  });
  return { status: answer.statusCode, body: await answer.body.json() };
}

test("without a certificate it is not ready; with one it answers, and the next one is used for new connections", async () => {
  const { problem, setCertificate } = await start();
  expect(await problem()).toBe("there is no certificate yet");
  await expect(post("/echo", "1")).rejects.toThrow();
  const first = certified();
  setCertificate(first.certificate, first.privateKey);
  expect(await problem()).toBeUndefined();
  expect(await post("/echo?timeout=10s", '{"a":1}')).toEqual({ status: 200, body: { got: { a: 1 } } });

  const other = issueAuthority(validity);
  const second = issueServerCertificate(other, ["127.0.0.1"], validity);
  setCertificate(second.certificate, second.privateKey);
  await expect(post("/echo", "1")).rejects.toThrow();
  expect(await post("/echo", "1", "POST", other.certificate)).toEqual({ status: 200, body: { got: 1 } });
});

test("a key of another certificate is refused, and the former one goes on", async () => {
  const { setCertificate } = await start();
  const [first, second] = [certified(), certified()];
  setCertificate(first.certificate, first.privateKey);
  expect(() => setCertificate(second.certificate, first.privateKey)).toThrow(/mismatch/);
  expect(await post("/echo", "1")).toEqual({ status: 200, body: { got: 1 } });
});

test("what is not for a webhook is refused with a reason", async () => {
  const { setCertificate } = await start();
  const { certificate, privateKey } = certified();
  setCertificate(certificate, privateKey);
  expect(await post("/", "{}")).toEqual({ status: 404, body: { error: "there is /echo, /refuse" } });
  expect(await post("/constructor", "{}")).toMatchObject({ status: 404 });
  expect(await post("/echo", "", "GET")).toMatchObject({ status: 405 });
  expect(await post("/echo", "{")).toMatchObject({ status: 400 });
  expect(await post("/refuse", "{}")).toEqual({ status: 400, body: { error: "that is no review" } });
  expect(await post("/echo", JSON.stringify("x".repeat(8 * 2 ** 20)))).toMatchObject({ status: 413 });
});

test("an idle connection is kept for longer than the 90 s for which an API server would use it again", async () => {
  const { setCertificate } = await start();
  const { certificate, privateKey } = certified();
  setCertificate(certificate, privateKey);
  const dispatcher = new Agent({ connect: { ca: authority.certificate } });
  agents.push(dispatcher);
  const { headers, body } = await request(`https://127.0.0.1:${server?.port}/echo`, {
    method: "POST",
    dispatcher,
    body: "1",
  });
  await body.dump();
  expect(Number(/^timeout=(\d+)$/.exec(String(headers["keep-alive"]))?.[1])).toBeGreaterThan(90);
});

test("a closed server is not ready, and a taken port is an error", async () => {
  const { port, setCertificate, problem, close } = await start();
  const { certificate, privateKey } = certified();
  setCertificate(certificate, privateKey);
  await expect(startWebhookServer({ address: "127.0.0.1", port, routes: {} })).rejects.toThrow(/EADDRINUSE/);
  await close();
  expect(await problem()).toMatch(/does not answer/);
});
