/** Pods refer to the claims that they share, at every level that they are in (grove.md 2.8). Pure. */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import type { CliqueResourceSharing, SetResourceSharing } from "../../api/grove/resource-sharing.ts";
import type { PodSpec } from "../../api/kubernetes/core.ts";
import { GROUP_REPLICA_INDEX, indexLabelOf, labelOf, SCALING_GROUP, SET_REPLICA_INDEX } from "../labels.ts";
import { sharedClaimName } from "../names.ts";
import { groupOfClique, templateOfClique } from "../template.ts";

/** @returns the same spec when the pod shares nothing */
export function withSharedClaims(podSpec: PodSpec, clique: PodClique, set: PodCliqueSet, podIndex: number): PodSpec {
  return sharedClaimNames(clique, set, podIndex).reduce(withClaim, podSpec);
}

function sharedClaimNames(clique: PodClique, set: PodCliqueSet, podIndex: number): readonly string[] {
  const template = templateOfClique(clique, set);
  if (template === undefined) return [];
  const scalingGroup = labelOf(clique, SCALING_GROUP);
  const group = scalingGroup === undefined ? undefined : groupOfClique(set.spec.template, template.name);
  const isMeant = ({ filter }: Pick<SetResourceSharing, "filter">): boolean =>
    filter === undefined ||
    filter.childCliqueNames?.includes(template.name) === true ||
    (group !== undefined && filter.childScalingGroupNames?.includes(group.name) === true);
  return [
    ...namesOf(
      set.metadata.name,
      set.spec.template.resourceSharing?.filter(isMeant),
      indexLabelOf(clique, SET_REPLICA_INDEX),
    ),
    ...namesOf(scalingGroup ?? "", group?.resourceSharing?.filter(isMeant), indexLabelOf(clique, GROUP_REPLICA_INDEX)),
    ...namesOf(clique.metadata.name, template.resourceSharing, podIndex),
  ];
}

/** First what all replicas share, then what this one has to itself. */
function namesOf(owner: string, sharing: readonly CliqueResourceSharing[] = [], index = 0): readonly string[] {
  const of = (wanted: CliqueResourceSharing["scope"], at: number | undefined): readonly string[] =>
    sharing.filter(({ scope }) => scope === wanted).map(({ name }) => sharedClaimName(owner, at, name));
  return [...of("AllReplicas", undefined), ...of("PerReplica", index)];
}

/** For every container. An entry of the template under the same name is the user's business. */
function withClaim(podSpec: PodSpec, name: string): PodSpec {
  if (podSpec.resourceClaims?.some((claim) => claim["name"] === name)) return podSpec;
  const all = () => true;
  return withPodClaim(podSpec, { name, resourceClaimName: name }, all);
}

/** The claim in the pod, and in those of its containers that use it. */
export function withPodClaim(
  podSpec: PodSpec,
  claim: Readonly<Record<string, string>> & { readonly name: string },
  isUser: (container: PodSpec["containers"][number]) => boolean,
): PodSpec {
  const extend = (container: PodSpec["containers"][number]): PodSpec["containers"][number] =>
    isUser(container)
      ? {
          ...container,
          resources: { ...container.resources, claims: [...(container.resources?.claims ?? []), { name: claim.name }] },
        }
      : container;
  return {
    ...podSpec,
    resourceClaims: [...(podSpec.resourceClaims ?? []), claim],
    containers: podSpec.containers.map(extend),
    ...(podSpec.initContainers !== undefined && { initContainers: podSpec.initContainers.map(extend) }),
  };
}
