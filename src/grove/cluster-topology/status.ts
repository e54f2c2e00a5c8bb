/** Pure: the status of a ClusterTopologyBinding (grove.md 1.11, 3.7). */
import type { ClusterTopologyBinding, ClusterTopologyBindingStatus } from "../../api/grove/cluster-topology-binding.ts";
import { withCondition } from "../../api/kubernetes/conditions.ts";
import type { Condition } from "../../api/kubernetes/meta.ts";
import type { PassOutcome } from "../pass-outcome.ts";
import { type BindingSnapshot, type LiveTopology, topologyProblem } from "./plan.ts";

export const DRIFT = "SchedulerTopologyDrift";

export interface BindingStatusInput extends BindingSnapshot {
  readonly outcome: PassOutcome;
  /** RFC 3339. */
  readonly now: string;
}

type Entry = NonNullable<ClusterTopologyBindingStatus["schedulerTopologyStatuses"]>[number];

export function bindingStatus({ binding, topologies, outcome, now }: BindingStatusInput): ClusterTopologyBindingStatus {
  const old = binding.status;
  const isBehind = topologies.some(({ isKnown }) => !isKnown);
  // The cache lags behind what was just written: the next pass tells.
  if (!outcome.complete && outcome.lastErrors.length === 0 && !hasProblem({ binding, topologies })) return old ?? {};
  const entries = topologies.map((topology) => entryOf(binding, topology, outcome));
  const unavailable = unavailableSchedulers({ binding, topologies });
  const statuses = [...entries, ...unavailable];
  const { generation } = binding.metadata;
  const condition = driftCondition(statuses, unavailable.length > 0, generation);
  const conditions =
    condition === undefined
      ? old?.conditions?.filter(({ type }) => type !== DRIFT)
      : withCondition(old?.conditions, condition, now);
  const observedGeneration = outcome.complete && !isBehind ? generation : old?.observedGeneration;
  return {
    ...(observedGeneration !== undefined && { observedGeneration }),
    ...(conditions !== undefined && { conditions }),
    ...((statuses.length > 0 || old?.schedulerTopologyStatuses !== undefined) && {
      schedulerTopologyStatuses: statuses,
    }),
  };
}

const hasProblem = ({ binding, topologies }: BindingSnapshot): boolean =>
  topologies.some((topology) => topology.reference === undefined && topologyProblem(binding, topology) !== undefined);

function entryOf(binding: ClusterTopologyBinding, topology: LiveTopology, outcome: PassOutcome): Entry {
  const { schedulerName, reference } = topology;
  if (reference !== undefined) {
    return { schedulerName, topologyReference: reference, ...comparison(binding, topology, reference) };
  }
  const topologyReference = binding.metadata.name;
  const message =
    outcome.lastErrors.map(({ description }) => description).join("; ") ||
    (outcome.complete ? undefined : topologyProblem(binding, topology));
  return { schedulerName, topologyReference, inSync: message === undefined, ...(message !== undefined && { message }) };
}

function comparison(
  binding: ClusterTopologyBinding,
  { isKnown, live, topologyObject }: LiveTopology,
  reference: string,
): Pick<Entry, "inSync" | "message" | "schedulerBackendTopologyObservedGeneration"> {
  const described = `${topologyObject.kind} ${JSON.stringify(reference)}`;
  if (!isKnown) return { inSync: false, message: `${described} cannot be looked up: is its CRD installed?` };
  if (live === undefined) return { inSync: false, message: `${described} not found` };
  const { generation } = live.metadata;
  const observed = generation === undefined ? {} : { schedulerBackendTopologyObservedGeneration: generation };
  return topologyObject.hasLevels(live, binding)
    ? { inSync: true, ...observed }
    : { inSync: false, ...observed, message: `the levels of ${described} differ from those of the binding` };
}

/** References to schedulers that are not enabled, or know nothing of topologies. */
function unavailableSchedulers({ binding, topologies }: BindingSnapshot): readonly Entry[] {
  const available = new Set(topologies.map(({ schedulerName }) => schedulerName));
  return (binding.spec.schedulerTopologyBindings ?? [])
    .filter(({ schedulerName }) => !available.has(schedulerName))
    .map(({ schedulerName, topologyReference }) => ({
      schedulerName,
      topologyReference,
      inSync: false,
      message: `scheduler ${JSON.stringify(schedulerName)} is not enabled, or does not support topologies`,
    }));
}

function driftCondition(
  statuses: readonly Entry[],
  isUnavailable: boolean,
  generation: number | undefined,
): Omit<Condition, "lastTransitionTime"> | undefined {
  if (statuses.length === 0) return undefined;
  const observed = generation === undefined ? {} : { observedGeneration: generation };
  const type = DRIFT;
  if (isUnavailable) {
    const message = "a scheduler that the binding refers to is not available for topologies";
    return { type, status: "Unknown", reason: "TopologyNotFound", message, ...observed };
  }
  const drifted = statuses.filter(({ inSync }) => !inSync).map(({ schedulerName }) => schedulerName);
  return drifted.length === 0
    ? { type, status: "False", reason: "InSync", message: "all scheduler topologies are in sync", ...observed }
    : {
        type,
        status: "True",
        reason: "Drift",
        message: `scheduler topologies are not in sync: ${drifted.join(", ")}`,
        ...observed,
      };
}
