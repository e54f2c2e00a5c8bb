/** GPUs of pods, and of what the levels of a PodCliqueSet are made of: extended resources, and devices of resource claims. Pure. */
import type { PodCliqueSet, PodCliqueTemplate } from "../api/grove/pod-clique-set.ts";
import type { PodSpec } from "../api/kubernetes/core.ts";
import { parseQuantity } from "../api/quantity.ts";
import { gpusOfClaim, sumOf } from "./device-gpus.ts";

/** Extended resources that are whole GPUs. */
export const GPU_RESOURCES = ["nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com/xe", "gpu.intel.com/i915"] as const;

/**
 * Extended resources that are accelerators and not whole GPUs, or whose devices are no GPUs that a budget could add up: slices and shares of NVIDIA's
 * device plugin, partitions of AMD's, and other vendors' devices. Network devices have names in the same domains (`nvidia.com/hostdev`) and cost none.
 */
const UNKNOWN_RESOURCES = [
  /^nvidia\.com\/(mig-|gpu\.)/,
  /^amd\.com\/[a-z0-9]+_/,
  /^habana\.ai\/|^aws\.amazon\.com\/neuron|^google\.com\/tpu$|^huawei\.com\/Ascend/,
];

/** GPUs of a claim made from a ResourceClaimTemplate of the cluster; undefined: it is not there, or its devices are not known. */
export type TemplateGpus = (namespace: string, name: string) => number | undefined;

export const noTemplates: TemplateGpus = () => undefined;

type DevicesOfPod = Pick<PodSpec, "containers" | "initContainers" | "resourceClaims">;

/**
 * GPUs that one more pod takes: of its containers and sidecars together, or of the largest init container with the sidecars that started before it
 * (KEP-753). A claim that has a name of its own is there once, however many pods share it, so it adds nothing.
 * @returns undefined for a claim whose template is not there, devices of an unknown kind, and a quantity that is none: a budget fails closed on it
 */
export function gpusOfPod(spec: DevicesOfPod, namespace: string, templateGpus: TemplateGpus): Gpus {
  const main = gpusOfContainers(spec.containers);
  const init = initGpus(spec.initContainers ?? []);
  const claimed = sumOf(spec.resourceClaims ?? [], ({ resourceClaimTemplateName: name }) =>
    typeof name === "string" ? templateGpus(namespace, name) : 0,
  );
  if (main === undefined || init === undefined || claimed === undefined) return undefined;
  return Math.max(main + init.sidecars, init.most) + claimed;
}

function initGpus(containers: readonly Container[]): { readonly sidecars: number; readonly most: number } | undefined {
  let sidecars = 0;
  let most = 0;
  for (const container of containers) {
    const gpus = gpusOfContainer(container);
    if (gpus === undefined) return undefined;
    if (container.restartPolicy === "Always") sidecars += gpus;
    else most = Math.max(most, sidecars + gpus);
  }
  return { sidecars, most };
}

/** Lists of containers never change, and the pods of a clique share one. */
const knownGpus = new WeakMap<readonly Container[], { readonly gpus: Gpus }>();

function gpusOfContainers(containers: readonly Container[]): Gpus {
  const known = knownGpus.get(containers);
  if (known !== undefined) return known.gpus;
  const gpus = sumOf(containers, gpusOfContainer);
  knownGpus.set(containers, { gpus });
  return gpus;
}

function gpusOfContainer({ resources = {} }: Container): Gpus {
  const asked = { ...resources.requests, ...resources.limits };
  return sumOf(Object.entries(asked), ([name, quantity]) => {
    const isGpu = GPU_RESOURCES.some((one) => one === name);
    if (!isGpu && !UNKNOWN_RESOURCES.some((pattern) => pattern.test(name))) return 0;
    const count = parseQuantity(quantity);
    return isGpu || count === 0 ? count : undefined;
  });
}

type Container = PodSpec["containers"][number];
type Gpus = number | undefined;
type Group = NonNullable<PodCliqueSet["spec"]["template"]["podCliqueScalingGroups"]>[number];

/** Of one PodCliqueSet. Claims that it shares (`resourceSharing`, grove.md 1.6) count where one more replica makes one more of them. */
export interface SetGpus {
  /** One more pod of a clique. */
  ofCliqueReplica(clique: PodCliqueTemplate): Gpus;
  /** What a clique has once, however many pods it has. */
  ofClique(clique: PodCliqueTemplate): Gpus;
  /** One more instance of a group, with all its cliques. */
  ofGroupReplica(group: Group): Gpus;
  /** What a group has once, however many instances. */
  ofGroup(group: Group): Gpus;
  /** What one more replica of the set has once, besides its cliques and groups. */
  readonly ofSetReplica: Gpus;
}

export function gpusOfSet({ metadata, spec }: PodCliqueSet, templateGpus: TemplateGpus): SetGpus {
  const { namespace = "default" } = metadata;
  const { cliques, resourceClaimTemplates = [], resourceSharing = [] } = spec.template;

  type Sharing = { readonly name: string; readonly namespace?: string; readonly scope: "AllReplicas" | "PerReplica" };
  const shared = (sharing: readonly Sharing[] | undefined, scope: Sharing["scope"]): Gpus =>
    sumOf(
      (sharing ?? []).filter((one) => one.scope === scope),
      (one) => {
        const own = resourceClaimTemplates.find(({ name }) => name === one.name);
        return own === undefined
          ? templateGpus(one.namespace || namespace, one.name)
          : gpusOfClaim(own.templateSpec.spec);
      },
    );

  const ofClique = (clique: PodCliqueTemplate): Gpus => shared(clique.resourceSharing, "AllReplicas");
  const ofCliqueReplica = (clique: PodCliqueTemplate): Gpus =>
    plus(gpusOfPod(clique.spec.podSpec, namespace, templateGpus), shared(clique.resourceSharing, "PerReplica"));
  const ofGroup = (group: Group): Gpus => shared(group.resourceSharing, "AllReplicas");
  const ofGroupReplica = (group: Group): Gpus =>
    plus(
      shared(group.resourceSharing, "PerReplica"),
      sumOf(
        cliques.filter(({ name }) => group.cliqueNames.includes(name)),
        (clique) => plus(times(clique.spec.replicas, ofCliqueReplica(clique)), ofClique(clique)),
      ),
    );
  return { ofClique, ofCliqueReplica, ofGroup, ofGroupReplica, ofSetReplica: shared(resourceSharing, "PerReplica") };
}

export const plus = (a: Gpus, b: Gpus): Gpus => (a === undefined || b === undefined ? undefined : a + b);
export const times = (count: number, gpus: Gpus): Gpus => (gpus === undefined ? undefined : count * gpus);
