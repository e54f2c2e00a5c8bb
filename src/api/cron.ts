/**
 * Five-field cron expressions in a time zone, by the `croner` library. When clocks go forward, a start inside the hour that does not exist comes right after
 * it; when they go back, a start inside the hour that comes twice comes once.
 */
import { Cron } from "croner";
import { formatTime } from "./kubernetes/time.ts";

/** @returns what is wrong with the expression in that zone; undefined when it is good */
export function cronProblem(expression: string, timeZone: string): string | undefined {
  if (expression.trim().split(/\s+/u).length !== 5) return "is not five cron fields";
  try {
    return read(expression, timeZone).nextRun("2026-01-01T00:00:00") === null ? "never comes" : undefined;
  } catch {
    return "is not five cron fields";
  }
}

export interface CronTimes {
  /** The latest start at or before the moment. */
  readonly lastMs?: number;
  /** The first start after it. */
  readonly nextMs?: number;
}

/** Starts stay the same between two of them, and a tick asks for the same few expressions again and again. */
const remembered = new Map<string, CronTimes & { readonly fromMs: number }>();
const MAX_REMEMBERED = 1_000;

/** Epoch milliseconds around `atMs`; empty for an expression that is not valid. */
export function cronTimes(expression: string, timeZone: string, atMs: number): CronTimes {
  const key = `${timeZone} ${expression}`;
  const known = remembered.get(key);
  if (known !== undefined && atMs >= known.fromMs && atMs < (known.nextMs ?? Number.POSITIVE_INFINITY)) return known;
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  let times: CronTimes = {};
  try {
    const cron = read(expression, timeZone);
    // The library's "previous" is strictly before, in whole seconds.
    const last = cron.previousRuns(1, formatTime(atMs + 1000))[0];
    const next = cron.nextRun(formatTime(atMs));
    times = {
      ...(last === undefined ? {} : { lastMs: last.getTime() }),
      ...(next === null ? {} : { nextMs: next.getTime() }),
    };
  } catch {
    // Admission reports it.
  }
  remembered.set(key, { ...times, fromMs: times.lastMs ?? atMs });
  return times;
}

/** Up to `limit` starts from a moment on, epoch milliseconds in order; empty for an expression that is not valid. */
export function cronStarts(expression: string, timeZone: string, fromMs: number, limit: number): readonly number[] {
  try {
    return read(expression, timeZone)
      .nextRuns(limit, formatTime(fromMs - 1000))
      .map((start) => start.getTime());
  } catch {
    return [];
  }
}

const read = (expression: string, timeZone: string): Cron =>
  new Cron(expression, { timezone: timeZone, paused: true, mode: "5-part" });
