import { expect, test } from "vitest";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import type { Pod } from "../../api/kubernetes/core.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import { DEFAULT_SETTINGS } from "../settings.ts";
import { cliqueTemplate, type PodState, storedClique, storedPod, storedSet } from "../test-objects.ts";
import { expectedPodGangs } from "./compose.ts";
import { planPodGangs } from "./plan.ts";

const base = storedSet({ cliques: [cliqueTemplate("a", 2, 1)] });
const set: PodCliqueSet = {
  ...base,
  metadata: { ...base.metadata, labels: { team: "x", "grove.io/own": "no" }, annotations: { note: "y" } },
};
const clique = storedClique(set);
const twoPods = [0, 1].map((index) => storedPod(clique, { index }));

function planWith(pods: readonly Pod[], gang?: PodGang, owner: PodCliqueSet = set) {
  const { creates, updates, deletes, incomplete } = planPodGangs({
    set: owner,
    expected: expectedPodGangs(owner, new Map()),
    gangs: new Map(gang === undefined ? [] : [[gang.metadata.name, gang]]),
    cliques: new Map([[clique.metadata.name, clique]]),
    podsByClique: new Map([[clique.metadata.name, pods]]),
    settings: { ...DEFAULT_SETTINGS, defaultSchedulerName: "kai-scheduler" },
    now: "t1",
  });
  return { creates, updates, deletes, incomplete };
}

function fresh(pods: readonly Pod[] = []): PodGang {
  const [create] = planWith(pods).creates;
  if (create?.kind !== "create" || create.of !== "gang") throw new TypeError("no gang was created");
  return { ...create.object, metadata: { ...create.object.metadata, uid: "gang-uid", resourceVersion: "7" } };
}

/** What the gang is after a merge patch of its metadata and spec. */
function patched(gang: PodGang, pods: readonly Pod[], owner?: PodCliqueSet): PodGang {
  const patch = planWith(pods, gang, owner).updates[0];
  if (patch?.kind !== "patch" || Array.isArray(patch.patch)) throw new TypeError("nothing was patched");
  const { spec } = patch.patch as unknown as { spec?: Partial<PodGang["spec"]> };
  return { ...gang, spec: { ...gang.spec, ...spec } };
}

test("a new gang mirrors the set's metadata, names its scheduler, and lists no pod, even if all are there", () => {
  const gang = fresh(twoPods);
  expect(gang.metadata.labels).toEqual({
    team: "x",
    "app.kubernetes.io/managed-by": "grove-operator",
    "app.kubernetes.io/part-of": "w",
    "app.kubernetes.io/component": "podgang",
    "grove.io/scheduler-name": "kai-scheduler",
  });
  expect(gang.metadata.annotations).toEqual({ note: "y" });
  expect(gang.spec.podgroups).toEqual([{ name: "w-0-a", minReplicas: 1, podReferences: [] }]);
});

test("an incomplete gang says so and lists nobody", () => {
  const plan = planWith(twoPods.slice(0, 1), fresh());
  expect(plan.incomplete).toEqual(["w-0"]);
  expect(plan.updates).toMatchObject([
    {
      subresource: "status",
      patch: {
        // A condition of a scheduler in between must not be lost: only on the version that was looked at.
        metadata: { resourceVersion: "7" },
        status: {
          phase: "Pending",
          conditions: [{ type: "Initialized", status: "False", reason: "PodGangPodsCreationPending" }],
        },
      },
    },
  ]);
});

test("a complete gang lists its pods first and is initialized then", () => {
  const listed = patched(fresh(), twoPods);
  expect(listed.spec.podgroups[0]?.podReferences.map(({ name }) => name)).toEqual(["w-0-a-0x", "w-0-a-1x"]);
  expect(planWith(twoPods, listed).updates).toMatchObject([
    {
      subresource: "status",
      patch: { status: { conditions: [{ type: "Initialized", status: "True", reason: "PodGangPodsCreated" }] } },
    },
  ]);
});

const initialized = (gang: PodGang): PodGang => ({
  ...gang,
  status: {
    phase: "Pending",
    conditions: [
      { type: "Scheduled", status: "True", reason: "S", message: "", lastTransitionTime: "t0" },
      {
        type: "Initialized",
        status: "True",
        reason: "PodGangPodsCreated",
        message: "all pods of the PodGang have been created",
        lastTransitionTime: "t0",
      },
    ],
  },
});

test("an initialized gang follows its pods one by one and never goes back", () => {
  const gang = initialized(patched(fresh(), twoPods));
  expect(planWith(twoPods, gang)).toMatchObject({ creates: [], updates: [], deletes: [], incomplete: [] });
  const lost = planWith(twoPods.slice(1), gang);
  expect(lost.incomplete).toEqual(["w-0"]);
  const after = patched(gang, twoPods.slice(1));
  expect(after.spec.podgroups[0]?.podReferences.map(({ name }) => name)).toEqual(["w-0-a-1x"]);
  expect(planWith(twoPods.slice(1), after).updates).toEqual([]);
});

test("the phase follows the pods, and so do conditions that no scheduler writes", () => {
  const gang = patched(fresh(), twoPods);
  const pods = (state: PodState): readonly Pod[] => [0, 1].map((index) => storedPod(clique, { index, ...state }));
  const status = (live: PodGang, state: PodState): unknown => {
    const [update] = planWith(pods(state), live).updates;
    const patch = update?.kind === "patch" ? (update.patch as { status?: PodGang["status"] }) : {};
    return [patch.status?.phase, patch.status?.conditions?.map(({ type, status: is }) => `${type} ${is}`)];
  };
  expect(status(gang, { scheduled: true })).toEqual(["Starting", ["Initialized True", "Scheduled True"]]);
  expect(status(gang, { scheduled: true, ready: true })).toEqual([
    "Running",
    ["Initialized True", "Scheduled True", "Ready True"],
  ]);
  expect(status(initialized(gang), { scheduled: true, ready: true })).toEqual([
    "Running",
    ["Scheduled True", "Initialized True", "Ready True"],
  ]);
});

test("what schedulers keep on a gang stays, what the set no longer says goes", () => {
  const gang = initialized(patched(fresh(), twoPods));
  const annotated: PodGang = {
    ...gang,
    metadata: {
      ...gang.metadata,
      annotations: { ...gang.metadata.annotations, "kai.scheduler/skip-podgrouper": "true" },
    },
  };
  expect(planWith(twoPods, annotated).updates).toEqual([]);
  const { labels: _, annotations: __, ...metadata } = set.metadata;
  expect(planWith(twoPods, annotated, { ...set, metadata }).updates).toMatchObject([
    { patch: { metadata: { labels: { team: null }, annotations: { note: null } } } },
  ]);
});

test("a priority class comes and goes with the template", () => {
  const gang = initialized(patched(fresh(), twoPods));
  const urgent = { ...set, spec: { ...set.spec, template: { ...set.spec.template, priorityClassName: "high" } } };
  const raised = patched(gang, twoPods, urgent);
  expect(raised.spec.priorityClassName).toBe("high");
  expect(planWith(twoPods, raised).updates).toMatchObject([{ patch: { spec: { priorityClassName: null } } }]);
});

test("a gang that is not expected goes", () => {
  const stray = fresh();
  const plan = planWith(twoPods, { ...stray, metadata: { ...stray.metadata, name: "w-0-g-3" } });
  expect(plan.deletes).toMatchObject([{ kind: "delete", object: { metadata: { name: "w-0-g-3" } } }]);
});
