import { describe, expect, test } from "vitest";
import type { PodClique, PodCliqueStatus } from "../../api/grove/pod-clique.ts";
import type { PodCliqueSet, PodCliqueSetStatus } from "../../api/grove/pod-clique-set.ts";
import type { Pod } from "../../api/kubernetes/core.ts";
import { POD_TEMPLATE_HASH, SCALING_GROUP } from "../labels.ts";
import { generationHash } from "../pod-template-hash.ts";
import { cliqueTemplate, type PodState, storedClique, storedPod, storedSet } from "../test-objects.ts";
import { cliqueUpdate } from "./update.ts";

const NOW = "2026-01-01T02:00:00Z";
const BEFORE = "2026-01-01T01:00:00Z";
const base = storedSet({ cliques: [cliqueTemplate("a", 3, 2)] });
const generation = generationHash(base.spec.template);
const ZERO = {
  totalPodCliquesCount: 0,
  updatedPodCliquesCount: 0,
  totalPodCliqueScalingGroupsCount: 0,
  updatedPodCliqueScalingGroupsCount: 0,
};
type SetProgress = NonNullable<PodCliqueSetStatus["updateProgress"]>;

/** @param progress none: the set is in no update */
const setWith = (progress?: Partial<SetProgress>, type?: "OnDelete"): PodCliqueSet => ({
  ...base,
  spec: { ...base.spec, ...(type && { updateStrategy: { type } }) },
  status: {
    currentGenerationHash: generation,
    availableReplicas: 0,
    updatedReplicas: 0,
    ...(progress && { updateProgress: { ...ZERO, updateStartedAt: BEFORE, ...progress } }),
  } as PodCliqueSetStatus,
});
const rolling = setWith({ currentlyUpdating: [{ replicaIndex: 0 }] });

const clique = storedClique(base);
const hash = clique.metadata.labels?.[POD_TEMPLATE_HASH] ?? "";
const withStatus = (status: Partial<PodCliqueStatus>): PodClique => ({ ...clique, status: status as PodCliqueStatus });
const begun = (selected?: { current: string; completed?: readonly string[] }): PodClique =>
  withStatus({
    updateProgress: {
      updateStartedAt: BEFORE,
      podCliqueSetGenerationHash: generation,
      podTemplateHash: hash,
      ...(selected && { readyPodsSelectedToUpdate: selected }),
    },
  });

const READY: PodState = { node: "n", phase: "Running", scheduled: true, ready: true, started: true };
const old = (index: number, state: PodState = {}): Pod => storedPod(clique, { index, hash: "old", ...READY, ...state });
const fresh = (index: number, state: PodState = {}): Pod =>
  storedPod(clique, { index, name: `new-${index}`, ...READY, ...state });
const name = (index: number): string => `w-0-a-${index}x`;

const step = (one: PodClique, pods: readonly Pod[], set: PodCliqueSet = rolling) => {
  const { deletes, progress } = cliqueUpdate({ clique: one, set, pods }, NOW);
  return {
    deletes: deletes.map(({ metadata }) => metadata.name),
    selected: progress?.readyPodsSelectedToUpdate,
    ended: progress?.updateEndedAt,
  };
};
const nothing = { deletes: [], selected: undefined, ended: undefined };

