/** Runs the real program as a process would, with a terminal that keeps what it prints. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../src/cli/program.ts";
import type { Terminal } from "../../src/cli/terminal.ts";
import { wallClock } from "../../src/clock.ts";
import { type KubeconfigOptions, kubeconfigFor } from "../../src/sim/api-server/kubeconfig.ts";

export interface CliResult {
  readonly code: number;
  /** Standard output and standard error, without the last line break. */
  readonly out: string;
  readonly err: string;
}

export interface CliOptions {
  readonly kubeconfig?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly isInteractive?: boolean;
  readonly columns?: number;
  /** Told of each line; a command that waits for Ctrl-C ends when it returns true. */
  readonly onPrint?: (text: string) => boolean;
  /** Told of each text of a progress bar; Ctrl-C is pressed when it returns true. */
  readonly onProgress?: (text: string) => boolean;
}

export async function runCli(args: readonly string[], options: CliOptions = {}): Promise<CliResult> {
  const out: string[] = [];
  const err: string[] = [];
  let code = 0;
  const ended = Promise.withResolvers<void>();
  const interrupt = new AbortController();
  const keep = (lines: string[], text: string): void => {
    lines.push(text);
    if (options.onPrint?.(text) === true) ended.resolve();
  };
  const terminal: Terminal = {
    clock: wallClock(),
    environment: options.environment ?? {},
    isInteractive: options.isInteractive ?? false,
    columns: () => options.columns ?? 80,
    print: (text) => keep(out, text),
    printError: (text) => keep(err, text),
    redraw: (text) => keep(out, text),
    sleep: () => ended.promise,
    progress: (text) => {
      if (options.onProgress?.(text) === true) interrupt.abort();
    },
    interruptible: (work) => work(interrupt.signal),
    exitCode: (next) => {
      code = next;
    },
  };
  const where = options.kubeconfig === undefined ? [] : ["--kubeconfig", options.kubeconfig];
  await runProgram([...args, ...where], terminal);
  return { code, out: out.join("\n"), err: err.join("\n") };
}

/** A folder for files of a test. */
export interface Scratch {
  /** Its path; removed with everything in it. */
  readonly folder: string;
  file(name: string, text: string): string;
  kubeconfig(options: KubeconfigOptions): string;
  remove(): void;
}

export function scratch(): Scratch {
  const folder = mkdtempSync(join(tmpdir(), "grove-autoscaler-cli-test-"));
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  let count = 0;
  return {
    folder,
    file,
    kubeconfig: (options) => file(`kubeconfig-${count++}`, kubeconfigFor(options)),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
