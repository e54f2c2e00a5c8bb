import type { Clock, Timer } from "../../clock.ts";

/**
 * A clock whose timers end with `signal`: nothing that was started with it keeps the process alive or wakes up after its end.
 * A sleep without a signal of its own rejects then.
 */
export function scopedClock(clock: Clock, signal: AbortSignal): Clock {
  const timers = new Set<Timer>();
  const cancelAll = (): void => {
    for (const timer of timers) timer.cancel();
  };
  signal.addEventListener("abort", cancelAll, { once: true });
  const setTimer: Clock["setTimer"] = (delayMs, callback) => {
    if (signal.aborted) return { cancel: () => undefined };
    const inner = clock.setTimer(delayMs, () => {
      timers.delete(timer);
      callback();
    });
    const timer: Timer = {
      cancel() {
        timers.delete(timer);
        inner.cancel();
      },
    };
    timers.add(timer);
    return timer;
  };
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    setTimer,
    sleep: (delayMs, own) => clock.sleep(delayMs, own ?? signal),
  };
}
