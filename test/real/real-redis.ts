/** Starts a real Redis on a free loopback port, in its own folder, and ends it by its process. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { vi } from "vitest";
import { freePort, missingRedis, skipWithout } from "./real-processes.ts";

export const skipWithoutRedis = (): boolean => skipWithout(missingRedis());

export interface RealRedis {
  readonly url: string;
  /** As kill -9 does. */
  kill(): Promise<void>;
  /** Stops it in its tracks: connections stay open and nothing answers. */
  freeze(): void;
  thaw(): void;
  /** On the same port again, with nothing in it. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRealRedis(): Promise<RealRedis> {
  const folder = mkdtempSync(join(tmpdir(), "grove-redis-"));
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}`;
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""], {
      stdio: "ignore",
    });
    await new Promise<void>((resolve, reject) => {
      child?.once("spawn", resolve);
      child?.once("error", reject);
    });
    const probe = new Redis(url, { retryStrategy: () => 50 });
    probe.on("error", () => undefined);
    await vi.waitFor(() => probe.ping(), { timeout: 20_000, interval: 50 });
    probe.disconnect();
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending === undefined) return;
    const exited = new Promise<void>((resolve) => ending.once("exit", () => resolve()));
    ending.kill("SIGCONT");
    ending.kill(signal);
    await exited;
  };
  await start();
  return {
    url,
    kill: () => end("SIGKILL"),
    freeze: () => void child?.kill("SIGSTOP"),
    thaw: () => void child?.kill("SIGCONT"),
    restart: start,
    async stop() {
      await end("SIGTERM");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