describe("pod by pod", () => {
  test("the oldest ready pod goes first, and is on record before it goes", () => {
    const pods = [old(0, { createdAt: "2026-01-01T00:00:09Z" }), old(1), old(2)];
    expect(step(withStatus({}), pods)).toEqual({ ...nothing, deletes: [name(1)], selected: { current: name(1) } });
  });

  test("pods that serve nothing go at once, however many", () => {
    const pods = [old(0), old(1, { ready: false }), old(2, { gated: true, ready: false, scheduled: false })];
    expect(step(withStatus({}), pods).deletes).toEqual([name(1), name(2)]);
  });

  test("a ready pod that crashed once is a ready pod", () => {
    expect(step(withStatus({}), [old(0), old(1, { exitCode: 137 }), old(2)]).deletes).toEqual([name(0)]);
  });

  test("the next waits for the replacement to be ready", () => {
    const selected = { current: name(0) };
    expect(step(begun(selected), [fresh(0, { ready: false }), old(1), old(2)]).deletes).toEqual([]);
    expect(step(begun(selected), [fresh(0), old(1), old(2)])).toEqual({
      ...nothing,
      deletes: [name(1)],
      selected: { current: name(1), completed: [name(0)] },
    });
  });

  test("an operator that ended between choice and deed deletes the chosen pod", () => {
    expect(step(begun({ current: name(2) }), [old(0), old(1), old(2)])).toMatchObject({ deletes: [name(2)] });
  });

  test("below minAvailable ready pods nothing that is ready goes", () => {
    expect(step(begun(), [old(0), fresh(1, { ready: false }), fresh(2, { ready: false })]).deletes).toEqual([]);
  });

  test("ends when no old pod is left and the last replacement is ready", () => {
    const last = begun({ current: name(2), completed: [name(0), name(1)] });
    expect(step(last, [fresh(0), fresh(1), fresh(2, { ready: false })])).toEqual(nothing);
    expect(step(last, [fresh(0), fresh(1), fresh(2)])).toEqual({ ...nothing, ended: NOW });
  });

  test("a scale-in during the update does not make it wait for pods that nobody wants", () => {
    const shrunk = { ...begun({ current: name(1), completed: [name(0)] }), spec: { ...clique.spec, replicas: 2 } };
    expect(step(shrunk, [fresh(0), old(2)]).deletes).toEqual([name(2)]);
  });

  test("an update that was closed with an old pod left is opened again", () => {
    const closed = withStatus({ updateProgress: { ...begun().status!.updateProgress!, updateEndedAt: BEFORE } });
    expect(step(closed, [fresh(0), fresh(1), old(2)]).deletes).toEqual([name(2)]);
  });

  test("a second change during an update starts over with what is out of date then", () => {
    const first = begun({ current: name(0) });
    const second = {
      ...first,
      status: {
        ...first.status!,
        updateProgress: { ...first.status!.updateProgress!, podCliqueSetGenerationHash: "first" },
      },
    };
    expect(step(second, [old(1), old(2), fresh(0)])).toEqual({
      ...nothing,
      deletes: [name(1)],
      selected: { current: name(1) },
    });
  });
});

describe("whose turn it is", () => {
  const three = [old(0), old(1), old(2)];
  test("not when another replica is being updated", () => {
    expect(step(withStatus({}), three, setWith({ currentlyUpdating: [{ replicaIndex: 1 }] }))).toEqual(nothing);
  });
  test("not before the set has handed the new template down", () => {
    const behind = {
      ...clique,
      metadata: { ...clique.metadata, labels: { ...clique.metadata.labels, [POD_TEMPLATE_HASH]: "old" } },
    };
    expect(step(behind, three)).toEqual(nothing);
  });
  test("not for a member, which is replaced with its whole replica", () => {
    const member = {
      ...clique,
      metadata: { ...clique.metadata, labels: { ...clique.metadata.labels, [SCALING_GROUP]: "g" } },
    };
    expect(step(member, three)).toEqual(nothing);
  });
  test("OnDelete begins and ends in one moment and deletes nothing", () => {
    const set = setWith({ updateEndedAt: BEFORE }, "OnDelete");
    expect(step(withStatus({ currentPodCliqueSetGenerationHash: "first" }), three, set)).toEqual({
      ...nothing,
      ended: NOW,
    });
  });
  test("RollingRecreate does not touch what a past OnDelete update left", () => {
    const set = setWith({ updateEndedAt: BEFORE });
    expect(step(withStatus({ currentPodCliqueSetGenerationHash: "first" }), three, set).deletes).toEqual([]);
    const done = withStatus({ updateProgress: { ...begun().status!.updateProgress!, updateEndedAt: BEFORE } });
    expect(step(done, three, set)).toEqual(nothing);
  });
});
