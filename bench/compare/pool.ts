/** A worker for each core; jobs in their order, results as they come. */
import { type ChildProcess, fork } from "node:child_process";
import type { Job, JobResult } from "./job.ts";
import type { ResultStore } from "./store.ts";

export interface PoolOptions {
  readonly workers: number;
  readonly data: string;
  readonly store: ResultStore;
  readonly signal: AbortSignal;
  readonly onDone?: (done: number, total: number, job: Job, seconds: number) => void;
}

interface Answer {
  readonly result?: JobResult;
  readonly error?: string;
}

/** Small young generations: half of the memory for a tenth of the time. */
const NODE_FLAGS = ["--max-semi-space-size=8"];

/** Warm ones, between two lists of jobs: what a process has compiled and read it need not do again. They hold up nobody's end, and go with us. */
const idle: ChildProcess[] = [];

function takeWorker(data: string): ChildProcess {
  let child = idle.pop();
  // One may have ended in the meantime.
  while (child?.connected === false) child = idle.pop();
  child ??= fork(new URL("worker.ts", import.meta.url), [data], { execArgv: NODE_FLAGS });
  child.ref();
  child.channel?.ref();
  return child;
}

function giveBack(child: ChildProcess): void {
  child.unref();
  child.channel?.unref();
  idle.push(child);
}

/**
 * @returns in the order of the jobs; those that were not tried before the signal are undefined
 * @throws Error of the first trial that failed, with its job
 */
export async function runJobs(jobs: readonly Job[], options: PoolOptions): Promise<readonly (JobResult | undefined)[]> {
  const { store, signal, onDone } = options;
  const results: (JobResult | undefined)[] = jobs.map((job) => store.get(job));
  const open = jobs.map((_, index) => index).filter((index) => results[index] === undefined);
  let done = jobs.length - open.length;
  let failure: Error | undefined;
  const work = async (): Promise<void> => {
    const child = takeWorker(options.data);
    const kill = (): void => void child.kill();
    signal.addEventListener("abort", kill, { once: true });
    try {
      for (let index = open.shift(); index !== undefined && !signal.aborted; index = open.shift()) {
        const job = jobs[index] as Job;
        const { result, error } = await ask(child, job);
        if (result === undefined) {
          if (!signal.aborted) failure ??= new Error(`${JSON.stringify(job)}: ${error ?? "the worker died"}`);
          return;
        }
        store.put(job, result);
        results[index] = result;
        onDone?.(++done, jobs.length, job, result.seconds);
        if (failure !== undefined) return;
      }
    } finally {
      signal.removeEventListener("abort", kill);
      if (child.connected && !child.killed) giveBack(child);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.workers, open.length) }, work));
  if (failure !== undefined) throw failure;
  return results;
}

function ask(child: ChildProcess, job: Job): Promise<Answer> {
  return new Promise((resolve) => {
    const onMessage = (answer: Answer): void => finish(answer);
    const onExit = (code: number | null, killedBy: string | null): void =>
      finish({ error: `the worker ended with ${code ?? killedBy}` });
    const finish = (answer: Answer): void => {
      child.off("message", onMessage);
      child.off("exit", onExit);
      resolve(answer);
    };
    child.on("message", onMessage);
    child.on("exit", onExit);
    child.send(job);
  });
}
