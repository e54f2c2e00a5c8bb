/** Pure: what a PodCliqueScalingGroup needs done to have its member PodCliques (grove.md 7.1, 9.1). */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueScalingGroupTemplate, PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import type { Action, Plan } from "../actions.ts";
import { finalizerRemoval } from "../finalizers.ts";
import { GROUP_FINALIZER, GROUP_REPLICA_INDEX, indexLabelOf, SET_REPLICA_INDEX } from "../labels.ts";
import { memberCliqueName, scalingGroupName } from "../names.ts";
import { isOwnedBy } from "../ownership.ts";
import { memberClique } from "../pod-clique/clique-object.ts";
import { cliqueTemplate, scalingGroups } from "../template.ts";

export interface ScalingGroupSnapshot {
  readonly group: PodCliqueScalingGroup;
  /** The set that owns it, unless that is gone. */
  readonly set: PodCliqueSet | undefined;
  /** PodCliques labelled as members. */
  readonly cliques: readonly PodClique[];
}

export function planScalingGroup({ group, set, cliques }: ScalingGroupSnapshot): Plan {
  if (isTerminating(group)) return finalizerRemoval("group", group, GROUP_FINALIZER);
  if (set === undefined || isTerminating(set)) return { stages: [], waitingFor: "its PodCliqueSet" };
  const position = templateOf(group, set);
  if (position === undefined) return { stages: [], waitingFor: "its template in the PodCliqueSet" };
  const byName = new Map(cliques.map((clique) => [clique.metadata.name, clique]));
  const creates: Action[] = [];
  const waits: string[] = [];
  for (let groupIndex = 0; groupIndex < group.spec.replicas; groupIndex++) {
    for (const name of group.spec.cliqueNames) {
      const template = cliqueTemplate(set.spec.template, name);
      if (template === undefined) continue;
      const live = byName.get(memberCliqueName(group.metadata.name, groupIndex, name));
      if (live === undefined) {
        creates.push(createMember(memberClique(template, { set, group, groupIndex, ...position })));
      } else if (isTerminating(live) || !isOwnedBy(live, group)) {
        waits.push(
          `PodClique ${live.metadata.name}, which ${isTerminating(live) ? "is terminating" : "has another owner"}`,
        );
      }
    }
  }
  return {
    stages: [{ actions: excess(group, cliques).map(deleteMember) }, { actions: creates }],
    ...(waits[0] !== undefined && { waitingFor: waits[0] }),
  };
}

export interface TemplatePosition {
  readonly setIndex: number;
  readonly groupTemplate: PodCliqueScalingGroupTemplate;
}

/** By the exact name the set gives, never by a suffix. */
function templateOf(group: PodCliqueScalingGroup, set: PodCliqueSet): TemplatePosition | undefined {
  const setIndex = indexLabelOf(group, SET_REPLICA_INDEX);
  if (setIndex === undefined) return undefined;
  const groupTemplate = scalingGroups(set.spec.template).find(
    ({ name }) => scalingGroupName(set.metadata.name, setIndex, name) === group.metadata.name,
  );
  return groupTemplate && { setIndex, groupTemplate };
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
