/** The admission rule of schedulers that know nothing of topologies. */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import type { FieldError } from "../../api/schema/validate.ts";
import { scalingGroups } from "../template.ts";

export function refuseTopologyConstraints(
  { spec: { template } }: PodCliqueSet,
  scheduler: string,
): readonly FieldError[] {
  const places = [
    { field: "spec.template.topologyConstraint", ...template },
    ...scalingGroups(template).map(({ topologyConstraint }, index) => ({
      field: `spec.template.podCliqueScalingGroups[${index}].topologyConstraint`,
      topologyConstraint,
    })),
    ...template.cliques.map(({ topologyConstraint }, index) => ({
      field: `spec.template.cliques[${index}].topologyConstraint`,
      topologyConstraint,
    })),
  ];
  return places
    .filter(({ topologyConstraint }) => topologyConstraint !== undefined)
    .map(({ field }) => ({
      field,
      message: `scheduler ${scheduler} does not support topology constraints; remove it or use another scheduler`,
    }));
}
