/** Pure: keeps the PodGangs of a set as they should be (grove.md 3.2 to 3.4). */
import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { isTerminating, type Pod } from "../../api/kubernetes/core.ts";
import { apiVersionOf } from "../../api/kubernetes/meta.ts";
import { POD_GANGS, type PodGang } from "../../api/scheduler/pod-gang.ts";
import type { Action, ActionEvents } from "../actions.ts";
import { backendOf, schedulerNameOf } from "../backends/registry.ts";
import {
  COMPONENT,
  GROVE_PREFIX,
  labelOf,
  managedLabels,
  POD_GANG,
  SCHEDULER_NAME,
  TOPOLOGY_NAME_ANNOTATION,
} from "../labels.ts";
import { mergePatch } from "../merge-patch.ts";
import { ownedBy } from "../ownership.ts";
import type { OperatorSettings } from "../settings.ts";
import { gangTopology, type PodGangTopology } from "../topology/translate.ts";
import type { ExpectedPodGang } from "./compose.ts";
import { type GangProgress, gangProgress, isInitialized, isOnItsWay, PATIENCE_MS, podGangStatus } from "./status.ts";

export interface PodGangInput {
  readonly set: PodCliqueSet;
  readonly expected: readonly ExpectedPodGang[];
  /** Gangs of this set by name. */
  readonly gangs: ReadonlyMap<string, PodGang>;
  readonly cliques: ReadonlyMap<string, PodClique>;
  /** Pods of the set by the name of the clique that owns them. */
  readonly podsByClique: ReadonlyMap<string, readonly Pod[]>;
  /** The ClusterTopologyBinding that the set names. */
  readonly binding?: ClusterTopologyBinding | undefined;
  readonly settings: OperatorSettings;
  /** RFC 3339. */
  readonly now: string;
}

export interface PodGangPlan {
  readonly deletes: readonly Action[];
  readonly creates: readonly Action[];
  readonly updates: readonly Action[];
  /** Gangs that miss pods. */
  readonly incomplete: readonly string[];
  /** A status waits for what may come within this time. */
  readonly lookAgainMs?: number;
}

export function planPodGangs(given: PodGangInput): PodGangPlan {
  const input = { ...given, common: commonMetadata(given) };
  const names = new Set(input.expected.map(({ name }) => name));
  const deletes = [...input.gangs.values()]
    .filter((gang) => !names.has(gang.metadata.name) && !isTerminating(gang))
    .map(deleteGang);
  const creates: Action[] = [];
  const updates: Action[] = [];
  const incomplete: string[] = [];
  let isWaiting = false;
  for (const gang of input.expected) {
    const live = input.gangs.get(gang.name);
    const complete = gang.podGroups.every(({ clique }) => hasAllPods(clique, gang.name, input));
    const progress = gangProgress(
      gang.podGroups.map(({ clique, minReplicas }) => ({ minReplicas, pods: input.podsByClique.get(clique) ?? [] })),
      complete,
    );
    if (!complete) incomplete.push(gang.name);
    if (live === undefined) creates.push(createGang(gang, input));
    else if (!isTerminating(live)) {
      isWaiting ||= isOnItsWay(live, progress, input.now);
      updates.push(...updateGang(live, gang, progress, input));
    }
  }
  return { deletes, creates, updates, incomplete, ...(isWaiting && { lookAgainMs: PATIENCE_MS }) };
}

/** The clique exists and has its live number of pods, all of them labelled for this gang. */
function hasAllPods(name: string, gang: string, { cliques, podsByClique }: PodGangInput): boolean {
  const clique = cliques.get(name);
  if (clique === undefined || isTerminating(clique)) return false;
  const pods = (podsByClique.get(name) ?? []).filter((pod) => !isTerminating(pod));
  return pods.length >= clique.spec.replicas && pods.every((pod) => labelOf(pod, POD_GANG) === gang);
}

const EVENTS: ActionEvents = { success: "PodGangCreateOrUpdateSuccessful", failure: "PodGangCreateOrUpdateFailed" };

function createGang(gang: ExpectedPodGang, input: Input): Action {
  const { set } = input;
  const object: PodGang = {
    apiVersion: apiVersionOf(POD_GANGS),
    kind: POD_GANGS.kind,
    metadata: {
      name: gang.name,
      ...(set.metadata.namespace !== undefined && { namespace: set.metadata.namespace }),
      ...gangMetadata(undefined, gang, topologyOf(gang, input), input),
      ownerReferences: ownedBy(set),
    },
    // Listed pods lose their gates, so none is listed before the gang is whole.
    spec: gangSpec(gang, topologyOf(gang, input), input, () => []),
  };
  return { kind: "create", of: "gang", object, errorCode: "ERR_CREATE_OR_UPDATE_PODGANG", events: EVENTS };
}

