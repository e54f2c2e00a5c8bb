import { expect, test } from "vitest";
import type { Pod } from "../api/kubernetes/core.ts";
import { formatTime } from "../api/kubernetes/time.ts";
import { viewReplicas } from "./replicas.ts";

const HOUR_MS = 3_600_000;
const NOW_MS = 1_700_000_000_000;

/** Made ten hours ago. */
const pod = (isReady: boolean, sinceMs: number): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "p",
    namespace: "ns",
    uid: "u",
    creationTimestamp: formatTime(NOW_MS - 10 * HOUR_MS),
  },
  spec: { containers: [] },
  status: {
    conditions: [
      { type: "PodScheduled", status: "True" },
      { type: "Ready", status: isReady ? "True" : "False", lastTransitionTime: formatTime(sinceMs) },
    ],
  },
});

const view = (one: Pod) =>
  viewReplicas([one], {
    level: "PodClique",
    replicas: 1,
    minPodsPerReplica: 1,
    pendingTimeoutMs: 600_000,
    nowMs: NOW_MS,
  });

test("a replica that lost its readiness just now is not overdue", () => {
  expect(view(pod(false, NOW_MS - 5_000))).toMatchObject({ starting: 1, pending: 0, overdue: 0 });
  expect(view(pod(false, NOW_MS - HOUR_MS))).toMatchObject({ starting: 0, pending: 1, overdue: 1 });
});

test("a life is how long it took until it was ready, and of one that is not ready no time", () => {
  expect(view(pod(true, NOW_MS - 10 * HOUR_MS + 40_000)).lives).toEqual([{ id: "u", readyAfterMs: 40_000 }]);
  expect(view(pod(false, NOW_MS - 5_000)).lives).toEqual([{ id: "u" }]);
});

test("ready for less than a minute is new: its rates are not there yet", () => {
  expect(view(pod(true, NOW_MS - 59_000)).ready[0]?.isNew).toBe(true);
  expect(view(pod(true, NOW_MS - 60_000)).ready[0]?.isNew).toBeUndefined();
});

test("a gang is one life whatever the order of its pods, and where one was replaced it is that one's start that took time", () => {
  const gang = (...pods: readonly Pod[]) =>
    viewReplicas(pods, {
      level: "PodCliqueScalingGroup",
      replicas: 1,
      minPodsPerReplica: 2,
      pendingTimeoutMs: 600_000,
      nowMs: NOW_MS,
    }).lives;
  const member = (uid: string, createdMs: number, readyMs: number): Pod => {
    const one = pod(true, readyMs);
    const labels = { "grove.io/podcliquescalinggroup-replica-index": "0" };
    return { ...one, metadata: { ...one.metadata, uid, labels, creationTimestamp: formatTime(createdMs) } };
  };
  const startMs = NOW_MS - 5 * HOUR_MS;
  const leader = member("leader", startMs, startMs + 90_000);
  const worker = member("worker", startMs, startMs + 120_000);
  expect(gang(leader, worker)).toEqual([{ id: "leader+worker", readyAfterMs: 120_000 }]);
  expect(gang(worker, leader)).toEqual(gang(leader, worker));
  const again = member("again", NOW_MS - 95_000, NOW_MS - 5_000);
  expect(gang(leader, again)).toEqual([{ id: "again+leader", readyAfterMs: 90_000 }]);
});
