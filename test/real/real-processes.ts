/** Starts a real Prometheus on a free loopback port, in its own folder, and ends it by its process. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import axios from "axios";
import { vi } from "vitest";

const onPath = (name: string): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)));

/** Why there is no Prometheus here, or undefined. */
export const missingPrometheus = (): string | undefined =>
  onPath("prometheus") && onPath("promtool") ? undefined : "prometheus and promtool are not installed";

export const skipWithoutPrometheus = (): boolean => skipWithout(missingPrometheus());

/** Where a part is missing the suite is skipped with a line that says so; with `CI=true` that is an error. */
export function skipWithout(...missing: readonly (string | undefined)[]): boolean {
  const reasons = missing.filter((one) => one !== undefined);
  if (reasons.length === 0) return false;
  if (process.env["CI"] === "true") throw new Error(reasons.join("; "));
  for (const reason of reasons) process.stderr.write(`skipped: ${reason}\n`);
  return true;
}

export interface RealPrometheus {
  readonly url: string;
  stop(): Promise<void>;
}

/** `prepare` may fill the data folder before the start. */
export async function startRealPrometheus(
  config: string,
  prepare: (folder: string, dataFolder: string) => void = () => undefined,
): Promise<RealPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), "grove-prometheus-"));
  const data = join(folder, "data");
  writeFileSync(join(folder, "prometheus.yml"), config);
  prepare(folder, data);
  const port = await freePort();
  const child = spawn(
    "prometheus",
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${data}`,
      "--storage.tsdb.retention.time=100y",
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=error",
    ],
    { stdio: "ignore" },
  );
  const exited = exitOf(child);
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await vi.waitFor(() => axios.get(`${url}/-/ready`, { proxy: false }), { timeout: 30_000, interval: 100 });
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, stop };
}

/** Why there is no Redis here, or undefined. */
export const missingRedis = (): string | undefined =>
  onPath("redis-server") ? undefined : "redis-server is not installed";

export const exitOf = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else {
      child.once("exit", () => resolve());
      // The program could not be started at all.
      child.once("error", () => resolve());
    }
  });

export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
