/** Which topology a PodCliqueSet speaks of, and which of its domains it uses (grove.md 1.5, 3.6). Pure. */
import type { PodCliqueSetTemplate } from "../../api/grove/pod-clique-set.ts";
import { preferredDomain, requiredDomain, type TopologyConstraint } from "../../api/grove/topology-constraint.ts";
import { scalingGroups } from "../template.ts";

/** The set's own constraint, then those of its groups, then those of its cliques. */
export function constraintsOf(template: PodCliqueSetTemplate): readonly TopologyConstraint[] {
  return [
    template.topologyConstraint,
    ...scalingGroups(template).map(({ topologyConstraint }) => topologyConstraint),
    ...template.cliques.map(({ topologyConstraint }) => topologyConstraint),
  ].filter((constraint) => constraint !== undefined);
}

/** Name of a ClusterTopologyBinding. Admission makes all names of one set equal, so the first one found is the one. */
export const topologyNameOf = (template: PodCliqueSetTemplate): string | undefined =>
  constraintsOf(template).find(({ topologyName }) => topologyName !== undefined && topologyName !== "")?.topologyName;

/** Required and preferred, each once, in the order in which they are found. */
export const domainsOf = (template: PodCliqueSetTemplate): readonly string[] => [
  ...new Set(
    constraintsOf(template)
      .flatMap((constraint) => [requiredDomain(constraint), preferredDomain(constraint)])
      .filter((domain) => domain !== undefined),
  ),
];
