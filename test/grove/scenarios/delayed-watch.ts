/** A watch whose events come later, in their order. */
import type { Clock } from "../../../src/clock.ts";
import type { WatchEvent } from "../../../src/kube/kube-api.ts";

/** @param delayMs asked when an event arrives */
export async function* delayedWatch<T>(
  watch: AsyncIterable<WatchEvent<T>>,
  clock: Clock,
  delayMs: () => number,
): AsyncGenerator<WatchEvent<T>> {
  const arrived: { readonly event: WatchEvent<T>; readonly dueMs: number }[] = [];
  let wake: () => void = () => undefined;
  let end: { readonly error?: unknown } | undefined;
  void (async () => {
    try {
      for await (const event of watch) {
        arrived.push({ event, dueMs: clock.monotonicMs() + delayMs() });
        wake();
      }
      end = {};
    } catch (error) {
      end = { error };
    }
    wake();
  })();
  for (;;) {
    const next = arrived.shift();
    if (next !== undefined) {
      const waitMs = next.dueMs - clock.monotonicMs();
      if (waitMs > 0) await clock.sleep(waitMs);
      yield next.event;
    } else if (end !== undefined) {
      if ("error" in end) throw end.error;
      return;
    } else {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}
