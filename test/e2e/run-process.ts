/** `grove-autoscaler run` as a process of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import type { ServiceWorld } from "./service-world.ts";

export interface RunProcess {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  /** Its log so far. */
  lines(): readonly { readonly level: string; readonly msg: string; readonly url?: string }[];
  /** All of standard error. */
  text(): string;
}

const alive = new Set<ChildProcess>();

/** What a failed test has left running. */
export function endProcesses(): void {
  for (const child of alive) child.kill("SIGKILL");
}

export function runProcess(...args: readonly string[]): RunProcess {
  const child = spawn(process.execPath, ["src/main.ts", "run", ...args], {
    env: { PATH: process.env["PATH"], NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] },
    stdio: ["ignore", "ignore", "pipe"],
  });
  alive.add(child);
  child.once("exit", () => void alive.delete(child));
  let text = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  return {
    child,
    exit: new Promise((resolve) => child.once("exit", resolve)),
    lines: () =>
      text
        .split("\n")
        .filter((line) => line.startsWith("{") && line.endsWith("}"))
        .map((line) => JSON.parse(line)),
    text: () => text,
  };
}

export const runOn = ({ kubeconfig, prometheusUrl }: ServiceWorld, ...more: readonly string[]): RunProcess =>
  runProcess(
    ...["--kubeconfig", kubeconfig, "--prometheus-url", prometheusUrl, "--address=127.0.0.1", "--port=0", ...more],
  );
