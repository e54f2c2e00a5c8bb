/** Rules of resource claim templates and their sharing (grove.md 1.6). */
import type { FieldError } from "../schema/validate.ts";
import type { PodCliqueSetTemplate } from "./pod-clique-set.ts";

interface Sharing {
  readonly name: string;
  readonly namespace?: string;
  readonly filter?: {
    readonly childCliqueNames?: readonly string[];
    readonly childScalingGroupNames?: readonly string[];
  };
}

export function validateResourceSharing(template: PodCliqueSetTemplate): readonly FieldError[] {
  const errors: FieldError[] = [];
  const report = (field: string, message: string): void => {
    errors.push({ field, message });
  };
  const claims = template.resourceClaimTemplates ?? [];
  const claimNames = new Set<string>();
  for (const [index, { name, templateSpec }] of claims.entries()) {
    const path = `spec.template.resourceClaimTemplates[${index}]`;
    if (name === "") report(`${path}.name`, "is required");
    else if (claimNames.has(name))
      report(`${path}.name`, `Duplicate value: ${JSON.stringify(name)}; every entry must differ`);
    claimNames.add(name);
    if ((templateSpec.spec?.devices?.requests ?? []).length === 0) {
      report(`${path}.templateSpec.spec.devices.requests`, "must have at least one entry");
    }
  }

  const cliqueNames = template.cliques.map(({ name }) => name);
  const groups = template.podCliqueScalingGroups ?? [];
  const check = (
    list: readonly Sharing[] | undefined,
    path: string,
    cliques: readonly string[],
    groupNames: readonly string[],
  ) => {
    const seen = new Set<string>();
    for (const [index, { name, namespace, filter }] of (list ?? []).entries()) {
      const at = `${path}[${index}]`;
      if (name === "") report(`${at}.name`, "is required");
      else if (seen.has(name))
        report(`${at}.name`, `Duplicate value: ${JSON.stringify(name)}; every entry must differ`);
      seen.add(name);
      if (claimNames.has(name) && namespace !== undefined && namespace !== "") {
        report(`${at}.namespace`, `must be empty because ${JSON.stringify(name)} is a template of this set`);
      }
      if (filter !== undefined) checkFilter(filter, `${at}.filter`, cliques, groupNames, report);
    }
  };
  check(
    template.resourceSharing,
    "spec.template.resourceSharing",
    cliqueNames,
    groups.map(({ name }) => name),
  );
  for (const [index, group] of groups.entries()) {
    const path = `spec.template.podCliqueScalingGroups[${index}].resourceSharing`;
    check(group.resourceSharing, path, group.cliqueNames, []);
  }
  for (const [index, clique] of template.cliques.entries()) {
    check(clique.resourceSharing, `spec.template.cliques[${index}].resourceSharing`, [], []);
  }
  return errors;
}

function checkFilter(
  { childCliqueNames = [], childScalingGroupNames = [] }: NonNullable<Sharing["filter"]>,
  path: string,
  cliques: readonly string[],
  groups: readonly string[],
  report: (field: string, message: string) => void,
): void {
  if (childCliqueNames.length + childScalingGroupNames.length === 0) {
    report(path, "must name at least one child; remove the filter to share with all of them");
  }
  for (const [index, name] of childCliqueNames.entries()) {
    if (!cliques.includes(name))
      report(`${path}.childCliqueNames[${index}]`, `${JSON.stringify(name)} is not a clique here`);
  }
  for (const [index, name] of childScalingGroupNames.entries()) {
    if (!groups.includes(name)) {
      report(`${path}.childScalingGroupNames[${index}]`, `${JSON.stringify(name)} is not a scaling group of this set`);
    }
  }
}
