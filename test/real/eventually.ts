/** Waits for conditions of a system that runs on real time; a wait in vain shows what the system looked like at its end. */
import { wallClock } from "../../src/clock.ts";

const clock = wallClock();

export interface EventuallyOptions {
  readonly limitMs?: number;
  readonly intervalMs?: number;
  /** What is printed with the failure: the last state. */
  readonly dump?: () => Promise<string>;
}

/**
 * Asks until `holds` gives something other than false or undefined, and returns it. What `holds` throws counts as "not yet"; the last such error is
 * part of the failure.
 */
export async function eventually<T>(
  what: string,
  holds: () => T | false | undefined | Promise<T | false | undefined>,
  { limitMs = 60_000, intervalMs = 100, dump }: EventuallyOptions = {},
): Promise<T> {
  const endMs = clock.monotonicMs() + limitMs;
  for (;;) {
    let problem: unknown;
    try {
      const answer = await holds();
      if (answer !== false && answer !== undefined) return answer;
    } catch (error) {
      problem = error;
    }
    if (clock.monotonicMs() > endMs) {
      const state = dump === undefined ? "" : `\n${await dump().catch((error: unknown) => `no state: ${error}`)}`;
      throw new Error(`waited ${limitMs / 1000} s in vain for ${what}${state}`, { cause: problem });
    }
    await clock.sleep(intervalMs);
  }
}

/** The condition holds now and all the time until then. */
export async function always(
  what: string,
  holds: () => boolean,
  forMs: number,
  { intervalMs = 100, dump }: Omit<EventuallyOptions, "limitMs"> = {},
): Promise<void> {
  const endMs = clock.monotonicMs() + forMs;
  while (clock.monotonicMs() < endMs) {
    if (!holds()) throw new Error(`no longer: ${what}${dump === undefined ? "" : `\n${await dump()}`}`);
    await clock.sleep(intervalMs);
  }
}
