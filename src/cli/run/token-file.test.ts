import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { VirtualClock } from "../../clock.ts";
import { createPrometheusClient } from "../../observe/prometheus-client.ts";
import { tokenFile } from "./token-file.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "grove-token-"));
  path = join(folder, "token");
  writeFileSync(path, "first\n");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("each query carries the token that is in the file then", async () => {
  const seen: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers.authorization);
    response.setHeader("content-type", "application/json");
    response.end('{"status":"success","data":{"resultType":"vector","result":[]}}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const clock = new VirtualClock();
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const source = createPrometheusClient({ url, bearerToken: await tokenFile(path, clock) });
    await source.query("up");
    writeFileSync(path, "second\n");
    await source.query("up");
    await clock.advance(60_000);
    await source.query("up");
    expect(seen).toEqual(["Bearer first", "Bearer first", "Bearer second"]);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test("a file that is not there is said at the start, with the setting's name", async () => {
  await expect(tokenFile(join(folder, "none"), new VirtualClock())).rejects.toThrow(
    /^prometheus\.bearerTokenFile: cannot read .*none: there is no such file: check the path$/,
  );
});