function updateGang(live: PodGang, gang: ExpectedPodGang, progress: GangProgress, input: Input): readonly Action[] {
  const listed = progress.complete || isInitialized(live);
  const references = (clique: string): PodReferences => (listed ? liveReferences(clique, gang.name, input) : []);
  const topology = topologyOf(gang, input);
  const metadata = gangMetadata(live, gang, topology, input);
  const patch = mergePatch(
    { metadata: pick(live.metadata), spec: live.spec },
    {
      metadata,
      // What others add to the spec stays: nothing of the operator's is optional but these.
      spec: { ...live.spec, ...ABSENT, ...gangSpec(gang, topology, input, references) },
    },
  );
  const common = { kind: "patch", of: "gang", object: live, errorCode: "ERR_CREATE_OR_UPDATE_PODGANG" } as const;
  if (patch !== undefined) return [{ ...common, patch, events: EVENTS }];
  const status = mergePatch(live.status, podGangStatus(live, progress, input.now));
  if (status === undefined || isOnItsWay(live, progress, input.now)) return [];
  // Schedulers write conditions too, and a merge patch replaces the list: only on the version that was looked at. That
  // is also why the status waits for the pass after a change of the spec, which its event brings.
  const guarded = { metadata: { resourceVersion: live.metadata.resourceVersion }, status };
  return [{ ...common, patch: guarded, subresource: "status" }];
}

const pick = ({ labels = {}, annotations = {} }: PodGang["metadata"]) => ({ labels, annotations });

/** The optional fields of the operator: what the set does not say any more goes. */
const ABSENT = {
  priorityClassName: undefined,
  topologyConstraint: undefined,
  topologyConstraintGroupConfigs: undefined,
} as const;

const topologyOf = (gang: ExpectedPodGang, { set, binding, settings }: PodGangInput): PodGangTopology =>
  gangTopology(gang, set.spec.template, settings.topologyAwareScheduling ? binding : undefined);

type PodReferences = PodGang["spec"]["podgroups"][number]["podReferences"];

function gangSpec(
  gang: ExpectedPodGang,
  topology: PodGangTopology,
  { set }: PodGangInput,
  references: (clique: string) => PodReferences,
): PodGang["spec"] {
  const { priorityClassName } = set.spec.template;
  return {
    podgroups: gang.podGroups.map(({ clique, minReplicas }) => {
      const topologyConstraint = topology.podGroups.get(clique);
      return {
        name: clique,
        minReplicas,
        podReferences: references(clique),
        ...(topologyConstraint !== undefined && { topologyConstraint }),
      };
    }),
    ...(priorityClassName !== undefined && { priorityClassName }),
    ...(topology.gang !== undefined && { topologyConstraint: topology.gang }),
    ...(topology.groupConfigs.length > 0 && { topologyConstraintGroupConfigs: topology.groupConfigs }),
  };
}

function liveReferences(clique: string, gang: string, { podsByClique, set }: PodGangInput): PodReferences {
  return (podsByClique.get(clique) ?? [])
    .filter((pod) => !isTerminating(pod) && labelOf(pod, POD_GANG) === gang)
    .map(({ metadata }) => ({
      namespace: metadata.namespace ?? set.metadata.namespace ?? "default",
      name: metadata.name,
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Labels and annotations: those of the operator, over the set's own, over what is there under `grove.io/` and what
 * scheduler backends keep on the gang (grove.md 3.3; upstream drops the latter).
 */
function gangMetadata(
  live: PodGang | undefined,
  gang: ExpectedPodGang,
  { topologyName }: PodGangTopology,
  { common }: Input,
): Metadata {
  const { [TOPOLOGY_NAME_ANNOTATION]: _, ...kept } = keep(live?.metadata.annotations);
  return {
    labels: { ...keep(live?.metadata.labels), ...common.labels, ...gang.labels },
    annotations: {
      ...kept,
      ...common.annotations,
      ...(topologyName !== undefined && { [TOPOLOGY_NAME_ANNOTATION]: topologyName }),
    },
  };
}

/** What every gang of the set carries. */
function commonMetadata({ set, settings }: PodGangInput): Metadata {
  const scheduler = schedulerNameOf(set, settings);
  return {
    labels: {
      ...mirrored(set.metadata.labels),
      ...managedLabels(set.metadata.name),
      [COMPONENT]: "podgang",
      [SCHEDULER_NAME]: scheduler,
    },
    annotations: { ...mirrored(set.metadata.annotations), ...backendOf(settings, scheduler)?.gangAnnotations(set) },
  };
}

interface Metadata {
  readonly labels: StringMap;
  readonly annotations: StringMap;
}

type Input = PodGangInput & { readonly common: Metadata };

type StringMap = Readonly<Record<string, string>>;

const BACKEND_PREFIXES = [GROVE_PREFIX, "kai.scheduler/", "scheduling.run.ai/", "scheduling.volcano.sh/"];

const keep = (map: StringMap = {}): StringMap =>
  Object.fromEntries(Object.entries(map).filter(([key]) => BACKEND_PREFIXES.some((prefix) => key.startsWith(prefix))));

const mirrored = (map: StringMap = {}): StringMap =>
  Object.fromEntries(Object.entries(map).filter(([key]) => !key.startsWith(GROVE_PREFIX)));

const deleteGang = (gang: PodGang): Action => ({
  kind: "delete",
  of: "gang",
  object: gang,
  errorCode: "ERR_DELETE_EXCESS_PODGANG",
  events: { success: "PodGangDeleteSuccessful", failure: "PodGangDeleteFailed" },
});
