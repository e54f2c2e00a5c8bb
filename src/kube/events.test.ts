import { expect, test } from "vitest";
import { VirtualClock } from "../clock.ts";
import { seededRandom } from "../random.ts";
import { createEventRecorder } from "./events.ts";
import type { KubeApi } from "./kube-api.ts";

test("the limit per object holds back what repeats, and not the changes that were made", async () => {
  const clock = new VirtualClock();
  const written: string[] = [];
  const api = {
    create: async (_: unknown, { reason }: { reason: string }) => {
      written.push(reason);
    },
  } as unknown as KubeApi;
  const recorder = createEventRecorder({
    api,
    clock,
    random: seededRandom(1),
    component: "test",
    alwaysWritten: new Set(["ScaledUp"]),
  });
  const object = { apiVersion: "v1", kind: "Pod", metadata: { name: "x", namespace: "ml", uid: "1" } };
  for (let tick = 0; tick < 240; tick++) {
    recorder.event(object, "Normal", "Limited", `attempt ${tick}`);
    recorder.event(object, "Normal", "ScaledUp", `change ${tick}`);
    await clock.advance(15_000);
  }
  // A burst of 25, and one in five minutes of an hour.
  expect(written.filter((reason) => reason === "Limited").length).toBe(25 + 11);
  expect(written.filter((reason) => reason === "ScaledUp").length).toBe(240);
});
