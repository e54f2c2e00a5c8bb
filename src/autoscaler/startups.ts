/** Start-up times as replicas come to be ready: each once, whatever becomes of it later. */
import type { ReplicaLife } from "./replicas.ts";

/** By name of the target. */
export type TargetLives = readonly (readonly [target: string, lives: readonly ReplicaLife[]])[];

export class Startups {
  /** Of the replicas that are there. */
  #everReady: ReadonlySet<string> | undefined;

  /**
   * How long those took that became ready since the last look, by target; ms.
   *
   * A replica that lost its readiness and got it back looks as if it had taken that long. Those are known that were seen ready; at the first look nothing
   * was seen, and what took longer than a replica may take is left out.
   */
  since(lives: TargetLives, pendingTimeoutMs: number): readonly (readonly [target: string, startupMs: number])[] {
    const known = this.#everReady;
    const everReady = new Set<string>();
    const fresh: (readonly [string, number])[] = [];
    for (const [target, replicas] of lives) {
      for (const { id, readyAfterMs } of replicas) {
        const wasReady = known?.has(id) === true;
        if (wasReady || readyAfterMs !== undefined) everReady.add(id);
        if (wasReady || readyAfterMs === undefined || !Number.isFinite(readyAfterMs)) continue;
        if (known !== undefined || readyAfterMs <= pendingTimeoutMs) fresh.push([target, readyAfterMs]);
      }
    }
    this.#everReady = everReady;
    return fresh;
  }
}
