/** Rules of a PodCliqueSet that hold on create and on update (grove.md 1.2, 1.4, 1.6). */
import { parseDurationMs } from "../duration.ts";
import { isDnsSubdomain, isEnvName, isLabelValue, isQualifiedName } from "../kubernetes/names.ts";
import type { FieldError } from "../schema/validate.ts";
import type { GroveAdmissionOptions } from "./admission-options.ts";
import { validateMnnvlGroups } from "./mnnvl-validation.ts";
import type { PodCliqueScalingGroupTemplate, PodCliqueSet, PodCliqueTemplate } from "./pod-clique-set.ts";
import { validateResourceSharing } from "./resource-sharing-validation.ts";
import { startupCycles } from "./startup-order.ts";
import { validateTopologyConstraints } from "./topology-validation.ts";

/** Pod names are 63 characters; 18 are kept for separators, indices and the random suffix. */
const NAME_LENGTH_MAX = 45;

type Report = (field: string, message: string) => void;

export function validatePodCliqueSet(
  set: PodCliqueSet,
  operation: "CREATE" | "UPDATE",
  options: GroveAdmissionOptions,
  old?: PodCliqueSet,
): { readonly errors: readonly FieldError[]; readonly warnings: readonly string[] } {
  const errors: FieldError[] = [];
  const report: Report = (field, message) => {
    errors.push({ field, message });
  };
  const { template, replicas } = set.spec;
  if (!isDnsSubdomain(set.metadata.name))
    report("metadata.name", "must be a DNS-1123 subdomain; use a-z, 0-9, '-' and '.'");
  if (replicas < 0) report("spec.replicas", "must be at least 0");
  checkCliques(set, operation, report);
  checkGroups(set, report);
  checkNameLengths(set, report);
  if (template.cliqueStartupType === "CliqueStartupTypeExplicit") checkStartsAfter(template.cliques, report);
  checkSchedulerNames(template.cliques, options, report);
  const delayMs = parseDurationMs(template.terminationDelay);
  if (delayMs === undefined || delayMs <= 0) {
    report("spec.template.terminationDelay", "must be a duration above 0, such as 30s or 4h");
  }
  errors.push(...validateResourceSharing(template));
  if (operation === "CREATE") errors.push(...validateMnnvlGroups(set, options.autoMnnvl));
  const topology = validateTopologyConstraints(set, operation, options, old);
  errors.push(...topology.errors);
  return { errors, warnings: [...podSpecWarnings(template.cliques), ...topology.warnings] };
}

function checkCliques({ spec: { template } }: PodCliqueSet, operation: "CREATE" | "UPDATE", report: Report): void {
  if (template.cliques.length === 0) report("spec.template.cliques", "must have at least one entry");
  const members = new Set((template.podCliqueScalingGroups ?? []).flatMap(({ cliqueNames }) => cliqueNames));
  reportRepeated(
    template.cliques.map(({ name }) => name),
    (index) => `spec.template.cliques[${index}].name`,
    report,
  );
  reportRepeated(
    template.cliques.map(({ spec }) => spec.roleName),
    (index) => `spec.template.cliques[${index}].spec.roleName`,
    report,
  );
  for (const [index, clique] of template.cliques.entries()) {
    const path = `spec.template.cliques[${index}]`;
    if (!isDnsSubdomain(clique.name)) report(`${path}.name`, "must be a DNS-1123 subdomain; use a-z, 0-9, '-' and '.'");
    checkMeta(clique, path, report);
    checkCliqueSpec(clique, path, members.has(clique.name), report);
    if (operation === "CREATE") checkPodSpec(clique, `${path}.spec.podSpec`, report);
  }
}

function checkMeta({ labels = {}, annotations = {} }: PodCliqueTemplate, path: string, report: Report): void {
  for (const [key, value] of Object.entries(labels)) {
    if (!isQualifiedName(key)) report(`${path}.labels`, `${JSON.stringify(key)} is not a valid label key`);
    if (!isLabelValue(value)) report(`${path}.labels[${key}]`, `${JSON.stringify(value)} is not a valid label value`);
  }
  for (const key of Object.keys(annotations)) {
    if (!isQualifiedName(key)) report(`${path}.annotations`, `${JSON.stringify(key)} is not a valid annotation key`);
  }
}

