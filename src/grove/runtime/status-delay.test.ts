import { describe, expect, test } from "vitest";
import type { PodClique, PodCliqueStatus } from "../../api/grove/pod-clique.ts";
import type { Condition } from "../../api/kubernetes/meta.ts";
import { statusDelay } from "./status-delay.ts";

const CREATED = "2026-01-01T00:00:00Z";
const LATER = "2026-01-01T01:00:00Z";
const condition = (type: string, status: Condition["status"], lastTransitionTime: string): Condition => ({
  type,
  status,
  reason: "Test",
  message: "",
  lastTransitionTime,
});

function status(breached: Condition["status"], scheduled: Condition): PodCliqueStatus {
  return {
    updatedReplicas: 0,
    readyReplicas: 0,
    conditions: [scheduled, condition("MinAvailableBreached", breached, LATER)],
  } as unknown as PodCliqueStatus;
}

function dueMs(before: PodCliqueStatus | undefined, after: PodCliqueStatus): number {
  const clique = {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodClique",
    metadata: { name: "a", namespace: "default", creationTimestamp: CREATED },
    ...(before !== undefined && { status: before }),
  } as PodClique;
  return statusDelay<PodClique>(() => false).dueMs(
    clique,
    { status: after, outcome: { complete: true, lastErrors: [] } },
    1_000,
  );
}

describe("a status is written", () => {
  const wasScheduled = condition("PodCliqueScheduled", "True", LATER);
  const neverScheduled = condition("PodCliqueScheduled", "False", CREATED);

  test("at once when a breach begins, and when one that counts for a termination is over", () => {
    expect(dueMs(status("False", wasScheduled), status("True", wasScheduled))).toBe(0);
    expect(dueMs(status("True", wasScheduled), status("False", wasScheduled))).toBe(0);
  });

  test("later while what was never scheduled comes up", () => {
    expect(dueMs(status("True", neverScheduled), status("False", wasScheduled))).toBeGreaterThan(0);
    expect(dueMs(undefined, status("True", neverScheduled))).toBeGreaterThan(0);
  });

  test("some seconds after what it waited for has come, and a minute after its first change in any case", () => {
    const clique = {
      apiVersion: "grove.io/v1alpha1",
      kind: "PodClique",
      metadata: { name: "a", namespace: "default", creationTimestamp: CREATED },
    } as PodClique;
    const delay = statusDelay<PodClique>(() => false);
    const due = (atMs: number, complete: boolean): number =>
      delay.dueMs(clique, { status: status("True", neverScheduled), outcome: { complete, lastErrors: [] } }, atMs);
    expect([due(0, false), due(25_000, false), due(25_500, true), due(30_000, true)]).toEqual([
      60_000, 35_000, 10_000, 5_500,
    ]);
    // It waits again, and again has all it needs.
    expect([due(34_000, false), due(54_000, true), due(60_000, true)]).toEqual([26_000, 6_000, 0]);
  });
});
