import { expect, test } from "vitest";
import { PODS } from "../../api/kubernetes/core.ts";
import { VirtualClock } from "../../clock.ts";
import { ApiError } from "../../kube/api-error.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { guardWrites, WritesClosedError } from "./guarded-api.ts";
import { scopedClock } from "./scoped-clock.ts";

const KEY = { namespace: "a", name: "b" };

test("closing waits for the write in flight, and lets no other out", async () => {
  let answer: () => void = () => undefined;
  let sent = 0;
  const slow = {
    delete: () => {
      sent++;
      return new Promise<void>((resolve) => {
        answer = resolve;
      });
    },
  } as unknown as KubeApi;
  const { api, close } = guardWrites(slow);
  const writing = api.delete(PODS, KEY);
  let isClosed = false;
  const closing = close().then(() => {
    isClosed = true;
  });
  await expect(api.delete(PODS, KEY)).rejects.toThrow(WritesClosedError);
  await new VirtualClock().settle();
  expect({ sent, isClosed }).toEqual({ sent: 1, isClosed: false });
  answer();
  await Promise.all([writing, closing]);
  expect(isClosed).toBe(true);
});

test("reads go on, and a write that fails is the caller's", async () => {
  const failing = {
    get: async () => ({ kind: "Pod" }),
    create: async () => {
      throw new ApiError(403, "Forbidden", "no");
    },
  } as unknown as KubeApi;
  const { api, close } = guardWrites(failing);
  await expect(
    api.create(PODS, { apiVersion: "v1", kind: "Pod", metadata: KEY, spec: { containers: [] } }),
  ).rejects.toThrow("no");
  await close();
  expect(await api.get(PODS, KEY)).toEqual({ kind: "Pod" });
});

test("a scoped clock's timers end with it", async () => {
  const clock = new VirtualClock();
  const abort = new AbortController();
  const scoped = scopedClock(clock, abort.signal);
  const fired: string[] = [];
  scoped.setTimer(10, () => fired.push("before"));
  scoped.setTimer(1_000, () => fired.push("after"));
  const sleeping = scoped.sleep(1_000);
  const cancelled = scoped.setTimer(10, () => fired.push("cancelled"));
  cancelled.cancel();
  await clock.advance(100);
  abort.abort(new Error("over"));
  await expect(sleeping).rejects.toThrow("over");
  scoped.setTimer(10, () => fired.push("never"));
  await clock.advance(10_000);
  expect(fired).toEqual(["before"]);
});
