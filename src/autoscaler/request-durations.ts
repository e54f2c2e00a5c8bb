/** How long requests take, of targets that nothing else asks about: kept between turns, so that it is asked once a minute and not each tick. */
import type { Measured } from "../decide/observation.ts";

const EVERY_MS = 60_000;

interface Kept {
  readonly minute: number;
  readonly readAtMs: number;
  readonly measured: Measured | undefined;
}

/** Of one policy. */
export class RequestDurations {
  readonly #byTarget = new Map<string, Kept>();

  /**
   * All policies ask within the same seconds of a minute, and share the answers.
   *
   * @param nowMs monotonic, of one origin for all policies
   * @returns undefined where it is not known
   */
  async of(target: string, nowMs: number, read: () => Promise<Measured | undefined>): Promise<Measured | undefined> {
    const minute = Math.floor(nowMs / EVERY_MS);
    let kept = this.#byTarget.get(target);
    if (kept?.minute !== minute) {
      kept = { minute, readAtMs: nowMs, measured: await read() };
      this.#byTarget.set(target, kept);
    }
    const { measured, readAtMs } = kept;
    return measured === undefined ? undefined : { value: measured.value, ageMs: measured.ageMs + nowMs - readAtMs };
  }
}
