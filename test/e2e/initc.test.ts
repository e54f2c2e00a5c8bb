/** The program of the init container, as a process, on the embedded API server over HTTP. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { NAMESPACES, PODS, type Pod } from "../../src/api/kubernetes/core.ts";
import { wallClock } from "../../src/clock.ts";
import { seededRandom } from "../../src/random.ts";
import { type ApiServer, createApiServer } from "../../src/sim/api-server/api-server.ts";
import { kubeconfigFor } from "../../src/sim/api-server/kubeconfig.ts";

const folders: string[] = [];
const servers: ApiServer[] = [];
const children: ChildProcess[] = [];
afterEach(async () => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
  for (const server of servers.splice(0)) await server.stop();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

interface Wait {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  /** Resolves once this stands in its log. */
  says(text: string): Promise<void>;
}

async function start(
  args: readonly string[],
  info: Readonly<Record<string, string>> = { namespace: "ns", podgangname: "g-0" },
) {
  const server = createApiServer({ clock: wallClock(), random: seededRandom(1) });
  servers.push(server);
  const { url } = await server.listen();
  await server.api.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: "ns" } });
  const folder = mkdtempSync(join(tmpdir(), "grove-initc-"));
  folders.push(folder);
  writeFileSync(join(folder, "kubeconfig"), kubeconfigFor({ url, namespace: "ns" }));
  for (const [name, text] of Object.entries(info)) writeFileSync(join(folder, name), text);
  const child = spawn(process.execPath, ["src/initc/main.ts", ...args], {
    env: { PATH: process.env["PATH"], KUBECONFIG: join(folder, "kubeconfig"), GROVE_POD_INFO_DIR: folder },
    stdio: ["ignore", "ignore", "pipe"],
  });
  children.push(child);
  let log = "";
  const waiting: (() => void)[] = [];
  child.stderr?.on("data", (chunk: Buffer) => {
    log += chunk.toString();
    for (const look of waiting) look();
  });
  const wait: Wait = {
    child,
    exit: new Promise((resolve) => child.once("close", resolve)),
    says: (text) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (log.includes(text)) resolve();
        };
        waiting.push(look);
        look();
      }),
  };
  return { server, wait };
}

async function readyPod({ api }: ApiServer, clique: string, name: string, gang = "g-0"): Promise<void> {
  const labels = { "grove.io/podgang": gang, "grove.io/podclique": clique };
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "ns", labels },
    spec: { containers: [{ name: "c", image: "i" }] },
  };
  await api.create(PODS, pod);
  const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
  await api.patch(PODS, { namespace: "ns", name }, { status }, { type: "merge", subresource: "status" });
}

test("ends with 0 once every parent has its minimum ready in its own gang, told by label", async () => {
  const { server, wait } = await start(["--podcliques=g-0-a:2", "--podcliques=g-0-b:1"]);
  await wait.says("g-0-a has 0 of 2 pods ready");
  // Neither a clique whose name begins alike, nor another gang counts.
  await readyPod(server, "g-0-a-b", "x");
  await readyPod(server, "g-0-a", "y", "g-1");
  await readyPod(server, "g-0-b", "b");
  await readyPod(server, "g-0-a", "a0");
  await wait.says("g-0-a has 1 of 2 pods ready");
  await readyPod(server, "g-0-a", "a1");
  expect(await wait.exit).toBe(0);
});

test("bad input and a pod that does not say its gang end with 1", async () => {
  const wrong = await start(["--podcliques=a:0"]);
  await wrong.wait.says("ERR_INVALID_INPUT");
  expect(await wrong.wait.exit).toBe(1);
  const nameless = await start(["--podcliques=a:1"], { namespace: "ns", podgangname: "" });
  expect(await nameless.wait.exit).toBe(1);
});

test("a signal ends the wait", async () => {
  const { wait } = await start(["--podcliques=a:1"]);
  await wait.says("waiting for parent cliques");
  wait.child.kill("SIGTERM");
  expect(await wait.exit).toBe(1);
});