function checkCliqueSpec(clique: PodCliqueTemplate, path: string, isMember: boolean, report: Report): void {
  const { roleName, replicas, minAvailable, autoScalingConfig } = clique.spec;
  if (roleName === "") report(`${path}.spec.roleName`, "is required");
  if (replicas <= 0) report(`${path}.spec.replicas`, "must be greater than 0");
  if (minAvailable === undefined) report(`${path}.spec.minAvailable`, "is required");
  else if (minAvailable <= 0) report(`${path}.spec.minAvailable`, "must be greater than 0");
  else if (minAvailable > replicas) {
    report(`${path}.spec.minAvailable`, `must not be greater than replicas (${replicas}); lower it or raise replicas`);
  }
  if (autoScalingConfig === undefined) return;
  const at = `${path}.spec.autoScalingConfig`;
  if (isMember) {
    report(at, "is not allowed on a member of a scaling group; set scaleConfig on the group instead");
    return;
  }
  checkScaleBounds(autoScalingConfig, replicas, minAvailable ?? 0, at, report);
}

/** For groups too: upstream leaves their maxReplicas unchecked, and an HPA with max below min is refused much later. */
function checkScaleBounds(
  { minReplicas, maxReplicas }: { readonly minReplicas?: number; readonly maxReplicas: number },
  replicas: number,
  minAvailable: number,
  path: string,
  report: Report,
): void {
  if (minReplicas === undefined) report(`${path}.minReplicas`, "is required");
  else {
    if (minReplicas < minAvailable) {
      report(`${path}.minReplicas`, `must not be below minAvailable (${minAvailable}); raise it`);
    }
    if (maxReplicas < minReplicas) {
      report(`${path}.maxReplicas`, `must not be below minReplicas (${minReplicas}); raise it or lower minReplicas`);
    }
  }
  if (maxReplicas < replicas) {
    report(`${path}.maxReplicas`, `must not be below replicas (${replicas}); raise it or lower replicas`);
  }
}

function checkPodSpec({ spec: { podSpec } }: PodCliqueTemplate, path: string, report: Report): void {
  if (podSpec["topologySpreadConstraints"] !== undefined) {
    report(`${path}.topologySpreadConstraints`, "must not be set; use topologyConstraint");
  }
  if (podSpec.nodeName !== undefined && podSpec.nodeName !== "") {
    report(`${path}.nodeName`, "must not be set; use nodeSelector or affinity");
  }
  if (podSpec.containers.length === 0) report(`${path}.containers`, "must have at least one container");
  for (const list of ["initContainers", "containers"] as const) {
    for (const [index, container] of (podSpec[list] ?? []).entries()) {
      const names = (container.env ?? []).map(({ name }) => name);
      const field = (at: number): string => `${path}.${list}[${index}].env[${at}].name`;
      reportRepeated(names, field, report);
      for (const [at, name] of names.entries()) {
        if (!isEnvName(name)) report(field(at), `${JSON.stringify(name)} is not a valid environment variable name`);
      }
    }
  }
}

function podSpecWarnings(cliques: readonly PodCliqueTemplate[]): readonly string[] {
  return cliques.flatMap(({ spec }, index) =>
    spec.podSpec.restartPolicy === undefined || spec.podSpec.restartPolicy === "Always"
      ? []
      : [`spec.template.cliques[${index}].spec.podSpec.restartPolicy will be ignored, it will be set to Always`],
  );
}

function checkGroups({ spec: { template } }: PodCliqueSet, report: Report): void {
  const groups = template.podCliqueScalingGroups ?? [];
  const cliqueNames = new Set(template.cliques.map(({ name }) => name));
  const path = (index: number): string => `spec.template.podCliqueScalingGroups[${index}]`;
  reportRepeated(
    groups.map(({ name }) => name),
    (index) => `${path(index)}.name`,
    report,
  );
  const groupOf = new Map<string, string>();
  for (const [index, group] of groups.entries()) {
    checkGroup(group, path(index), report);
    for (const [at, name] of group.cliqueNames.entries()) {
      const field = `${path(index)}.cliqueNames[${at}]`;
      const other = groupOf.get(name);
      if (!cliqueNames.has(name)) report(field, `${JSON.stringify(name)} is not a clique of this template`);
      else if (other !== undefined)
        report(field, `clique ${JSON.stringify(name)} already belongs to group ${JSON.stringify(other)}`);
      groupOf.set(name, group.name);
    }
  }
}

