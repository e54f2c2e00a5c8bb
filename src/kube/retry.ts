import type { Clock } from "../clock.ts";
import type { Random } from "../random.ts";
import { isConflict } from "./api-error.ts";
import { backoffMs } from "./backoff.ts";

/**
 * Runs `attempt` again while it ends in a conflict, at most `attempts` times. `attempt` must read fresh state each time:
 * a conflict says that what it acted on is not what is there.
 * Numbers: client-go's `retry.DefaultRetry` (5 steps from 10 ms).
 */
export async function retryOnConflict<T>(
  attempt: () => Promise<T>,
  { clock, random, attempts = 5 }: { readonly clock: Clock; readonly random: Random; readonly attempts?: number },
): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (error) {
      if (!isConflict(error) || failures >= attempts) throw error;
      await clock.sleep(backoffMs(failures, { baseMs: 10, maxMs: 1_000, random }));
    }
  }
}
