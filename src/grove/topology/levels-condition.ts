/** The condition `TopologyLevelsUnavailable` of a PodCliqueSet: can its constraints be translated? (grove.md 1.11). Pure. */
import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { withCondition } from "../../api/kubernetes/conditions.ts";
import type { Condition } from "../../api/kubernetes/meta.ts";
import { constraintsOf, domainsOf, topologyNameOf } from "./topology-of-set.ts";

const TYPE = "TopologyLevelsUnavailable";

export interface LevelsConditionInput {
  readonly set: PodCliqueSet;
  /** The one that the set names. */
  readonly binding: ClusterTopologyBinding | undefined;
  readonly topologyAwareScheduling: boolean;
  /** RFC 3339. */
  readonly now: string;
}

/** The set's conditions with this one set, or taken away where it says nothing. */
export function withLevelsCondition(input: LevelsConditionInput): readonly Condition[] | undefined {
  const { set, now } = input;
  const old = set.status?.conditions;
  const next = levelsCondition(input);
  if (next !== undefined) return withCondition(old, { type: TYPE, ...next, ...observed(set) }, now);
  return old?.some(({ type }) => type === TYPE) ? old.filter(({ type }) => type !== TYPE) : old;
}

const observed = ({ metadata: { generation } }: PodCliqueSet): Pick<Condition, "observedGeneration"> =>
  generation === undefined ? {} : { observedGeneration: generation };

function levelsCondition({
  set: {
    spec: { template },
  },
  binding,
  topologyAwareScheduling,
}: LevelsConditionInput): Pick<Condition, "status" | "reason" | "message"> | undefined {
  const isConstrained = constraintsOf(template).length > 0;
  if (!topologyAwareScheduling) {
    if (!isConstrained) return undefined;
    return {
      status: "Unknown",
      reason: "TopologyAwareSchedulingDisabled",
      message: "Topology-aware scheduling is off in the operator; the topology constraints have no effect",
    };
  }
  if (!isConstrained) return available("The PodCliqueSet has no topology constraints");
  const name = topologyNameOf(template);
  if (name === undefined) {
    return {
      status: "Unknown",
      reason: "TopologyNameMissing",
      message: "The topology constraints have to include topologyName",
    };
  }
  if (binding === undefined) {
    return {
      status: "Unknown",
      reason: "ClusterTopologyNotFound",
      message: `ClusterTopologyBinding ${JSON.stringify(name)} does not exist`,
    };
  }
  const missing = domainsOf(template).filter((domain) => !binding.spec.levels.some((level) => level.domain === domain));
  if (missing.length === 0) {
    return available(`ClusterTopologyBinding ${JSON.stringify(name)} has all topology levels that are used`);
  }
  return {
    status: "True",
    reason: "ClusterTopologyLevelsUnavailable",
    message: `ClusterTopologyBinding ${JSON.stringify(name)} does not have these topology levels: ${missing.join(", ")}`,
  };
}

const available = (message: string) =>
  ({ status: "False", reason: "AllClusterTopologyLevelsAvailable", message }) as const;
