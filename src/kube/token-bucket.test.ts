import { expect, test } from "vitest";
import { VirtualClock } from "../clock.ts";
import { TokenBucket } from "./token-bucket.ts";

test("lets the burst through at once and then one request per 1/qps", async () => {
  const clock = new VirtualClock();
  const bucket = new TokenBucket(clock, { qps: 10, burst: 3 });
  const passedAtMs: number[] = [];
  for (let i = 0; i < 6; i++) void bucket.take().then(() => passedAtMs.push(clock.monotonicMs()));
  await clock.advance(1_000);
  expect(passedAtMs).toEqual([0, 0, 0, 100, 200, 300]);
  const again = bucket.take();
  await clock.advance(0);
  expect(await again).toBe(0);
});
