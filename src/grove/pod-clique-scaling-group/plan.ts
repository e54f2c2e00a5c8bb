/** Pure: what a PodCliqueScalingGroup needs done to have its member PodCliques (grove.md 7.1, 9.1). */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import type { Action, Plan, Sweep } from "../actions.ts";
import { breachLookMs, terminationDelayMs } from "../breach.ts";
import { finalizerRemoval } from "../finalizers.ts";
import { GROUP_FINALIZER, GROUP_REPLICA_INDEX, indexLabelOf, MANAGED_BY, MANAGER, SCALING_GROUP } from "../labels.ts";
import { memberCliqueName } from "../names.ts";
import { isOwnedBy } from "../ownership.ts";
import { type MemberPosition, memberClique } from "../pod-clique/clique-object.ts";
import { templatePatch } from "../pod-clique/template-patch.ts";
import type { PodGangNames } from "../pod-gang/gang-names.ts";
import { recycleStages } from "../recycle.ts";
import { groupLevel } from "../resource-claims/levels.ts";
import { type ClaimView, planClaims } from "../resource-claims/plan.ts";
import type { OperatorSettings } from "../settings.ts";
import { progressActions } from "../status-actions.ts";
import { cliqueTemplate, templateOfGroup } from "../template.ts";
import { isOpen, updateTurn } from "../update-turn.ts";
import { brokenReplicas, type GroupTermination } from "./gang-termination.ts";
import { type GroupParts, groupReplicas } from "./replicas.ts";
import { groupUpdate } from "./update.ts";

/** `cliques` are the PodCliques labelled as members; the set is absent when it is gone. */
export interface ScalingGroupSnapshot extends GroupParts {
  /** Of the claims that its members share; undefined when they share none. */
  readonly claims?: ClaimView | undefined;
  /** Legacy ones when absent. */
  readonly gangNames?: PodGangNames | undefined;
}

export interface ScalingGroupPlanOptions {
  readonly settings: OperatorSettings;
  /** RFC 3339. */
  readonly now: string;
}

export function planScalingGroup(snapshot: ScalingGroupSnapshot, { settings, now }: ScalingGroupPlanOptions): Plan {
  const { group, set, cliques } = snapshot;
  if (isTerminating(group)) return finalizerRemoval("group", group, GROUP_FINALIZER, [[membersOf(snapshot)]]);
  if (set === undefined || isTerminating(set)) return { stages: [], waitingFor: "its PodCliqueSet" };
  const position = templateOfGroup(group, set);
  if (position === undefined) return { stages: [], waitingFor: "its template in the PodCliqueSet" };

  const delayMs = terminationDelayMs(set);
  const replicas = groupReplicas(snapshot);
  const update = groupUpdate(snapshot, replicas, now);
  const termination: GroupTermination = isOpen(update.progress ?? group.status?.updateProgress)
    ? { replicas: [] }
    : brokenReplicas(group, replicas, { delayMs, nowMs: parseTime(now) });
  const recycled = [...update.recreate, ...termination.replicas].flatMap(({ members }) => members);
  const going = new Set(recycled);
  const claims = planClaims(set, groupLevel(group, set), snapshot.claims);
  const looks = [termination.lookAgainMs ?? [], breachLookMs(group, delayMs) ?? []].flat();
  const waits: string[] = [claims.waitingFor ?? [], update.waitingFor ?? []].flat();
  const { gangNames } = snapshot;
  const members = memberActions(snapshot, { set, group, settings, gangNames, ...position }, going, waits);
  return {
    stages: [
      { actions: progressActions("group", group, update.progress) },
      { actions: claims.actions },
      { actions: excess(group, cliques).map(deleteMember) },
      { actions: claims.isIncomplete ? [] : members },
      ...recycleStages(recycled),
    ],
    announcements: termination.replicas.map(({ index }) => ({
      regarding: set,
      success: "PodCliqueScalingGroupReplicaDeleteSuccessful",
      failure: "PodCliqueScalingGroupReplicaDeleteFailed",
      message: `replica ${index} of PodCliqueScalingGroup ${group.metadata.name} was below minAvailable for ${set.spec.template.terminationDelay ?? "4h"} and starts over`,
    })),
    ...(claims.problem !== undefined && { problem: claims.problem }),
    ...(waits[0] !== undefined && { waitingFor: waits[0] }),
    ...(looks.length > 0 && { lookAgainMs: Math.min(...looks) }),
  };
}

const membersOf = ({ group: { metadata }, cliques }: ScalingGroupSnapshot): Sweep => ({
  of: "clique",
  namespace: metadata.namespace ?? "default",
  labelSelector: `${MANAGED_BY}=${MANAGER},${SCALING_GROUP}=${metadata.name}`,
  objects: cliques,
});

/** Members that are missing; under OnDelete also the present template for those that are there. */
function memberActions(
  { cliques }: ScalingGroupSnapshot,
  position: Omit<MemberPosition, "groupIndex">,
  going: ReadonlySet<PodClique>,
  waits: string[],
): readonly Action[] {
  const { set, group, setIndex } = position;
  const isMarking = updateTurn(set, setIndex) === "mark";
  const byName = new Map(cliques.map((clique) => [clique.metadata.name, clique]));
  const actions: Action[] = [];
  for (let groupIndex = 0; groupIndex < group.spec.replicas; groupIndex++) {
    for (const name of group.spec.cliqueNames) {
      const template = cliqueTemplate(set.spec.template, name);
      if (template === undefined) continue;
      const live = byName.get(memberCliqueName(group.metadata.name, groupIndex, name));
      const wanted = (): PodClique => memberClique(template, { ...position, groupIndex });
      if (live === undefined) {
        actions.push(createMember(wanted()));
      } else if (isTerminating(live) || !isOwnedBy(live, group)) {
        waits.push(
          `PodClique ${live.metadata.name}, which ${isTerminating(live) ? "is terminating" : "has another owner"}`,
        );
      } else if (isMarking && !going.has(live)) {
        const patch = templatePatch(live, wanted());
        if (patch !== undefined) actions.push(patch);
      }
    }
  }
  return actions;
}

/** Every member at or above the wanted number, so that holes in the existing indices do no harm. */
const excess = (group: PodCliqueScalingGroup, cliques: readonly PodClique[]): readonly PodClique[] =>
  cliques.filter(
    (clique) =>
      (indexLabelOf(clique, GROUP_REPLICA_INDEX) ?? 0) >= group.spec.replicas &&
      !isTerminating(clique) &&
      isOwnedBy(clique, group),
  );

const createMember = (object: PodClique): Action => ({
  kind: "create",
  of: "clique",
  object,
  errorCode: "ERR_CREATE_PODCLIQUE",
  events: { success: "PodCliqueCreateSuccessful", failure: "PodCliqueCreateFailed" },
});

const deleteMember = (object: PodClique): Action => ({
  kind: "delete",
  of: "clique",
  object,
  errorCode: "ERR_DELETE_PODCLIQUE",
});
