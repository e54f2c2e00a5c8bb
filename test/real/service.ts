/** The product as a process of its own, with the rights of its service account. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { parseDocument, stringify } from "yaml";
import type { ObjectKey } from "../../src/api/kubernetes/meta.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import { requestToken } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { exitOf, freePort } from "./real-processes.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
/** Of its output, what a failure shows. */
const SHOWN_CHARS = 4_000;

export interface ServiceOptions {
  /** An administrator's kubeconfig: where the cluster is; the credentials in it are replaced. */
  readonly kubeconfigPath: string;
  /** An administrator. */
  readonly api: KubeApi;
  /** Whose rights the service has; the Lease is in its namespace. */
  readonly account: ObjectKey & { readonly namespace: string };
  /** Where it works. */
  readonly namespace: string;
  readonly prometheusUrl: string;
  readonly redisUrl: string;
}

export interface Service {
  /** Resolves when the process says that it is ready. */
  start(): Promise<void>;
  /** As `kill -9` and as the out-of-memory killer do it. */
  kill(): Promise<void>;
  /** With SIGTERM. @returns its exit code */
  stop(): Promise<number | null>;
  /** The text of `/metrics`. */
  metrics(): Promise<string>;
  /** The end of what it wrote. */
  log(): string;
  /** For other commands of the command line, against the same cluster with the same rights. */
  readonly kubeconfigPath: string;
  cleanUp(): void;
}

export async function createService(options: ServiceOptions): Promise<Service> {
  const { api, account, namespace, prometheusUrl, redisUrl } = options;
  const token = await requestToken(api, account.namespace, account.name);
  const folder = mkdtempSync(join(tmpdir(), "grove-service-"));
  const kubeconfigPath = join(folder, "kubeconfig");
  writeFileSync(kubeconfigPath, withToken(options.kubeconfigPath, token), { mode: 0o600 });
  let child: ChildProcess | undefined;
  let port = 0;
  let output = "";
  const get = async (path: string): Promise<string> => {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}${path}`);
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`${path}: HTTP ${statusCode}: ${text}`);
    return text;
  };
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child === undefined) return null;
    const ended = child;
    child = undefined;
    ended.kill(signal);
    await exitOf(ended);
    return ended.exitCode;
  };
  return {
    kubeconfigPath,
    async start() {
      port = await freePort();
      const flags = {
        "--kubeconfig": kubeconfigPath,
        "--namespace": namespace,
        "--prometheus-url": prometheusUrl,
        "--redis-url": redisUrl,
        "--address": "127.0.0.1",
        "--port": String(port),
        "--lease-namespace": account.namespace,
        // A standby takes over from a dead leader in seconds.
        "--lease-duration": "6s",
        "--lease-renew-deadline": "4s",
        "--lease-retry-period": "1s",
      };
      const started = spawn(process.execPath, [MAIN, "run", ...Object.entries(flags).flat()], {
        stdio: ["ignore", "pipe", "pipe"],
      });
      child = started;
      for (const stream of [started.stdout, started.stderr]) {
        stream?.on("data", (chunk: Buffer) => {
          output = (output + chunk.toString()).slice(-100_000);
        });
      }
      await eventually(
        "the service to be ready",
        () => {
          if (started.exitCode !== null) throw new Error(`it ended with ${started.exitCode}`);
          return get("/readyz");
        },
        { dump: async () => output.slice(-SHOWN_CHARS) },
      );
    },
    kill: async () => void (await end("SIGKILL")),
    stop: () => end("SIGTERM"),
    metrics: () => get("/metrics"),
    log: () => output.slice(-SHOWN_CHARS),
    cleanUp: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export function withToken(kubeconfigPath: string, token: string): string {
  const config = parseDocument(readFileSync(kubeconfigPath, "utf8")).toJS() as {
    readonly users: readonly { readonly name: string }[];
  };
  return stringify({ ...config, users: config.users.map(({ name }) => ({ name, user: { token } })) });
}
