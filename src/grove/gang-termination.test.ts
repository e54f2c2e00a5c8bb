/** Breaches of minAvailable that last: what starts over, and what does not (grove.md 6). */

import { describe, expect, test } from "vitest";
import type { PodClique } from "../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../api/grove/pod-clique-scaling-group.ts";
import type { Condition } from "../api/kubernetes/meta.ts";
import { parseTime } from "../api/kubernetes/time.ts";
import {
  breachLookMs,
  cliqueBreachMs,
  GANG_TERMINATION_IN_PROGRESS,
  groupBreachMs,
  MIN_AVAILABLE_BREACHED,
  POD_CLIQUE_SCHEDULED,
} from "./breach.ts";
import { memberClique, standaloneClique } from "./pod-clique/clique-object.ts";
import { podCliqueStatus } from "./pod-clique/status.ts";
import { brokenReplicas } from "./pod-clique-scaling-group/gang-termination.ts";
import { scalingGroup } from "./pod-clique-scaling-group/group-object.ts";
import { groupReplicas } from "./pod-clique-scaling-group/replicas.ts";
import { scalingGroupStatus } from "./pod-clique-scaling-group/status.ts";
import { planGangTermination } from "./pod-clique-set/gang-termination.ts";
import { setReplicas } from "./pod-clique-set/replicas.ts";
import { DEFAULT_SETTINGS } from "./settings.ts";
import { cliqueTemplate, storedSet } from "./test-objects.ts";

const CREATED = "2026-01-01T00:00:00Z";
const BROKEN = "2026-01-01T01:00:00Z";
const DELAY_MS = 10_000;
const at = (secondsAfterBreach: number): number => parseTime(BROKEN) + secondsAfterBreach * 1000;
const timeAt = (seconds: number): string => new Date(at(seconds)).toISOString().replace(".000", "");

const set = storedSet({
  cliques: [cliqueTemplate("a", 2), cliqueTemplate("b"), cliqueTemplate("c", 3)],
  podCliqueScalingGroups: [{ name: "g", cliqueNames: ["b", "c"], replicas: 2, minAvailable: 1 }],
  terminationDelay: "10s",
});
const [groupTemplate] = set.spec.template.podCliqueScalingGroups ?? [];
const stored = <T extends PodClique | PodCliqueScalingGroup>(object: T, conditions: readonly Condition[] = []): T => ({
  ...object,
  metadata: { ...object.metadata, uid: object.metadata.name, creationTimestamp: CREATED },
  status: { replicas: 0, scheduledReplicas: 0, readyReplicas: 0, updatedReplicas: 0, conditions },
});
const condition = (type: string, status: Condition["status"], lastTransitionTime = BROKEN): Condition => ({
  type,
  status,
  reason: "R",
  message: "",
  lastTransitionTime,
});
const breached = [condition(POD_CLIQUE_SCHEDULED, "True", CREATED), condition(MIN_AVAILABLE_BREACHED, "True")];
const healthy = [condition(POD_CLIQUE_SCHEDULED, "True", CREATED), condition(MIN_AVAILABLE_BREACHED, "False")];

const group = (conditions: readonly Condition[] = healthy): PodCliqueScalingGroup =>
  stored(scalingGroup(set, 0, groupTemplate!), conditions);
const member = (name: string, groupIndex: number, conditions: readonly Condition[] = healthy): PodClique => {
  const template = set.spec.template.cliques.find((one) => one.name === name)!;
  return stored(
    memberClique(template, {
      set,
      setIndex: 0,
      group: group(),
      groupTemplate: groupTemplate!,
      groupIndex,
      settings: DEFAULT_SETTINGS,
    }),
    conditions,
  );
};
const standalone = (conditions: readonly Condition[] = healthy): PodClique =>
  stored(standaloneClique(set, 0, set.spec.template.cliques[0]!, { settings: DEFAULT_SETTINGS }), conditions);

