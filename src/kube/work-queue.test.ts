import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../clock.ts";
import { WorkQueue } from "./work-queue.ts";

describe("WorkQueue", () => {
  test("never processes a key twice at once, never loses an added key", async () => {
    const step = fc.record({
      key: fc.constantFrom("a", "b", "c"),
      afterMs: fc.integer({ min: 0, max: 30 }),
      workMs: fc.integer({ min: 0, max: 40 }),
      priority: fc.constantFrom("fresh" as const, "resync" as const),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 40, size: "max" }),
        fc.integer({ min: 1, max: 4 }),
        async (steps, workers) => {
          const clock = new VirtualClock();
          const queue = new WorkQueue(clock);
          const running = new Set<string>();
          const lastStart = new Map<string, number>();
          const lastAdd = new Map<string, number>();
          let order = 0;
          const worker = async (): Promise<void> => {
            for (let key = await queue.take(); key !== undefined; key = await queue.take()) {
              expect(running.has(key)).toBe(false);
              running.add(key);
              lastStart.set(key, order++);
              await clock.sleep(steps[order % Math.max(1, steps.length)]?.workMs ?? 1);
              running.delete(key);
              queue.done(key);
            }
          };
          for (let i = 0; i < workers; i++) void worker();
          for (const { key, afterMs, priority } of steps) {
            await clock.advance(afterMs);
            lastAdd.set(key, order++);
            queue.add(key, priority);
          }
          await clock.advance(10_000);
          expect(queue.isIdle).toBe(true);
          for (const [key, added] of lastAdd) expect(lastStart.get(key)).toBeGreaterThan(added);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("many adds before the key is taken are one pass, an add while it runs is one more", async () => {
    const clock = new VirtualClock();
    const queue = new WorkQueue(clock);
    for (let i = 0; i < 5; i++) queue.add("a");
    expect(await queue.take()).toBe("a");
    queue.add("a");
    queue.add("a");
    expect(queue.depth).toBe(0);
    queue.done("a");
    expect(queue.depth).toBe(1);
  });

  test("a fresh key overtakes resyncs, also when it was queued as a resync before", async () => {
    const queue = new WorkQueue(new VirtualClock());
    queue.add("old", "resync");
    queue.add("older", "resync");
    queue.add("older", "fresh");
    expect(await queue.take()).toBe("older");
  });

  test("back-off doubles per failure of the same key and starts anew after forget", () => {
    const queue = new WorkQueue(new VirtualClock());
    expect([1, 2, 3].map(() => queue.addRateLimited("a"))).toEqual([5, 10, 20]);
    expect(queue.addRateLimited("b")).toBe(5);
    queue.forget("a");
    expect(queue.addRateLimited("a")).toBe(5);
  });

  test("of several delayed adds the earliest counts", async () => {
    const clock = new VirtualClock();
    const queue = new WorkQueue(clock);
    queue.addAfter("a", 50);
    queue.addAfter("a", 10);
    queue.addAfter("a", 90);
    await clock.advance(10);
    expect(queue.depth).toBe(1);
    expect(await queue.take()).toBe("a");
    queue.done("a");
    await clock.advance(1_000);
    expect(queue.depth).toBe(0);
  });
});
