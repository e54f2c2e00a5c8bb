/** Where the pods of a set, a group or a clique have to be packed (grove.md 1.5). Domains are names of topology levels. */
import { type Infer, object, optional, string } from "../schema/builder.ts";
import type { ValidationRule } from "../schema/structural-schema.ts";

const DOMAIN = string({ minLength: 1, maxLength: 63, pattern: "^[a-z][a-z0-9-]*$" });

/** The texts are part of the contract: clients and upstream's tests match them. */
export const PACK_DOMAIN_DEPRECATED = "packDomain is deprecated and cannot be used on new workloads; use pack.required";
const PACK_MISSING = "topologyConstraint must specify pack or deprecated packDomain";
const PACK_TWICE = "must not set both pack.required and deprecated packDomain";
const PACK_EMPTY = "pack must specify at least one of required or preferred";

export const TOPOLOGY_CONSTRAINT = object(
  {
    pack: optional(
      object(
        { preferred: optional(DOMAIN), required: optional(DOMAIN) },
        {
          rules: [
            { rule: "has(self.required) || has(self.preferred)", message: PACK_EMPTY, reason: "FieldValueRequired" },
          ],
        },
      ),
    ),
    packDomain: optional(DOMAIN),
    topologyName: optional(string()),
  },
  {
    rules: [
      {
        rule: "has(self.pack) || has(self.packDomain)",
        message: PACK_MISSING,
        reason: "FieldValueRequired",
        fieldPath: ".pack",
      },
      {
        rule: "!(has(self.packDomain) && has(self.pack) && has(self.pack.required))",
        message: PACK_TWICE,
        fieldPath: ".pack.required",
      },
    ],
  },
);

export type TopologyConstraint = Infer<typeof TOPOLOGY_CONSTRAINT>;

/** The domain that must hold, whichever of the two spellings says it. */
export const requiredDomain = (constraint: TopologyConstraint | undefined): string | undefined =>
  constraint?.pack?.required ?? constraint?.packDomain;

export const preferredDomain = (constraint: TopologyConstraint | undefined): string | undefined =>
  constraint?.pack?.preferred;

/** Rules for the whole PodCliqueSet that hold on create only: an old object may keep the deprecated field. */
export const NO_NEW_PACK_DOMAIN: readonly ValidationRule[] = [
  {
    rule: "oldSelf.hasValue() || !has(self.spec.template.topologyConstraint) || !has(self.spec.template.topologyConstraint.packDomain)",
    message: PACK_DOMAIN_DEPRECATED,
    reason: "FieldValueForbidden",
    fieldPath: ".spec.template.topologyConstraint.packDomain",
    optionalOldSelf: true,
  },
  {
    rule: "oldSelf.hasValue() || self.spec.template.cliques.all(c, !has(c.topologyConstraint) || !has(c.topologyConstraint.packDomain))",
    message: PACK_DOMAIN_DEPRECATED,
    reason: "FieldValueForbidden",
    fieldPath: ".spec.template.cliques",
    optionalOldSelf: true,
  },
  {
    rule: "oldSelf.hasValue() || !has(self.spec.template.podCliqueScalingGroups) || self.spec.template.podCliqueScalingGroups.all(g, !has(g.topologyConstraint) || !has(g.topologyConstraint.packDomain))",
    message: PACK_DOMAIN_DEPRECATED,
    reason: "FieldValueForbidden",
    fieldPath: ".spec.template.podCliqueScalingGroups",
    optionalOldSelf: true,
  },
];

/** The CEL rules of one constraint, for callers without an API server. Fields are relative to the constraint. */
export function topologyConstraintShapeErrors(
  constraint: TopologyConstraint,
): readonly { readonly field: string; readonly message: string }[] {
  const { pack, packDomain } = constraint;
  const errors: { readonly field: string; readonly message: string }[] = [];
  if (pack === undefined && packDomain === undefined) errors.push({ field: "pack", message: PACK_MISSING });
  if (packDomain !== undefined && pack?.required !== undefined) {
    errors.push({ field: "pack.required", message: PACK_TWICE });
  }
  if (pack !== undefined && pack.required === undefined && pack.preferred === undefined) {
    errors.push({ field: "pack", message: PACK_EMPTY });
  }
  return errors;
}
