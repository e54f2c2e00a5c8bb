import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { VirtualClock } from "../clock.ts";
import { KubeConfigError, loadCredentials } from "./credentials.ts";

const folder = mkdtempSync(join(tmpdir(), "grove-credentials-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** JSON is YAML. */
function kubeconfig(name: string, user: Readonly<Record<string, string>>, userName = "me"): string {
  const file = join(folder, name);
  writeFileSync(
    file,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster: { server: "https://127.0.0.1:1/" } }],
      users: [{ name: userName, user }],
      contexts: [{ name, context: { cluster: name, user: userName } }],
      "current-context": name,
    }),
  );
  return file;
}
const authorization = async (headers: Promise<Readonly<Record<string, string>>>): Promise<string | undefined> =>
  (await headers)["Authorization"];

test("a token file is read again when the token is half a minute old, and at once when the server refuses it", async () => {
  mkdirSync(join(folder, "tokens"), { recursive: true });
  const token = join(folder, "tokens/token");
  writeFileSync(token, "first\n");
  const clock = new VirtualClock();
  const credentials = await loadCredentials(
    { kubeconfig: kubeconfig("with-file", { tokenFile: "tokens/token" }) },
    clock,
  );
  expect(credentials.serverUrl).toBe("https://127.0.0.1:1");
  expect(await authorization(credentials.headers())).toBe("Bearer first");
  writeFileSync(token, "second");
  expect(await authorization(credentials.headers())).toBe("Bearer first");
  await clock.advance(30_001);
  expect(await authorization(credentials.headers())).toBe("Bearer second");
  writeFileSync(token, "third");
  expect(await authorization(credentials.headers(true))).toBe("Bearer third");
});

test("of several kubeconfigs the first that names the user counts", async () => {
  writeFileSync(join(folder, "token-a"), "a");
  const first = kubeconfig("one", { tokenFile: join(folder, "token-a") });
  const second = kubeconfig("two", { token: "b" }, "other");
  vi.stubEnv("KUBECONFIG", `${first}:${second}`);
  const credentials = await loadCredentials({ context: "one" }, new VirtualClock());
  expect(await authorization(credentials.headers())).toBe("Bearer a");
});

test("a token in the kubeconfig itself", async () => {
  const credentials = await loadCredentials({ kubeconfig: kubeconfig("plain", { token: "t" }) }, new VirtualClock());
  expect(await authorization(credentials.headers())).toBe("Bearer t");
});

test("a token file that is not there is said by name", async () => {
  const file = kubeconfig("missing", { tokenFile: "nowhere" });
  await expect(loadCredentials({ kubeconfig: file }, new VirtualClock())).rejects.toThrow(KubeConfigError);
  await expect(loadCredentials({ kubeconfig: file }, new VirtualClock())).rejects.toThrow(join(folder, "nowhere"));
});