describe("a breach counts", () => {
  test("with the time that is left of the delay", () => {
    expect([
      cliqueBreachMs(standalone(breached), DELAY_MS, at(4)),
      cliqueBreachMs(standalone(breached), DELAY_MS, at(11)),
    ]).toEqual([6_000, -1_000]);
  });
  test("for a clique only once it was scheduled", () => {
    const never = [condition(POD_CLIQUE_SCHEDULED, "False", CREATED), condition(MIN_AVAILABLE_BREACHED, "True")];
    const lost = [condition(POD_CLIQUE_SCHEDULED, "False", BROKEN), condition(MIN_AVAILABLE_BREACHED, "True")];
    expect([
      cliqueBreachMs(standalone(never), DELAY_MS, at(60)),
      cliqueBreachMs(standalone(lost), DELAY_MS, at(60)),
    ]).toEqual([undefined, -50_000]);
  });
  test("for a group only once it was healthy, and not while it recovers from a termination", () => {
    const fromTheStart = [condition(MIN_AVAILABLE_BREACHED, "True", CREATED)];
    const recovering = [...breached, condition(GANG_TERMINATION_IN_PROGRESS, "True")];
    expect(
      [fromTheStart, recovering, breached].map((conditions) => groupBreachMs(group(conditions), DELAY_MS, at(60))),
    ).toEqual([undefined, undefined, -50_000]);
  });
});

describe("what was up and is lost in its first seconds", () => {
  const made = { creationTimestamp: timeAt(-2) };
  const outcome = { complete: true, lastErrors: [] };
  test("counts, for a clique", () => {
    const up = standalone(healthy);
    const clique = { ...up, metadata: { ...up.metadata, ...made, generation: 1 } };
    const status = podCliqueStatus({ clique, set, pods: [], outcome, now: BROKEN });
    expect(cliqueBreachMs({ ...clique, status }, DELAY_MS, at(11))).toBe(-1_000);
    const again = podCliqueStatus({ clique: { ...clique, status }, set, pods: [], outcome, now: timeAt(3) });
    expect(again.conditions).toEqual(status.conditions);
  });
  test("counts, for a group", () => {
    const up = group(healthy);
    const young = { ...up, metadata: { ...up.metadata, ...made }, status: { ...up.status!, scheduledReplicas: 2 } };
    const status = scalingGroupStatus({ group: young, set, cliques: [], outcome, now: BROKEN });
    // The time of a group's breach is also what its delay is measured from.
    expect(groupBreachMs({ ...young, status }, DELAY_MS, at(14))).toBe(0);
  });
});

test("what is in breach is looked at again before its delay is over, and every 3 minutes at the latest", () => {
  expect(breachLookMs(standalone(healthy), DELAY_MS)).toBeUndefined();
  expect(breachLookMs(standalone(breached), DELAY_MS)).toBe(5_000);
  expect(breachLookMs(group(breached), 4 * 3_600_000)).toBe(180_000);
  expect(breachLookMs(group(breached), 10)).toBe(1_000);
});

describe("replicas of a group", () => {
  const terminated = (cliques: readonly PodClique[], seconds: number, one = group()) => {
    const own = cliques.map((clique) => ({
      ...clique,
      metadata: { ...clique.metadata, ownerReferences: member("b", 0).metadata.ownerReferences! },
    }));
    const { replicas, lookAgainMs } = brokenReplicas(one, groupReplicas({ group: one, set, cliques: own }), {
      delayMs: DELAY_MS,
      nowMs: at(seconds),
    });
    return { indices: replicas.map(({ index }) => index), lookAgainMs };
  };
  const all = (first: readonly Condition[], second: readonly Condition[]) => [
    member("b", 0),
    member("c", 0, first),
    member("b", 1),
    member("c", 1, second),
  ];
  test("one that was broken for too long starts over while enough others are left", () => {
    expect(terminated(all(breached, healthy), 10)).toEqual({ indices: [0], lookAgainMs: undefined });
  });
  test("not before the delay has passed, and it is looked at again then", () => {
    expect(terminated(all(healthy, breached), 3)).toEqual({ indices: [], lookAgainMs: 7_000 });
  });
  test("none when fewer than minAvailable would be left", () => {
    expect(terminated(all(breached, breached), 60)).toEqual({ indices: [], lookAgainMs: undefined });
  });
  test("none when one that never came up and a lost one leave fewer than minAvailable, and the set will see to that", () => {
    const never = [condition(POD_CLIQUE_SCHEDULED, "False", CREATED), condition(MIN_AVAILABLE_BREACHED, "True")];
    const below = [condition(MIN_AVAILABLE_BREACHED, "True")];
    const recovering = [...below, condition(GANG_TERMINATION_IN_PROGRESS, "True")];
    const replicas = all(never, breached);
    expect(terminated(replicas, 10, group(below)).indices).toEqual([]);
    // The set does nothing about a group that has not recovered from its last termination, or that has room for the loss.
    expect(terminated(replicas, 10, group(recovering)).indices).toEqual([1]);
    expect(terminated(replicas, 10).indices).toEqual([1]);
  });
});

