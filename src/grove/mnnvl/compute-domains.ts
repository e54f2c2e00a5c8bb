/** Pure: one ComputeDomain for each MNNVL group and set replica (grove.md 2.1, 8.7). */
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import { apiVersionOf, controllerOf, type OwnerReference } from "../../api/kubernetes/meta.ts";
import { COMPUTE_DOMAINS, type ComputeDomain } from "../../api/nvidia/compute-domain.ts";
import type { Action, Problem, Stage } from "../actions.ts";
import { finalizerAddition, finalizerRemoval, leavesDependents } from "../finalizers.ts";
import { COMPUTE_DOMAIN_FINALIZER, componentLabels, MNNVL_GROUP, SET_REPLICA_INDEX } from "../labels.ts";
import { computeDomainName } from "../names.ts";
import { isOwnedBy, ownedBy } from "../ownership.ts";
import { setIndices } from "../template.ts";
import { mnnvlGroupOf } from "./groups.ts";

export interface DomainView {
  readonly isKnown: boolean;
  /** Why it is not. */
  readonly failure?: string | undefined;
  /** Those that are part of the set. */
  readonly domains: readonly ComputeDomain[];
}

export interface DomainPlan {
  readonly stages: readonly Stage[];
  /** Pods would refer to domains that are not there: nothing below is made. */
  readonly problem?: Problem;
  readonly waitingFor?: string;
}

const CODE = "ERR_SYNC_COMPUTEDOMAIN";

/** @param view undefined when the feature is off */
export function planComputeDomains(set: PodCliqueSet, view: DomainView | undefined): DomainPlan {
  if (view === undefined) return { stages: [] };
  const wanted = wantedDomains(set);
  if (!view.isKnown) {
    if (view.failure === undefined) return { stages: [], waitingFor: "the list of ComputeDomains" };
    const problem = { code: CODE, description: `ComputeDomains cannot be read: ${view.failure}` };
    return wanted.length === 0 ? { stages: [] } : { stages: [], problem };
  }
  const live = new Map(view.domains.map((domain) => [domain.metadata.name, domain]));
  const names = new Set(wanted.map(({ metadata }) => metadata.name));
  const actions = wanted.flatMap((object): readonly Action[] => {
    const old = live.get(object.metadata.name);
    if (old === undefined) return [creation(object)];
    // One that somebody deletes stays, held by the finalizer, as long as its replica does.
    return isTerminating(old) || !isOwnedBy(old, set)
      ? []
      : finalizerAddition("computeDomain", old, COMPUTE_DOMAIN_FINALIZER);
  });
  const excess = view.domains.filter((domain) =>
    isOwnedBy(domain, set) ? !names.has(domain.metadata.name) : isOfFormerSet(domain, set),
  );
  return { stages: [{ actions }, ...removal(excess)] };
}

/** When the set goes. What cannot be read does not hold it up. */
export function planDomainRemoval(set: PodCliqueSet, view: DomainView | undefined): DomainPlan {
  if (view === undefined) return { stages: [] };
  if (!view.isKnown && view.failure === undefined) return { stages: [], waitingFor: "the list of ComputeDomains" };
  const stages = removal(view.domains.filter((domain) => isOwnedBy(domain, set) || isOfFormerSet(domain, set)));
  return { stages: leavesDependents(set) ? stages.slice(0, 1) : stages };
}

/**
 * Domains whose set is not there: made when its deletion was decided already, such as by a request whose answer was lost. Garbage
 * collection deletes them, and our finalizer would hold them for ever.
 * @param isThere whether the set of that name has that uid
 */
export const planOrphanRemoval = (
  domains: readonly ComputeDomain[],
  isThere: (owner: OwnerReference) => boolean,
): Pick<DomainPlan, "stages"> => ({
  stages: removal(
    domains.filter((domain) => {
      const owner = setOwner(domain);
      return owner !== undefined && !isThere(owner);
    }),
  ),
});

/** Its set was deleted, and made again under its name. */
function isOfFormerSet(domain: ComputeDomain, set: PodCliqueSet): boolean {
  const owner = setOwner(domain);
  return owner?.name === set.metadata.name && owner.uid !== set.metadata.uid;
}

function setOwner(domain: ComputeDomain): OwnerReference | undefined {
  const owner = controllerOf(domain);
  return owner?.kind === POD_CLIQUE_SETS.kind && owner.apiVersion === apiVersionOf(POD_CLIQUE_SETS) ? owner : undefined;
}

/** Without the finalizer first: after a crash in between they are still in excess. */
function removal(domains: readonly ComputeDomain[]): readonly Stage[] {
  const events = { failure: "ComputeDomainDeleteFailed" };
  const released = domains.flatMap((domain) =>
    finalizerRemoval("computeDomain", domain, COMPUTE_DOMAIN_FINALIZER).stages.flatMap(({ actions }) => actions),
  );
  const deleted = domains.filter((domain) => !isTerminating(domain));
  return [
    { actions: released.map((action) => ({ ...action, events })) },
    {
      actions: deleted.map((object) => ({
        kind: "delete",
        of: "computeDomain",
        object,
        errorCode: "ERR_DELETE_COMPUTEDOMAIN",
        events: { ...events, success: "ComputeDomainDeleteSuccessful" },
      })),
    },
  ];
}

const creation = (object: ComputeDomain): Action => ({
  kind: "create",
  of: "computeDomain",
  object,
  errorCode: CODE,
  events: { success: "ComputeDomainCreateSuccessful", failure: "ComputeDomainCreateFailed" },
});

function wantedDomains(set: PodCliqueSet): readonly ComputeDomain[] {
  const groups = new Set(set.spec.template.cliques.flatMap((clique) => mnnvlGroupOf(clique, set) ?? []));
  return setIndices(set).flatMap((index) => [...groups].map((group) => domainObject(set, index, group)));
}

function domainObject(set: PodCliqueSet, setIndex: number, group: string): ComputeDomain {
  const { name: setName, namespace } = set.metadata;
  const name = computeDomainName(setName, setIndex, group);
  return {
    apiVersion: apiVersionOf(COMPUTE_DOMAINS),
    kind: COMPUTE_DOMAINS.kind,
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      labels: {
        ...componentLabels(setName, "pcs-computedomain", name),
        [SET_REPLICA_INDEX]: String(setIndex),
        [MNNVL_GROUP]: group,
      },
      ownerReferences: ownedBy(set),
      finalizers: [COMPUTE_DOMAIN_FINALIZER],
    },
    spec: { numNodes: 0, channel: { resourceClaimTemplate: { name } } },
  };
}
