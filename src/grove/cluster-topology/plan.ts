/**
 * Pure: keeps the topology objects of schedulers equal to a ClusterTopologyBinding (grove.md 3.7).
 *
 * Without a reference the object is ours: named like the binding, owned by it, made anew when the levels change, since
 * KAI does not let them change. With a reference it is somebody else's: only compared.
 */
import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import type { Action, Plan } from "../actions.ts";
import type { TopologyObject } from "../backends/backend.ts";
import { isOwnedBy } from "../ownership.ts";

export interface LiveTopology {
  readonly schedulerName: string;
  readonly topologyObject: TopologyObject;
  /** False until the kind has been listed: it may not be installed. */
  readonly isKnown: boolean;
  /** The referenced one, or the one named like the binding. */
  readonly live: KubeObject | undefined;
  /** The explicit reference. */
  readonly reference?: string;
}

export interface BindingSnapshot {
  readonly binding: ClusterTopologyBinding;
  /** One for each topology-aware scheduler that is enabled. */
  readonly topologies: readonly LiveTopology[];
}

export const referenceOf = ({ spec }: ClusterTopologyBinding, scheduler: string): string | undefined =>
  spec.schedulerTopologyBindings?.find(({ schedulerName }) => schedulerName === scheduler)?.topologyReference;

export function planBinding({ binding, topologies }: BindingSnapshot): Plan {
  if (isTerminating(binding)) return { stages: [] };
  const managed = topologies.filter(({ reference }) => reference === undefined);
  const problem = managed.map((topology) => topologyProblem(binding, topology)).find((one) => one !== undefined);
  const going = managed.find(({ live }) => live !== undefined && isTerminating(live));
  const actionable = managed.filter(
    (topology) => topology !== going && topologyProblem(binding, topology) === undefined,
  );
  const outdated = actionable.filter(({ live, topologyObject }) => live && !topologyObject.hasLevels(live, binding));
  const absent = actionable.filter(({ live }) => live === undefined);
  return {
    stages: [
      { actions: outdated.map(deletion) },
      { actions: [...outdated, ...absent].map((topology) => creation(binding, topology)) },
    ],
    ...((problem ?? going) !== undefined && { waitingFor: problem ?? "a topology that is terminating" }),
  };
}

/** Why a topology that should be ours cannot be put right. */
export function topologyProblem(
  binding: ClusterTopologyBinding,
  { isKnown, live, topologyObject }: LiveTopology,
): string | undefined {
  const described = `${topologyObject.kind} ${JSON.stringify(binding.metadata.name)}`;
  if (!isKnown) return `${described} cannot be looked up: the kind cannot be listed, is its CRD installed?`;
  if (live === undefined || isOwnedBy(live, binding)) return undefined;
  return `${described} is not owned by the ClusterTopologyBinding: rename one of them, or name it in schedulerTopologyBindings`;
}

const ERROR_CODE = "ERR_SYNC_TOPOLOGY";

const deletion = ({ topologyObject, live }: LiveTopology): Action =>
  ({ kind: "delete", of: topologyObject.of, object: live, errorCode: ERROR_CODE }) as Action;

const creation = (binding: ClusterTopologyBinding, { topologyObject }: LiveTopology): Action =>
  ({ kind: "create", of: topologyObject.of, object: topologyObject.wanted(binding), errorCode: ERROR_CODE }) as Action;
