/** Webhook rules of topology constraints (grove.md 1.5): names, existing levels, parents not narrower than children. */
import { equalJson } from "../json.ts";
import type { FieldError } from "../schema/validate.ts";
import type { GroveAdmissionOptions } from "./admission-options.ts";
import type { PodCliqueSet } from "./pod-clique-set.ts";
import {
  PACK_DOMAIN_DEPRECATED,
  preferredDomain,
  requiredDomain,
  type TopologyConstraint,
  topologyConstraintShapeErrors,
} from "./topology-constraint.ts";

interface Node {
  readonly path: string;
  readonly label: string;
  readonly constraint: TopologyConstraint | undefined;
  readonly parents: readonly Node[];
}

export function validateTopologyConstraints(
  set: PodCliqueSet,
  operation: "CREATE" | "UPDATE",
  options: GroveAdmissionOptions,
  old?: PodCliqueSet,
): { readonly errors: readonly FieldError[]; readonly warnings: readonly string[] } {
  const nodes = constraintNodes(set);
  const constrained = nodes.filter(({ constraint }) => constraint !== undefined);
  const errors: FieldError[] = [];
  const warnings: string[] = [];
  if (constrained.length === 0) return { errors, warnings };

  for (const { path, constraint } of constrained) {
    if (constraint === undefined) continue;
    for (const { field, message } of topologyConstraintShapeErrors(constraint)) {
      errors.push({ field: `${path}.${field}`, message });
    }
    if (constraint.packDomain === undefined) continue;
    if (operation === "CREATE") errors.push({ field: `${path}.packDomain`, message: PACK_DOMAIN_DEPRECATED });
    else warnings.push(`${path}.packDomain is deprecated; use pack.required`);
  }
  // A binding that has gone or changed since is told in a condition; it must not keep the set from being scaled. Old constraints may have no name.
  if (old !== undefined && equalJson(constraintsByOwner(old), constraintsByOwner(set))) return { errors, warnings };
  if (!options.topologyAwareScheduling) {
    if (operation === "UPDATE") return { errors, warnings };
    for (const { path } of constrained) {
      errors.push({
        field: path,
        message: "topology-aware scheduling is off in the operator; turn it on or remove the constraint",
      });
    }
    return { errors, warnings };
  }
  const named = checkNames(constrained, errors);
  const levels = named === undefined ? undefined : options.topologyLevels?.get(named);
  if (named !== undefined && options.topologyLevels !== undefined && levels === undefined) {
    errors.push({
      field: constrained[0]!.path,
      message: `ClusterTopologyBinding ${JSON.stringify(named)} does not exist; create it first`,
    });
  }
  if (levels !== undefined) checkLevels(nodes, levels, errors, warnings);
  return { errors, warnings };
}

/** The set, its groups, and its cliques with the nodes above them. */
function constraintNodes({ spec: { template } }: PodCliqueSet): readonly Node[] {
  const root: Node = {
    path: "spec.template.topologyConstraint",
    label: "the PodCliqueSet",
    constraint: template.topologyConstraint,
    parents: [],
  };
  const groups = (template.podCliqueScalingGroups ?? []).map((group, index) => ({
    cliqueNames: group.cliqueNames,
    node: {
      path: `spec.template.podCliqueScalingGroups[${index}].topologyConstraint`,
      label: `scaling group ${JSON.stringify(group.name)}`,
      constraint: group.topologyConstraint,
      parents: [root],
    } satisfies Node,
  }));
  const cliques = template.cliques.map((clique, index): Node => {
    const group = groups.find(({ cliqueNames }) => cliqueNames.includes(clique.name));
    return {
      path: `spec.template.cliques[${index}].topologyConstraint`,
      label: `clique ${JSON.stringify(clique.name)}`,
      constraint: clique.topologyConstraint,
      parents: group === undefined ? [root] : [root, group.node],
    };
  });
  return [root, ...groups.map(({ node }) => node), ...cliques];
}

const constraintsByOwner = (set: PodCliqueSet): Readonly<Record<string, TopologyConstraint | undefined>> =>
  Object.fromEntries(constraintNodes(set).map(({ label, constraint }) => [label, constraint]));

/** Every constraint has or inherits a topology name, and all of one set are equal. */
function checkNames(constrained: readonly Node[], errors: FieldError[]): string | undefined {
  let common: string | undefined;
  for (const { path, constraint, parents } of constrained) {
    const own = constraint?.topologyName;
    const name = own || parents.findLast((parent) => parent.constraint?.topologyName)?.constraint?.topologyName;
    if (name === undefined) {
      errors.push({ field: `${path}.topologyName`, message: "is required, here or on a parent" });
    } else if (common !== undefined && name !== common) {
      errors.push({
        field: `${path}.topologyName`,
        message: `all constraints of a set must name one topology, found ${JSON.stringify(common)} and ${JSON.stringify(name)}`,
      });
    } else common = name;
  }
  return common;
}

function checkLevels(
  nodes: readonly Node[],
  levels: readonly string[],
  errors: FieldError[],
  warnings: string[],
): void {
  for (const { path, constraint, label, parents } of nodes) {
    if (constraint === undefined) continue;
    const required = requiredDomain(constraint);
    const preferred = preferredDomain(constraint);
    for (const [domain, field] of [
      [required, constraint.packDomain === undefined ? "pack.required" : "packDomain"],
      [preferred, "pack.preferred"],
    ] as const) {
      if (domain !== undefined && !levels.includes(domain)) {
        errors.push({
          field: `${path}.${field}`,
          message: `${JSON.stringify(domain)} is not a level of the topology; levels: ${levels.join(", ")}`,
        });
      }
    }
    if (isBroader(levels, preferred, required)) {
      warnings.push(
        `${path}: preferred domain ${preferred} is broader than required domain ${required} and has no effect`,
      );
    }
    for (const parent of parents) {
      for (const [kind, domainOf] of [
        ["required", requiredDomain],
        ["preferred", preferredDomain],
      ] as const) {
        const above = domainOf(parent.constraint);
        const below = domainOf(constraint);
        if (isBroader(levels, below, above)) {
          errors.push({
            field: path,
            message: `${kind} domain ${below} of ${label} is broader than ${above} of ${parent.label}; a parent must not be narrower`,
          });
        }
      }
    }
  }
}

function isBroader(levels: readonly string[], a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  const indexA = levels.indexOf(a);
  const indexB = levels.indexOf(b);
  return indexA !== -1 && indexB !== -1 && indexA < indexB;
}
