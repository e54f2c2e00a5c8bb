/** The terminal as a port: where commands print, and how the process ends. Real time here is the person's, not the world's. */
import { type Clock, wallClock } from "../clock.ts";

export interface Terminal {
  readonly clock: Clock;
  /** Environment variables. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly isInteractive: boolean;
  columns(): number;
  /** Results, to standard output. */
  print(text: string): void;
  /** Notes and errors, to standard error. */
  printError(text: string): void;
  /** Replaces the screen. */
  redraw(text: string): void;
  /** Waits, calling `tick` every `everyMs`; ends early on SIGINT or SIGTERM. */
  sleep(forMs: number | undefined, everyMs: number, tick: () => void): Promise<void>;
  /** Overwrites the line of the last call, on standard error; nothing where that is no terminal. Empty: clears it. */
  progress(text: string): void;
  /** The signal aborts on SIGINT or SIGTERM, which then end nothing else. */
  interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  exitCode(code: number): void;
}

export function processTerminal(clock: Clock = wallClock()): Terminal {
  let drawn = false;
  // `… | head` closes the pipe when it has seen enough: that is no failure.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(process.exitCode ?? 0);
  });
  return {
    clock,
    environment: process.env,
    isInteractive: process.stdout.isTTY === true,
    // A pseudo terminal that nobody sized has 0.
    columns: () => process.stdout.columns || process.stderr.columns || 80,
    print: (text) => void process.stdout.write(`${text}\n`),
    printError: (text) => void process.stderr.write(`${text}\n`),
    redraw(text) {
      // Home and clear to the end of each line: a full clear would flicker.
      const body = text
        .split("\n")
        .map((line) => `${line}\x1b[K`)
        .join("\n");
      process.stdout.write(`${drawn ? "" : "\x1b[2J"}\x1b[H${body}\x1b[J`);
      drawn = true;
    },
    async sleep(forMs, everyMs, tick) {
      const stop = new AbortController();
      const onSignal = (): void => stop.abort();
      process.once("SIGINT", onSignal);
      process.once("SIGTERM", onSignal);
      const endMs = clock.monotonicMs() + (forMs ?? Number.POSITIVE_INFINITY);
      try {
        while (!stop.signal.aborted && clock.monotonicMs() < endMs) {
          tick();
          await clock.sleep(Math.min(everyMs, endMs - clock.monotonicMs()), stop.signal).catch(() => undefined);
        }
      } finally {
        process.off("SIGINT", onSignal);
        process.off("SIGTERM", onSignal);
      }
    },
    progress(text) {
      if (process.stderr.isTTY === true) process.stderr.write(`\r\x1b[K${text}`);
    },
    async interruptible(work) {
      const stop = new AbortController();
      const onSignal = (): void => stop.abort();
      process.once("SIGINT", onSignal);
      process.once("SIGTERM", onSignal);
      try {
        return await work(stop.signal);
      } finally {
        process.off("SIGINT", onSignal);
        process.off("SIGTERM", onSignal);
      }
    },
    exitCode(code) {
      process.exitCode = code;
    },
  };
}
