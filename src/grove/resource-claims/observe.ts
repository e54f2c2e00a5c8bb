/** What of the cluster the claims of one level depend on, from caches only. Asks for nothing, and follows nothing, where no claims are shared. */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { isTerminating, type Pod } from "../../api/kubernetes/core.ts";
import { keyOf } from "../../api/kubernetes/meta.ts";
import { isOwnedBy } from "../ownership.ts";
import { BY_SET, type Stores } from "../runtime/stores.ts";
import { claimSlots, externalTemplateOf, type SharingLevel } from "./levels.ts";
import type { ClaimView } from "./plan.ts";

/** @param pods all that may use claims of this level */
export function observeClaims(
  set: PodCliqueSet | undefined,
  level: SharingLevel | undefined,
  stores: Pick<Stores, "claim" | "claimTemplate">,
  pods: () => readonly Pod[],
): ClaimView | undefined {
  if (set === undefined || isTerminating(set) || level === undefined || level.sharing.length === 0) return undefined;
  const { namespace } = set.metadata;
  const external = level.sharing.flatMap((sharing) => externalTemplateOf(sharing, set) ?? []);
  const followed = [stores.claim, ...(external.length > 0 ? [stores.claimTemplate] : [])];
  const named = claimSlots(level).flatMap(({ name }) => stores.claim.get(namespace, name) ?? []);
  const owned = stores.claim.byIndex(BY_SET, keyOf(set)).filter((claim) => isOwnedBy(claim, level.owner));
  return {
    isKnown: followed.map((store) => store.hasSynced()).every(Boolean),
    failure: followed.map((store) => store.failure()).find((failure) => failure !== undefined),
    claims: [...new Map([...owned, ...named].map((claim) => [claim.metadata.name, claim])).values()],
    templates: new Map(
      external.flatMap((key) => {
        const template = stores.claimTemplate.get(key.namespace, key.name);
        return template === undefined ? [] : [[`${key.namespace}/${key.name}`, template] as const];
      }),
    ),
    used: new Set(pods().flatMap(claimNames)),
  };
}

/** The claims that a pod refers to by name. */
export const claimNames = ({ spec }: Pod): readonly string[] =>
  (spec.resourceClaims ?? []).flatMap(({ resourceClaimName: name }) => (typeof name === "string" ? [name] : []));
