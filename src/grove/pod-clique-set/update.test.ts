import { describe, expect, test } from "vitest";
import type { PodCliqueSetStatus } from "../../api/grove/pod-clique-set.ts";
import { generationHash } from "../pod-template-hash.ts";
import { cliqueTemplate, storedSet } from "../test-objects.ts";
import type { SetReplica } from "./replicas.ts";
import { advanceUpdate, beginUpdate } from "./update.ts";

const NOW = "2026-01-01T02:00:00Z";
const BEFORE = "2026-01-01T01:00:00Z";
type Progress = NonNullable<PodCliqueSetStatus["updateProgress"]>;

describe("a changed template", () => {
  const set = storedSet({ cliques: [cliqueTemplate("a")] });
  const withHash = (currentGenerationHash?: string) => ({
    ...set,
    status: {
      availableReplicas: 1,
      updatedReplicas: 1,
      ...(currentGenerationHash && { currentGenerationHash }),
    } as PodCliqueSetStatus,
  });
  test("a set without a hash gets one without an update", () => {
    const begun = beginUpdate(withHash(), NOW);
    expect([begun?.currentGenerationHash, begun?.updateProgress]).toEqual([
      generationHash(set.spec.template),
      undefined,
    ]);
  });
  test("begins an update, and nothing is updated any more", () => {
    expect(beginUpdate(withHash("old"), NOW)).toMatchObject({
      updatedReplicas: 0,
      updateProgress: { updateStartedAt: NOW },
    });
    expect(beginUpdate(withHash("old"), NOW)?.updateProgress).not.toHaveProperty("updateEndedAt");
  });
  test("under OnDelete the update ends as it begins", () => {
    const onDelete = { ...withHash("old"), spec: { ...set.spec, updateStrategy: { type: "OnDelete" as const } } };
    expect(beginUpdate(onDelete, NOW)?.updateProgress).toMatchObject({ updateStartedAt: NOW, updateEndedAt: NOW });
  });
});

describe("replica by replica", () => {
  const replica = (index: number, state: Partial<SetReplica> = {}): SetReplica => ({
    index,
    cliques: [],
    groups: [],
    expectedCliques: 2,
    expectedGroups: 1,
    isComplete: true,
    available: true,
    isDone: false,
    updatedCliques: 0,
    updatedGroups: 0,
    scheduledPods: 3,
    ...state,
  });
  const broken = (index: number): SetReplica =>
    replica(index, {
      groups: [{ status: { conditions: [{ type: "MinAvailableBreached", status: "True" }] } } as never],
    });
  const done = (index: number): SetReplica => replica(index, { isDone: true, updatedCliques: 2, updatedGroups: 1 });
  const open = (index?: number): Progress => ({
    updateStartedAt: BEFORE,
    totalPodCliquesCount: 0,
    updatedPodCliquesCount: 0,
    totalPodCliqueScalingGroupsCount: 0,
    updatedPodCliqueScalingGroupsCount: 0,
    ...(index !== undefined && { currentlyUpdating: [{ replicaIndex: index, updateStartedAt: BEFORE }] }),
  });
  const next = (progress: Progress, replicas: readonly SetReplica[]) =>
    advanceUpdate(progress, replicas, NOW)?.currentlyUpdating?.[0]?.replicaIndex;

  test.each([
    ["by index", [replica(0), replica(1)], 0],
    ["a broken one first", [replica(0), broken(1)], 1],
    ["one without a pod before a broken one", [broken(0), replica(1), replica(2, { scheduledPods: 0 })], 2],
    ["not one that is done", [done(0), replica(1)], 1],
  ])("the next is chosen: %s", (_, replicas, expected) => {
    expect(next(open(), replicas)).toBe(expected);
  });
  test("it stays until it is done, then the next follows in the same step", () => {
    expect(next(open(1), [broken(0), replica(1)])).toBe(1);
    expect(next(open(1), [replica(0), done(1)])).toBe(0);
  });
  test("a turn lasts long enough to be seen", () => {
    const begun = { ...open(), currentlyUpdating: [{ replicaIndex: 1, updateStartedAt: NOW }] };
    expect(next(begun, [replica(0), done(1)])).toBe(1);
  });
  test("one that is scaled away gives its turn up", () => {
    expect(next(open(2), [replica(0), done(1)])).toBe(0);
  });
  test("ends when all are done, and says how many parts there were", () => {
    expect(advanceUpdate(open(1), [done(0), done(1)], NOW)).toEqual({
      updateStartedAt: BEFORE,
      updateEndedAt: NOW,
      totalPodCliquesCount: 4,
      updatedPodCliquesCount: 4,
      totalPodCliqueScalingGroupsCount: 2,
      updatedPodCliqueScalingGroupsCount: 2,
    });
  });
});
