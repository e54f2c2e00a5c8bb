import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { VirtualClock } from "../../clock.ts";
import { readConfig } from "../../config/read-config.ts";
import { seededRandom } from "../../random.ts";
import { accessFromEnvironment, prometheusSource } from "./prometheus-source.ts";

const sourceOf = (env: Readonly<Record<string, string>>) =>
  prometheusSource(readConfig({ env }), new VirtualClock(), seededRandom(1));

test("the password of basic authentication comes from its file", async () => {
  const folder = mkdtempSync(join(tmpdir(), "grove-password-"));
  writeFileSync(join(folder, "password"), "from file\n");
  let seen = "";
  const server = createServer((request, response) => {
    seen = request.headers.authorization ?? "";
    response.setHeader("content-type", "application/json");
    response.end('{"status":"success","data":{"resultType":"vector","result":[]}}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const source = await sourceOf({
      PROMETHEUS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      PROMETHEUS_USERNAME: "scaler",
      PROMETHEUS_PASSWORD_FILE: join(folder, "password"),
    });
    await source.query("up");
    expect(Buffer.from(seen.replace("Basic ", ""), "base64").toString()).toBe("scaler:from file");
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    rmSync(folder, { recursive: true });
  }
});

test("plan reads who we are from the same variables, and says which one is wrong", () => {
  expect(accessFromEnvironment({ PROMETHEUS_CA_FILE: "/ca", PROMETHEUS_INSECURE_SKIP_VERIFY: "true" })).toMatchObject({
    prometheusCaFile: "/ca",
    prometheusInsecure: true,
    prometheusUsername: undefined,
  });
  expect(() => accessFromEnvironment({ PROMETHEUS_INSECURE_SKIP_VERIFY: "yes" })).toThrow(
    'PROMETHEUS_INSECURE_SKIP_VERIFY: "yes" is neither true nor false',
  );
});

test("a server that is not there is left alone after five tries", async () => {
  const source = await sourceOf({ PROMETHEUS_URL: "http://127.0.0.1:1" });
  for (let turn = 0; turn < 5; turn++) await source.query("up").catch(() => undefined);
  expect(source.state).toBe("open");
  await expect(source.query("up")).rejects.toThrow(/^not asked after 5 failures/);
});

test.each([
  { variable: "PROMETHEUS_CA_FILE", setting: "prometheus.tls.caFile" },
  { variable: "PROMETHEUS_BEARER_TOKEN_FILE", setting: "prometheus.bearerTokenFile" },
])("a file for $setting that is not there is said at the start", async ({ variable, setting }) => {
  const source = sourceOf({ PROMETHEUS_URL: "https://127.0.0.1:1", [variable]: "/none/there" });
  await expect(source).rejects.toThrow(`${setting}: cannot read /none/there`);
});
