/** Pure: keeps the objects that schedulers have for a PodGang as they should be (grove.md 3.7). */
import { isTerminating } from "../../api/kubernetes/core.ts";
import { controllerOf, type KubeObject } from "../../api/kubernetes/meta.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import type { Action, Plan } from "../actions.ts";
import type { GangContext, GangObject, GangObjectKind } from "../backends/backend.ts";
import { backendOf } from "../backends/registry.ts";
import { labelOf, SCHEDULER_NAME } from "../labels.ts";
import { isOwnedBy } from "../ownership.ts";
import type { OperatorSettings } from "../settings.ts";

/** The object named like the gang, of one kind. */
export interface LiveGangObject {
  readonly of: GangObjectKind;
  /** False until the kind has been listed: it may not be installed. */
  readonly isKnown: boolean;
  readonly object: KubeObject | undefined;
}

export interface GangBackendSnapshot extends GangContext {
  /** One for each kind of an enabled scheduler. */
  readonly live: readonly LiveGangObject[];
}

export interface GangBackendPlan extends Plan {
  /** What a person has to put right before the gang can have its object. */
  readonly mappingProblem?: string;
}

export function planGangBackend(snapshot: GangBackendSnapshot, settings: OperatorSettings): GangBackendPlan {
  const { gang, set, live } = snapshot;
  // Its objects go with it, by garbage collection.
  if (isTerminating(gang) || (set !== undefined && isTerminating(set))) return { stages: [] };
  if (set === undefined) return { stages: [], waitingFor: "its PodCliqueSet" };
  const chosen = backendOf(settings, labelOf(gang, SCHEDULER_NAME))?.gangObject;
  const others = live.filter(({ of }) => of !== chosen?.of).flatMap((other) => deleteOwn(gang, other));
  const own = chosen === undefined ? { stages: [] } : planOwn(snapshot, chosen);
  return { ...own, stages: [{ actions: others }, ...own.stages] };
}

/** What a scheduler has of a gang that is another scheduler's now. */
function deleteOwn(gang: PodGang, { of, object }: LiveGangObject): readonly Action[] {
  if (object === undefined || isTerminating(object) || !isOwnedBy(object, gang)) return [];
  return [{ kind: "delete", of, object, errorCode: "ERR_DELETE_PODGROUP" } as Action];
}

function planOwn(snapshot: GangBackendSnapshot, gangObject: GangObject): GangBackendPlan {
  const { gang } = snapshot;
  const { of } = gangObject;
  const live = snapshot.live.find((each) => each.of === of);
  // Its first list wakes all gangs.
  if (live?.isKnown !== true) return { stages: [] };
  const wanted = gangObject.wanted(snapshot);
  if ("problem" in wanted) return { stages: [], mappingProblem: wanted.problem };
  const errorCode = "ERR_SYNC_PODGROUP";
  const { object } = live;
  if (object === undefined) {
    return { stages: [{ actions: [{ kind: "create", of, object: wanted.object, errorCode } as Action] }] };
  }
  const described = `${object.kind} ${object.metadata.name}`;
  if (isTerminating(object)) return { stages: [], waitingFor: `${described}, which is terminating` };
  const owner = controllerOf(object);
  if (owner !== undefined && owner.uid !== gang.metadata.uid) {
    // The one of an earlier gang of this name goes by itself; nobody else's is ever taken over.
    return owner.kind === gang.kind && owner.name === gang.metadata.name
      ? { stages: [], waitingFor: `${described} of an earlier PodGang to go` }
      : { stages: [], mappingProblem: `${described} belongs to ${owner.kind} ${owner.name}` };
  }
  const patch = gangObject.patch(object, wanted.object, gang);
  return {
    stages: patch === undefined ? [] : [{ actions: [{ kind: "patch", of, object, patch, errorCode } as Action] }],
  };
}
