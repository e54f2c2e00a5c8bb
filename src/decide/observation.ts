/** What one decision knows about the world: plain data, read once, never changed. */
import type { PerformanceProfile } from "../api/autoscaling/performance-profile.ts";

/** The samples of one metric of one target, already joined with the ready replicas. */
export type MetricReading =
  | {
      readonly kind: "PerReplica";
      /** One entry for each ready replica of the target, in all set replicas. */
      readonly samples: readonly ReplicaSample[];
    }
  | { readonly kind: "Total"; readonly sample?: { readonly value: number; readonly ageMs?: number } }
  | {
      readonly kind: "Error";
      readonly reason: "Unreachable" | "QueryInvalid" | "TooLarge" | "Failed";
      readonly message: string;
    };

export interface ReplicaSample {
  readonly replica: string;
  /** Absent: the replica has no series. */
  readonly value?: number;
  /** Absent: not known; the sample counts as fresh. */
  readonly ageMs?: number;
  /** Its engine sleeps: it is there, and serves nothing until somebody wakes it. */
  readonly isAsleep?: true;
}

/** One object with a `/scale`: a target in one set replica. */
export interface ScaledObject {
  readonly setIndex: number;
  readonly objectName: string;
  readonly resourceVersion: string;
  /** `spec.replicas`. */
  readonly replicas: number;
  readonly ready: number;
  /** Placed on nodes and not ready, within the pending timeout. */
  readonly starting: number;
  /** Without a node, or not ready past the pending timeout. */
  readonly pending: number;
  /** Not ready for longer than the pending timeout: counts as absent. Part of `pending`. */
  readonly overdue: number;
  /** Part of `overdue` that has no node. */
  readonly overdueUnplaced?: number;
  /** Part of `pending` for which there are no pods yet. */
  readonly uncreated?: number;
  /** A rolling update or a gang termination is under way. */
  readonly isChanging: boolean;
}

/** One number of the metrics server and how old it is. */
export interface Measured {
  readonly value: number;
  readonly ageMs: number;
  /** Fewer replicas reported than the policy's coverage asks for: enough to grow by, not to shrink. */
  readonly isPartial?: true;
}

/** What loads a target and how fast it answers, over all its ready replicas. What is absent is unknown. */
export interface TargetLoad {
  readonly requestsPerSecond?: Measured;
  readonly promptTokensPerSecond?: Measured;
  /** Without what the prefix cache had. */
  readonly computedPromptTokensPerSecond?: Measured;
  readonly generationTokensPerSecond?: Measured;
  readonly runningRequests?: Measured;
  readonly waitingRequests?: Measured;
  /** In [0, 1], mean of a replica. */
  readonly kvCacheUsage?: Measured;
  /** p99 of the lengths of prompts over their median. */
  readonly promptSpread?: Measured;
  /** Seconds, at the quantile of the policy's goal. */
  readonly timeToFirstToken?: Measured;
  readonly interTokenLatency?: Measured;
  /** Seconds from the arrival of a request at a pod to its last token, p99. */
  readonly requestDuration?: Measured;
}

/** The performance profile that the policy names, or why there is none. */
export type ProfileObservation =
  | { readonly kind: "Profile"; readonly profile: PerformanceProfile }
  | {
      readonly kind: "Problem";
      readonly reason: "ProfileNotFound" | "ProfileInvalid" | "ProfileUnread";
      readonly message: string;
    };

export interface TargetObservation {
  /** By set index. A set replica whose object does not exist yet has none. */
  readonly objects: readonly ScaledObject[];
  /** Grove's gang floor inside one set replica. */
  readonly minAvailable: number;
  /** Replicas that a new set replica starts with. */
  readonly templateReplicas: number;
  /** Absent: unknown, and then a budget admits no growth. */
  readonly gpusPerReplica?: number;
  /** What a pod has to finish its requests once it is to go; the least of a replica's pods. Absent: unknown. */
  readonly gracePeriodMs?: number;
  /** In the order of the policy's metrics. */
  readonly metrics: readonly MetricReading[];
  /** Without latency goals how long requests take, and nothing else. */
  readonly load?: TargetLoad;
}

export interface SetObservation {
  readonly objectName: string;
  readonly resourceVersion: string;
  readonly replicas: number;
  readonly ready: number;
  /** GPUs in one set replica of cliques that are not targets; absent: unknown. */
  readonly fixedGpus?: number;
  readonly metrics: readonly MetricReading[];
}

export interface OverrideObservation {
  readonly name: string;
  readonly reason: string;
  readonly expiresAtMs: number;
  readonly force: boolean;
  readonly scaleTargets: Readonly<
    Record<string, { readonly replicas?: number; readonly minReplicas?: number; readonly maxReplicas?: number }>
  >;
}

export interface Observation {
  /** Wall time, for people. */
  readonly nowMs: number;
  /** For windows and ages. */
  readonly monotonicMs: number;
  readonly set: SetObservation;
  /** In the order of the policy's targets. */
  readonly targets: readonly TargetObservation[];
  /** GPUs held by all pods of the set, terminating ones included. */
  readonly gpusInUse: number;
  /** Something whose GPUs are not known and not in `gpusInUse`, e.g. `pod llm-0-decode-1`: under a limit nothing may grow. */
  readonly gpusUnknown?: string;
  /** The policy shares a budget, and its decision offers its curve to the others. */
  readonly isSharing: boolean;
  /** What a shared budget grants; absent without one. */
  readonly gpusGranted?: number;
  /** Whose GPUs are not known among those that share the budget, e.g. `ScalingPolicy serving/chat (pod chat-0-decode-1)`: nothing may grow. */
  readonly sharedGpusUnknown?: string;
  /** The scheduler's queue that leaves least to the policy: GPUs that it may hold in all. Absent GPUs: unknown, and nothing may grow. */
  readonly queue?: { readonly name: string; readonly gpus?: number };
  /** The policy names a shared budget that does not exist: nothing may grow. */
  readonly isBudgetMissing?: true;
  /** What waits for a set that is at zero; read for policies that scale to zero. */
  readonly zeroDemand?: MetricReading;
  /** The override in force, if there is one. */
  readonly override?: OverrideObservation;
  /** Start-up times, Pending to Ready, of replicas that became ready since the last decision. */
  readonly startupsMs: readonly (readonly [target: string, startupMs: number])[];
  /** Targets whose objects were written by somebody else since our last write: `target` → manager. */
  readonly foreignWriters: Readonly<Record<string, string>>;
  /** Those of them that another autoscaler owns: no write of ours to these goes through, in bounds or out. */
  readonly ownedTargets?: readonly string[];
  /** Only when the policy has latency goals and names a profile. */
  readonly profile?: ProfileObservation;
}
