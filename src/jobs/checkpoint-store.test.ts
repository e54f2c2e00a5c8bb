import { expect, test } from "vitest";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { emptyMemory, type Memory, objectKey } from "../decide/memory.ts";
import { parseMemory, statusCheckpoints } from "./checkpoint-store.ts";

const policy = { metadata: { namespace: "serving", name: "llama" } } as ScalingPolicy;
/** Of many set replicas with windows of an hour. */
const withWindows = (objects: number, samples = 240): Memory => ({
  ...emptyMemory,
  decisions: 7,
  objects: Object.fromEntries(
    Array.from({ length: objects }, (_, setIndex) => [
      objectKey("decode", setIndex),
      {
        recommendations: Array.from({ length: samples }, (__, at) => [1_764_000_000_000 + at * 15_000, 8] as const),
        events: [[1_764_000_000_000, 2]] as const,
      },
    ]),
  ),
});

test("what is too long for a status leaves out what a restart would forget anyway: the windows", async () => {
  const store = statusCheckpoints();
  const whole = withWindows(3);
  expect(parseMemory((await store.save(policy, whole))?.())).toEqual(whole);
  const long = withWindows(100);
  const text = (await store.save(policy, long))?.() ?? "";
  expect(text.length).toBeLessThan(262_144);
  const kept = parseMemory(text);
  expect(kept).toMatchObject({ decisions: 7 });
  expect(Object.values(kept?.objects ?? {})).toHaveLength(100);
  expect(kept?.objects[objectKey("decode", 99)]).toEqual({ recommendations: [], events: [[1_764_000_000_000, 2]] });
  expect((await store.save(policy, withWindows(5_000, 1)))?.()).toBeUndefined();
});
