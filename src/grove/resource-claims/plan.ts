/** Pure: the resource claims of one level, made before the pods that use them (grove.md 2.8). */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import { apiVersionOf } from "../../api/kubernetes/meta.ts";
import {
  RESOURCE_CLAIMS,
  type ResourceClaim,
  type ResourceClaimSpec,
  type ResourceClaimTemplate,
} from "../../api/kubernetes/resource-claim.ts";
import type { Action, Problem } from "../actions.ts";
import { indexLabelOf } from "../labels.ts";
import { isOwnedBy, ownedBy } from "../ownership.ts";
import { type ClaimSlot, claimSlots, externalTemplateOf, type SharingLevel } from "./levels.ts";

/** What is known of the claims of one level and of the templates of the cluster that it names. */
export interface ClaimView {
  /** Claims and templates have been listed. */
  readonly isKnown: boolean;
  /** Why they have not. */
  readonly failure?: string | undefined;
  /** Those with a wanted name, and all that the owner has. */
  readonly claims: readonly ResourceClaim[];
  /** By `namespace/name`. */
  readonly templates: ReadonlyMap<string, ResourceClaimTemplate>;
  /** Names of claims that pods use. */
  readonly used: ReadonlySet<string>;
}

export interface ClaimPlan {
  readonly actions: readonly Action[];
  /** What the claims have to be is not known: nothing that needs them can be made. */
  readonly isIncomplete: boolean;
  readonly problem?: Problem;
  /** Some are not there yet. */
  readonly waitingFor?: string;
}

const NOTHING: ClaimPlan = { actions: [], isIncomplete: false };

export function planClaims(set: PodCliqueSet, level: SharingLevel, view: ClaimView | undefined): ClaimPlan {
  if (level.sharing.length === 0 || view === undefined) return NOTHING;
  const { errorCode: code } = level;
  if (!view.isKnown) {
    if (view.failure === undefined)
      return { actions: [], isIncomplete: true, waitingFor: "the list of resource claims" };
    const description = `resourceSharing needs resource.k8s.io/v1 (dynamic resource allocation), which cannot be read: ${view.failure}`;
    return { actions: [], isIncomplete: true, problem: { code, description } };
  }
  const live = new Map(view.claims.map((claim) => [claim.metadata.name, claim]));
  const slots = claimSlots(level);
  const stale = staleClaims(level, view, slots).map(
    (object): Action => ({ kind: "delete", of: "claim", object, errorCode: code }),
  );
  const missing = slots.filter(({ name }) => !live.has(name));
  const unknown = missing.filter(({ sharing }) => templateSpec(sharing, set, view) === undefined);
  if (unknown.length > 0) {
    return { actions: stale, isIncomplete: true, problem: { code, description: missingTemplates(unknown, set) } };
  }
  const blocked = slots
    .map(({ name }) => live.get(name))
    .find((claim) => claim && (isTerminating(claim) || !isOwnedBy(claim, level.owner)));
  return {
    actions: [
      ...stale,
      ...missing.map(
        (slot): Action => ({
          kind: "create",
          of: "claim",
          object: claimObject(slot, set, level, view),
          errorCode: code,
        }),
      ),
      ...slots.flatMap((slot) => labelPatch(slot, live.get(slot.name), level)),
    ],
    isIncomplete: false,
    ...(blocked !== undefined && {
      waitingFor: `ResourceClaim ${blocked.metadata.name}, which ${isTerminating(blocked) ? "is terminating" : "has another owner"}`,
    }),
  };
}

/** Of replicas that are no more, once no pod uses them: a claim must not go before the devices in it are free. */
function staleClaims(
  { owner, replicas, indexLabel }: SharingLevel,
  { claims, used }: ClaimView,
  slots: readonly ClaimSlot[],
): readonly ResourceClaim[] {
  const wanted = new Set(slots.map(({ name }) => name));
  return claims.filter(
    (claim) =>
      !wanted.has(claim.metadata.name) &&
      (indexLabelOf(claim, indexLabel) ?? -1) >= replicas &&
      isOwnedBy(claim, owner) &&
      !isTerminating(claim) &&
      !used.has(claim.metadata.name),
  );
}

/** A claim's spec is immutable; only labels are put right. */
function labelPatch(
  { labels }: ClaimSlot,
  claim: ResourceClaim | undefined,
  { owner, errorCode }: SharingLevel,
): readonly Action[] {
  if (claim === undefined || isTerminating(claim) || !isOwnedBy(claim, owner)) return [];
  const wrong = Object.entries(labels).filter(([key, value]) => claim.metadata.labels?.[key] !== value);
  if (wrong.length === 0) return [];
  return [
    {
      kind: "patch",
      of: "claim",
      object: claim,
      patch: { metadata: { labels: Object.fromEntries(wrong) } },
      errorCode,
    },
  ];
}

function claimObject(
  { name, sharing, labels }: ClaimSlot,
  set: PodCliqueSet,
  { owner }: SharingLevel,
  view: ClaimView,
): ResourceClaim {
  const { namespace } = set.metadata;
  return {
    apiVersion: apiVersionOf(RESOURCE_CLAIMS),
    kind: RESOURCE_CLAIMS.kind,
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      labels,
      ownerReferences: ownedBy(owner),
    },
    spec: templateSpec(sharing, set, view) ?? {},
  };
}

function templateSpec(
  sharing: ClaimSlot["sharing"],
  set: PodCliqueSet,
  { templates }: ClaimView,
): ResourceClaimSpec | undefined {
  const external = externalTemplateOf(sharing, set);
  if (external !== undefined) return templates.get(`${external.namespace}/${external.name}`)?.spec.spec;
  return set.spec.template.resourceClaimTemplates?.find(({ name }) => name === sharing.name)?.templateSpec.spec;
}

function missingTemplates(slots: readonly ClaimSlot[], set: PodCliqueSet): string {
  const names = slots.flatMap(({ sharing }) => externalTemplateOf(sharing, set) ?? []);
  const texts = new Set(names.map(({ namespace, name }) => `${namespace}/${name}`));
  return `resourceSharing: no template of that name in the set, and no ResourceClaimTemplate ${[...texts].join(", ")} in the cluster`;
}
