/**
 * From the domains of a PodCliqueSet to the node label keys of a PodGang (grove.md 3.6). Pure.
 *
 * A domain that the binding does not have, or a binding that is gone, drops that half of a constraint without an error:
 * pods are placed less well rather than not at all, and the set's condition says so.
 */
import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import type { PodCliqueSetTemplate } from "../../api/grove/pod-clique-set.ts";
import { preferredDomain, requiredDomain, type TopologyConstraint } from "../../api/grove/topology-constraint.ts";
import type { PodGangSpec } from "../../api/scheduler/pod-gang.ts";
import type { ExpectedPodGang } from "../pod-gang/compose.ts";
import { cliqueTemplate } from "../template.ts";

type GangConstraint = NonNullable<PodGangSpec["topologyConstraint"]>;

export interface PodGangTopology {
  /** The binding's name, while at least one constraint could be translated. */
  readonly topologyName?: string;
  readonly gang?: GangConstraint;
  readonly groupConfigs: NonNullable<PodGangSpec["topologyConstraintGroupConfigs"]>;
  /** By the name of the pod group. */
  readonly podGroups: ReadonlyMap<string, GangConstraint>;
}

const NOTHING: PodGangTopology = { groupConfigs: [], podGroups: new Map() };

/** @param binding the one that the set names; undefined: there is none, or topology-aware scheduling is off */
export function gangTopology(
  gang: ExpectedPodGang,
  template: PodCliqueSetTemplate,
  binding: ClusterTopologyBinding | undefined,
): PodGangTopology {
  if (binding === undefined) return NOTHING;
  const translate = (constraint: TopologyConstraint | undefined) => translateConstraint(constraint, binding);
  const podGroups = new Map(
    gang.podGroups.flatMap(({ clique, template: name }) => {
      const own = translate(cliqueTemplate(template, name)?.topologyConstraint);
      return own === undefined ? [] : [[clique, own] as const];
    }),
  );
  const ofSet = translate(template.topologyConstraint);
  const whole = gang.scaled ? (translateGroup(gang, translate) ?? ofSet) : ofSet;
  const groupConfigs = gang.scaled
    ? []
    : gang.groupReplicas.flatMap(({ name, group, cliques }) => {
        const topologyConstraint = translate(group.topologyConstraint);
        return topologyConstraint === undefined ? [] : [{ name, podGroupNames: cliques, topologyConstraint }];
      });
  const isTranslated = whole !== undefined || groupConfigs.length > 0 || podGroups.size > 0;
  return {
    ...(isTranslated && { topologyName: binding.metadata.name }),
    ...(whole !== undefined && { gang: whole }),
    groupConfigs,
    podGroups,
  };
}

/** A scaled gang is one replica of one group, so the group's constraint is the gang's. */
const translateGroup = (
  gang: ExpectedPodGang,
  translate: (constraint: TopologyConstraint | undefined) => GangConstraint | undefined,
): GangConstraint | undefined => translate(gang.groupReplicas[0]?.group.topologyConstraint);

function translateConstraint(
  constraint: TopologyConstraint | undefined,
  { spec }: ClusterTopologyBinding,
): GangConstraint | undefined {
  const keyOf = (domain: string | undefined): string | undefined =>
    domain === undefined ? undefined : spec.levels.find((level) => level.domain === domain)?.key;
  const required = keyOf(requiredDomain(constraint));
  const preferred = keyOf(preferredDomain(constraint));
  if (required === undefined && preferred === undefined) return undefined;
  return {
    packConstraint: { ...(required !== undefined && { required }), ...(preferred !== undefined && { preferred }) },
  };
}
