/** What the operator has to know of a scheduler (grove.md 3.7). All of it is pure but `checkCluster`. */
import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import type { Pod } from "../../api/kubernetes/core.ts";
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import type { VolcanoQueue } from "../../api/scheduler/volcano.ts";
import type { FieldError } from "../../api/schema/validate.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { SchedulerProfileName } from "../settings.ts";

export interface SchedulerBackend {
  /** Name of the profile, and what pods say in `spec.schedulerName`. */
  readonly name: SchedulerProfileName;
  preparePod(pod: Pod): Pod;
  /** What PodGangs of the set carry for this scheduler, besides what they mirror from the set. */
  gangAnnotations(set: PodCliqueSet): Readonly<Record<string, string>>;
  /** Rules of admission. */
  validate(set: PodCliqueSet, facts: BackendFacts): readonly FieldError[];
  /** The scheduler's own object for each PodGang. */
  readonly gangObject?: GangObject;
  /** The scheduler's own object for each ClusterTopologyBinding. Present: it is topology-aware. */
  readonly topologyObject?: TopologyObject;
  /** @throws when the scheduler that is installed cannot do what is needed of it */
  checkCluster?(api: KubeApi, recorder: EventRecorder): Promise<void>;
}

/** What admission knows of the cluster. */
export interface BackendFacts {
  /** By name. Undefined: not known here, existence is not checked. */
  readonly volcanoQueues?: ReadonlyMap<string, VolcanoQueue>;
}

export interface GangContext {
  readonly gang: PodGang;
  /** The set that owns the gang, unless it is gone. */
  readonly set: PodCliqueSet | undefined;
  /** The one that the gang's annotation names, if there is one. */
  readonly binding: ClusterTopologyBinding | undefined;
}

export type GangObjectKind = "kaiPodGroup" | "volcanoPodGroup";

export interface GangObject {
  readonly of: GangObjectKind;
  /** The object as it has to be, or why there cannot be one. */
  wanted(context: GangContext): { readonly object: KubeObject } | { readonly problem: string };
  /** The merge patch from the live object; undefined when nothing differs but what the scheduler keeps. */
  patch(live: KubeObject, wanted: KubeObject, gang: PodGang): Readonly<Record<string, unknown>> | undefined;
}

export interface TopologyObject {
  readonly of: "kaiTopology";
  /** For messages. */
  readonly kind: string;
  wanted(binding: ClusterTopologyBinding): KubeObject;
  hasLevels(live: KubeObject, binding: ClusterTopologyBinding): boolean;
}
