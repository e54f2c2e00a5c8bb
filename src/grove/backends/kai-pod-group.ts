/** The KAI PodGroup of a PodGang (grove.md 3.7). Pure. */
import { equalJson } from "../../api/json.ts";
import { apiVersionOf, type KubeObject } from "../../api/kubernetes/meta.ts";
import {
  KAI_POD_GROUPS,
  type KaiPodGroup,
  type KaiPodGroupSpec,
  type KaiSubGroup,
  type KaiTopologyConstraint,
} from "../../api/scheduler/kai.ts";
import type { PodGangSpec } from "../../api/scheduler/pod-gang.ts";
import { GROVE_PREFIX, TOPOLOGY_NAME_ANNOTATION } from "../labels.ts";
import { mergePatch } from "../merge-patch.ts";
import { ownedBy } from "../ownership.ts";
import type { GangContext } from "./backend.ts";
import { kaiQueueOf } from "./kai-queue.ts";

/** Labels that KAI moves a PodGroup with. */
const KEPT_LABELS = ["kai.scheduler/node-pool", "kai.scheduler/queue"];

export function kaiPodGroup(context: GangContext): { readonly object: KaiPodGroup } | { readonly problem: string } {
  const { gang, set } = context;
  if (set === undefined) return { problem: `the PodCliqueSet of PodGang ${gang.metadata.name} does not exist` };
  const queue = kaiQueueOf(set);
  if ("problem" in queue) return queue;
  const { podgroups, priorityClassName } = gang.spec;
  const topology = topologyNameOf(context);
  if (topology === undefined && isConstrained(gang.spec)) {
    return { problem: `PodGang ${gang.metadata.name} has topology constraints and names no topology` };
  }
  const minMember = podgroups.reduce((sum, { minReplicas }) => sum + minReplicas, 0);
  const { name, namespace, labels, annotations } = gang.metadata;
  return {
    object: {
      apiVersion: apiVersionOf(KAI_POD_GROUPS),
      kind: KAI_POD_GROUPS.kind,
      metadata: {
        name,
        ...(namespace !== undefined && { namespace }),
        ...(labels !== undefined && { labels }),
        ...(annotations !== undefined && { annotations }),
        ownerReferences: ownedBy(gang),
      },
      spec: {
        ...(minMember > 0 && { minMember }),
        queue: queue.queue,
        ...(priorityClassName !== undefined && { priorityClassName }),
        ...constraint(gang.spec.topologyConstraint, topology),
        subGroups: subGroups(gang.spec, topology),
      },
    },
  };
}

/** Parents first: one for each constrained replica of a group. The other pod groups hang at the root. */
function subGroups(
  { podgroups, topologyConstraintGroupConfigs: configs = [] }: PodGangSpec,
  topology: string | undefined,
): readonly KaiSubGroup[] {
  const parents = configs.map(({ name, podGroupNames, topologyConstraint }) => ({
    name,
    minSubGroup: podGroupNames.length,
    ...constraint(topologyConstraint, topology),
  }));
  const leaves = podgroups.map(({ name, minReplicas, topologyConstraint }) => {
    const parent = configs.find(({ podGroupNames }) => podGroupNames.includes(name))?.name;
    return {
      name,
      minMember: minReplicas,
      ...(parent !== undefined && { parent }),
      ...constraint(topologyConstraint, topology),
    };
  });
  return [...parents, ...leaves];
}

type GangConstraint = PodGangSpec["topologyConstraint"];

function constraint(
  gangConstraint: GangConstraint,
  topology: string | undefined,
): { readonly topologyConstraint?: KaiTopologyConstraint } {
  const { required, preferred } = gangConstraint?.packConstraint ?? {};
  if (topology === undefined || (required === undefined && preferred === undefined)) return {};
  return {
    topologyConstraint: {
      topology,
      ...(required !== undefined && { requiredTopologyLevel: required }),
      ...(preferred !== undefined && { preferredTopologyLevel: preferred }),
    },
  };
}

const isConstrained = ({ topologyConstraint, topologyConstraintGroupConfigs = [], podgroups }: PodGangSpec): boolean =>
  [
    topologyConstraint,
    ...[...topologyConstraintGroupConfigs, ...podgroups].map((part) => part.topologyConstraint),
  ].some((each) => each?.packConstraint !== undefined);

/** What KAI calls the topology: the binding's explicit reference where it has one, else the name of the binding. */
function topologyNameOf({ gang, binding }: GangContext): string | undefined {
  const annotations = gang.metadata.annotations ?? {};
  const name = annotations[TOPOLOGY_NAME_ANNOTATION] || annotations["kai.scheduler/topology"] || undefined;
  const reference = binding?.spec.schedulerTopologyBindings?.find(
    ({ schedulerName }) => schedulerName === "kai-scheduler",
  )?.topologyReference;
  return name === binding?.metadata.name ? (reference ?? name) : name;
}

/** All of the spec is the operator's, but what KAI writes into it after creation. */
export function kaiPodGroupPatch(
  liveObject: KubeObject,
  wantedObject: KubeObject,
): Readonly<Record<string, unknown>> | undefined {
  const live = liveObject as KaiPodGroup;
  const wanted = wantedObject as KaiPodGroup;
  const { markUnschedulable, schedulingBackoff, queue } = live.spec;
  const spec: KaiPodGroupSpec = {
    ...wanted.spec,
    ...(queue !== undefined && queue !== "" && { queue }),
    ...(markUnschedulable !== undefined && { markUnschedulable }),
    ...(schedulingBackoff !== undefined && { schedulingBackoff }),
  };
  const keptLabels = Object.fromEntries(
    Object.entries(live.metadata.labels ?? {}).filter(([key]) => KEPT_LABELS.includes(key)),
  );
  const metadata = {
    labels: overlaid(live.metadata.labels, { ...wanted.metadata.labels, ...keptLabels }),
    annotations: overlaid(live.metadata.annotations, wanted.metadata.annotations),
    ownerReferences: wanted.metadata.ownerReferences,
  };
  const { labels = {}, annotations = {}, ownerReferences } = live.metadata;
  const metadataPatch = mergePatch({ labels, annotations, ownerReferences }, metadata);
  // KAI's own clients write absent fields as empty ones: that is no difference.
  const specPatch = equalJson(withoutEmpty(live.spec), withoutEmpty(spec)) ? undefined : mergePatch(live.spec, spec);
  if (metadataPatch === undefined && specPatch === undefined) return undefined;
  return {
    ...(metadataPatch !== undefined && { metadata: metadataPatch }),
    ...(specPatch !== undefined && { spec: specPatch }),
  };
}

/** What others keep on the object stays; what the gang does not say any more goes. */
const overlaid = (live: Strings = {}, wanted: Strings = {}): Strings => ({
  ...Object.fromEntries(Object.entries(live).filter(([key]) => !key.startsWith(GROVE_PREFIX))),
  ...wanted,
});

type Strings = Readonly<Record<string, string>>;

function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== "object" || value === null) return value === null || value === "" ? undefined : value;
  const entries = Object.entries(value)
    .map(([key, entry]) => [key, withoutEmpty(entry)] as const)
    .filter(([, entry]) => entry !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
