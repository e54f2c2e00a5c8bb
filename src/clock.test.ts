import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "./clock.ts";

describe("VirtualClock", () => {
  test("fires timers by due time, then by the order in which they were set", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 40 }), async (delaysMs) => {
        const clock = new VirtualClock();
        const fired: number[] = [];
        delaysMs.forEach((delayMs, index) => {
          clock.setTimer(delayMs, () => fired.push(index));
        });
        await clock.advance(50);
        const expected = delaysMs
          .map((delayMs, index) => ({ delayMs, index }))
          .sort((a, b) => a.delayMs - b.delayMs || a.index - b.index);
        expect(fired).toEqual(expected.map(({ index }) => index));
        expect(clock.monotonicMs()).toBe(50);
      }),
    );
  });

  test("a sleeper sees its own time, and a chain of sleeps adds up", async () => {
    const clock = new VirtualClock(1_000);
    const seen: number[] = [];
    void (async () => {
      for (let i = 0; i < 3; i++) {
        await clock.sleep(10);
        seen.push(clock.nowMs());
      }
    })();
    await clock.advance(100);
    expect(seen).toEqual([1_010, 1_020, 1_030]);
  });

  test("a cancelled timer never fires and an aborted sleep rejects with the reason", async () => {
    const clock = new VirtualClock();
    let fired = false;
    clock
      .setTimer(5, () => {
        fired = true;
      })
      .cancel();
    const abort = new AbortController();
    const slept = clock.sleep(10, abort.signal).catch((error: unknown) => error);
    abort.abort("stop");
    await clock.advance(20);
    expect(fired).toBe(false);
    expect(await slept).toBe("stop");
  });
});