describe("the mark of a termination", () => {
  const marked = [...breached, condition(GANG_TERMINATION_IN_PROGRESS, "True")];
  const isMarked = (conditions: readonly Condition[], ready: number, seconds: number): boolean => {
    const counts = { replicas: 3, scheduledReplicas: 3, readyReplicas: ready, updatedReplicas: 3 };
    const status = { ...counts, scheduleGatedReplicas: 0, conditions: ready === 0 ? [] : healthy };
    const members = [0, 1].flatMap((index) => ["b", "c"].map((name) => ({ ...member(name, index), status })));
    const after = scalingGroupStatus({
      group: group(conditions),
      set,
      cliques: members,
      outcome: { complete: true, lastErrors: [] },
      now: timeAt(seconds),
    });
    return after.conditions?.some(({ type }) => type === GANG_TERMINATION_IN_PROGRESS) === true;
  };

  test("goes with available replicas at once", () => {
    expect(isMarked(marked, 3, 1)).toBe(false);
  });

  test("stays while members have just been made again and say nothing yet", () => {
    expect(isMarked(marked, 0, 1)).toBe(true);
    const recovering = [condition(MIN_AVAILABLE_BREACHED, "False"), condition(GANG_TERMINATION_IN_PROGRESS, "True")];
    expect(isMarked(recovering, 0, 4)).toBe(true);
    expect(isMarked(recovering, 0, 5)).toBe(false);
  });
});

describe("replicas of a set", () => {
  const plan = (cliques: readonly PodClique[], one: PodCliqueScalingGroup, seconds: number) => {
    const parts = { set, cliques, groups: [one] };
    const { stages, going, announcements } = planGangTermination(parts, setReplicas(parts, undefined), timeAt(seconds));
    return {
      marked: stages[0]?.actions.length ?? 0,
      deleted: stages.slice(1).map(({ actions }) => actions.map(({ object }) => object.metadata.name)),
      going: going.size,
      events: announcements.map(({ success }) => success),
    };
  };
  const members = [member("b", 0), member("c", 0), member("b", 1), member("c", 1)];
  test("a standalone clique below its minimum takes the whole replica along, itself last", () => {
    expect(plan([standalone(breached), ...members], group(), 10)).toEqual({
      marked: 1,
      deleted: [["w-0-g-0-b", "w-0-g-0-c", "w-0-g-1-b", "w-0-g-1-c"], ["w-0-a"]],
      going: 5,
      events: ["PodCliqueSetReplicaDeleteSuccessful"],
    });
  });
  test("so does a group", () => {
    expect(plan([standalone(), ...members], group(breached), 10).going).toBe(5);
  });
  test("nothing while a standalone clique is being made again", () => {
    expect(plan(members, group(breached), 60).going).toBe(0);
  });
  test("what a termination that was cut short left goes, and what was made since stays", () => {
    const marked = group([...breached, condition(GANG_TERMINATION_IN_PROGRESS, "True", timeAt(10))]);
    const later = member("b", 0);
    const made = { ...later, metadata: { ...later.metadata, creationTimestamp: timeAt(11) } };
    expect(plan([standalone(), made, member("c", 0)], marked, 12)).toMatchObject({ marked: 0, going: 2, events: [] });
  });
});
