/** Which cliques are in which multi-node NVLink group, and what that means for their pods (grove.md 8.7). Pure. */
import { MNNVL_GROUP_ANNOTATION, NO_MNNVL_GROUP } from "../../api/grove/mnnvl-validation.ts";
import type { PodCliqueSet, PodCliqueTemplate } from "../../api/grove/pod-clique-set.ts";
import type { Container, PodSpec } from "../../api/kubernetes/core.ts";
import { parseQuantity } from "../../api/quantity.ts";
import { computeDomainName } from "../names.ts";
import { withPodClaim } from "../resource-claims/inject.ts";
import { groupOfClique } from "../template.ts";

const CLAIM = "mnnvl-claim";
const GPU = "nvidia.com/gpu";

/** The nearest level that says something decides; a clique without GPUs is in no group, whatever it says. */
export function mnnvlGroupOf(clique: PodCliqueTemplate, set: PodCliqueSet): string | undefined {
  const { containers, initContainers = [] } = clique.spec.podSpec;
  if (![...containers, ...initContainers].some(hasGpu)) return undefined;
  const levels = [clique, groupOfClique(set.spec.template, clique.name), set.metadata];
  const group = levels.map((level) => level?.annotations?.[MNNVL_GROUP_ANNOTATION]).find((name) => name !== undefined);
  return group === NO_MNNVL_GROUP ? undefined : group;
}

/** The pod spec of a clique in one set replica, with the claim on the ComputeDomain of its group, for GPU containers only. */
export function withMnnvlClaim(
  podSpec: PodSpec,
  clique: PodCliqueTemplate,
  set: PodCliqueSet,
  setIndex: number,
): PodSpec {
  const group = mnnvlGroupOf(clique, set);
  if (group === undefined || podSpec.resourceClaims?.some(({ name }) => name === CLAIM)) return podSpec;
  const resourceClaimTemplateName = computeDomainName(set.metadata.name, setIndex, group);
  return withPodClaim(podSpec, { name: CLAIM, resourceClaimTemplateName }, hasGpu);
}

const hasGpu = ({ resources }: Container): boolean =>
  [resources?.limits, resources?.requests].some((amounts) => parseQuantity(amounts?.[GPU] ?? 0) !== 0);
