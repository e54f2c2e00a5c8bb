/** Starts a real Prometheus on a free loopback port, in its own folder, and ends it by its process. */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import axios from "axios";
import { vi } from "vitest";

const onPath = (name: string): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)));

/** Absent locally: the suite is skipped with a line that says so. Absent in CI: the suite runs and fails. */
export function skipWithoutPrometheus(): boolean {
  const available = onPath("prometheus") && onPath("promtool");
  const skip = !available && process.env["CI"] !== "true";
  if (skip) process.stderr.write("skipped: prometheus and promtool are not installed\n");
  return skip;
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
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
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

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