function checkGroup(group: PodCliqueScalingGroupTemplate, path: string, report: Report): void {
  const { name, replicas, minAvailable, scaleConfig, cliqueNames } = group;
  if (!isDnsSubdomain(name)) report(`${path}.name`, "must be a DNS-1123 subdomain; use a-z, 0-9, '-' and '.'");
  if (cliqueNames.length === 0) report(`${path}.cliqueNames`, "must have at least one entry");
  if (replicas <= 0) report(`${path}.replicas`, "must be greater than 0");
  if (minAvailable <= 0) report(`${path}.minAvailable`, "must be greater than 0");
  else if (minAvailable > replicas) {
    report(`${path}.minAvailable`, `must not be greater than replicas (${replicas}); lower it or raise replicas`);
  }
  if (scaleConfig !== undefined) checkScaleBounds(scaleConfig, replicas, minAvailable, `${path}.scaleConfig`, report);
}

function checkNameLengths({ metadata, spec: { template } }: PodCliqueSet, report: Report): void {
  for (const [index, { name }] of template.cliques.entries()) {
    const group = template.podCliqueScalingGroups?.find(({ cliqueNames }) => cliqueNames.includes(name));
    const length = metadata.name.length + (group?.name.length ?? 0) + name.length;
    if (length <= NAME_LENGTH_MAX) continue;
    const parts =
      group === undefined ? "set and clique" : `set, scaling group ${JSON.stringify(group.name)} and clique`;
    report(
      `spec.template.cliques[${index}].name`,
      `the names of ${parts} have ${length} characters together, at most ${NAME_LENGTH_MAX} fit into a pod name; shorten one`,
    );
  }
}

function checkStartsAfter(cliques: readonly PodCliqueTemplate[], report: Report): void {
  const names = new Set(cliques.map(({ name }) => name));
  for (const [index, { name, spec }] of cliques.entries()) {
    const field = (at: number): string => `spec.template.cliques[${index}].spec.startsAfter[${at}]`;
    const parents = spec.startsAfter ?? [];
    reportRepeated(parents, field, report);
    for (const [at, parent] of parents.entries()) {
      if (parent === "") report(field(at), "must not be empty");
      else if (parent === name) report(field(at), "a clique cannot start after itself; remove it");
      else if (!names.has(parent)) report(field(at), `${JSON.stringify(parent)} is not a clique of this template`);
    }
  }
  for (const cycle of startupCycles(cliques.map(({ name, spec }) => ({ name, after: spec.startsAfter ?? [] })))) {
    report(
      "spec.template.cliques",
      `cliques ${cycle.join(", ")} start after one another; break the cycle in startsAfter`,
    );
  }
}

function checkSchedulerNames(
  cliques: readonly PodCliqueTemplate[],
  { schedulerNames }: GroveAdmissionOptions,
  report: Report,
): void {
  const fallback = schedulerNames[0] ?? "default-scheduler";
  const used = cliques.map(({ spec }) => spec.podSpec.schedulerName || fallback);
  for (const [index, name] of used.entries()) {
    const field = `spec.template.cliques[${index}].spec.podSpec.schedulerName`;
    if (name !== used[0]) {
      report(
        field,
        `all cliques of a set must use one scheduler, found ${JSON.stringify(used[0])} and ${JSON.stringify(name)}`,
      );
    } else if (!schedulerNames.includes(name)) {
      report(field, `scheduler ${JSON.stringify(name)} is not enabled; enabled: ${schedulerNames.join(", ")}`);
    }
  }
}

function reportRepeated(values: readonly string[], field: (index: number) => string, report: Report): void {
  const seen = new Set<string>();
  for (const [index, value] of values.entries()) {
    if (seen.has(value)) report(field(index), `Duplicate value: ${JSON.stringify(value)}; every entry must differ`);
    seen.add(value);
  }
}
