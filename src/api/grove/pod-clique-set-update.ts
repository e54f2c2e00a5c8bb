/** What must not change on a live PodCliqueSet (grove.md 1.2, 1.5, 1.9). */
import { equalJson } from "../json.ts";
import type { FieldError } from "../schema/validate.ts";
import { MNNVL_GROUP_ANNOTATION } from "./mnnvl-validation.ts";
import type { PodCliqueScalingGroupTemplate, PodCliqueSet, PodCliqueTemplate } from "./pod-clique-set.ts";
import { requiredDomain, type TopologyConstraint } from "./topology-constraint.ts";

const IMMUTABLE = "field is immutable; create a new PodCliqueSet to change it";

export function validatePodCliqueSetUpdate(
  next: PodCliqueSet,
  old: PodCliqueSet,
  defaultSchedulerName: string,
): readonly FieldError[] {
  const errors: FieldError[] = [];
  const before = old.spec.template;
  const after = next.spec.template;
  const same = (field: string, a: unknown, b: unknown): void => {
    if (!equalJson(a, b)) errors.push({ field, message: IMMUTABLE });
  };
  same(
    `metadata.annotations[${MNNVL_GROUP_ANNOTATION}]`,
    old.metadata.annotations?.[MNNVL_GROUP_ANNOTATION],
    next.metadata.annotations?.[MNNVL_GROUP_ANNOTATION],
  );
  same("spec.template.cliqueStartupType", before.cliqueStartupType, after.cliqueStartupType);
  same("spec.template.resourceClaimTemplates", before.resourceClaimTemplates ?? [], after.resourceClaimTemplates ?? []);
  same("spec.template.resourceSharing", before.resourceSharing ?? [], after.resourceSharing ?? []);
  sameTopology("spec.template.topologyConstraint", before.topologyConstraint, after.topologyConstraint, errors);
  sameNames("spec.template.cliques", before.cliques, after.cliques, errors);
  sameNames(
    "spec.template.podCliqueScalingGroups",
    before.podCliqueScalingGroups ?? [],
    after.podCliqueScalingGroups ?? [],
    errors,
  );
  const ordered = after.cliqueStartupType !== "CliqueStartupTypeAnyOrder";
  const names = (cliques: readonly PodCliqueTemplate[]): readonly string[] => cliques.map(({ name }) => name);
  if (ordered && !equalJson(names(before.cliques), names(after.cliques))) {
    errors.push({
      field: "spec.template.cliques",
      message: "the order of cliques is immutable because start-up follows it",
    });
  }
  for (const [index, clique] of after.cliques.entries()) {
    const was = before.cliques.find(({ name }) => name === clique.name);
    if (was !== undefined) checkClique(`spec.template.cliques[${index}]`, was, clique, defaultSchedulerName, errors);
  }
  for (const [index, group] of (after.podCliqueScalingGroups ?? []).entries()) {
    const was = before.podCliqueScalingGroups?.find(({ name }) => name === group.name);
    if (was !== undefined) checkGroup(`spec.template.podCliqueScalingGroups[${index}]`, was, group, errors);
  }
  return errors;
}

function sameNames(
  field: string,
  before: readonly { readonly name: string }[],
  after: readonly { readonly name: string }[],
  errors: FieldError[],
): void {
  const old = new Set(before.map(({ name }) => name));
  const now = new Set(after.map(({ name }) => name));
  const added = [...now].filter((name) => !old.has(name));
  const removed = [...old].filter((name) => !now.has(name));
  if (added.length + removed.length === 0) return;
  const changes = [...added.map((name) => `+${name}`), ...removed.map((name) => `-${name}`)].join(" ");
  errors.push({
    field,
    message: `the names of its entries are immutable (${changes}); create a new PodCliqueSet instead`,
  });
}

function checkClique(
  path: string,
  old: PodCliqueTemplate,
  next: PodCliqueTemplate,
  defaultSchedulerName: string,
  errors: FieldError[],
): void {
  const scheduler = (clique: PodCliqueTemplate): string => clique.spec.podSpec.schedulerName || defaultSchedulerName;
  const pairs: readonly (readonly [field: string, before: unknown, after: unknown])[] = [
    ["spec.roleName", old.spec.roleName, next.spec.roleName],
    ["spec.minAvailable", old.spec.minAvailable, next.spec.minAvailable],
    ["spec.startsAfter", old.spec.startsAfter ?? [], next.spec.startsAfter ?? []],
    ["spec.podSpec.schedulerName", scheduler(old), scheduler(next)],
    ["resourceSharing", old.resourceSharing ?? [], next.resourceSharing ?? []],
    mnnvl(old, next),
  ];
  reportChanges(path, pairs, errors);
  sameTopology(`${path}.topologyConstraint`, old.topologyConstraint, next.topologyConstraint, errors);
}

function checkGroup(
  path: string,
  old: PodCliqueScalingGroupTemplate,
  next: PodCliqueScalingGroupTemplate,
  errors: FieldError[],
): void {
  const pairs: readonly (readonly [field: string, before: unknown, after: unknown])[] = [
    ["cliqueNames", old.cliqueNames, next.cliqueNames],
    ["minAvailable", old.minAvailable, next.minAvailable],
    ["resourceSharing", old.resourceSharing ?? [], next.resourceSharing ?? []],
    mnnvl(old, next),
  ];
  reportChanges(path, pairs, errors);
  sameTopology(`${path}.topologyConstraint`, old.topologyConstraint, next.topologyConstraint, errors);
}

interface Annotated {
  readonly annotations?: Readonly<Record<string, string>>;
}

const mnnvl = (old: Annotated, next: Annotated): readonly [string, unknown, unknown] => [
  `annotations[${MNNVL_GROUP_ANNOTATION}]`,
  old.annotations?.[MNNVL_GROUP_ANNOTATION],
  next.annotations?.[MNNVL_GROUP_ANNOTATION],
];

function reportChanges(
  path: string,
  pairs: readonly (readonly [field: string, before: unknown, after: unknown])[],
  errors: FieldError[],
): void {
  for (const [field, before, after] of pairs) {
    if (!equalJson(before, after)) errors.push({ field: `${path}.${field}`, message: IMMUTABLE });
  }
}

/**
 * Two changes are allowed: adding a missing `topologyName`, and moving `packDomain` to `pack.required` with the same
 * domain.
 */
function sameTopology(
  field: string,
  old: TopologyConstraint | undefined,
  next: TopologyConstraint | undefined,
  errors: FieldError[],
): void {
  if (equalJson(old, next)) return;
  const allowed =
    old !== undefined &&
    next !== undefined &&
    requiredDomain(old) === requiredDomain(next) &&
    old.pack?.preferred === next.pack?.preferred &&
    (next.packDomain === undefined || old.packDomain !== undefined) &&
    (!old.topologyName || old.topologyName === next.topologyName);
  if (!allowed) errors.push({ field, message: IMMUTABLE });
}
