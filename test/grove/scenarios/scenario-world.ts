/**
 * What a scenario is written against: a cluster of 30 small nodes with this operator, a gang scheduler that behaves as KAI does and kubelets. The same scenario runs
 * in the embedded world on virtual time (`embedded-world.ts`) and on a real kube-apiserver (`test/real/real-world.ts`).
 */
import type { PodClique } from "../../../src/api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../../src/api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSet, PodCliqueSetInput } from "../../../src/api/grove/pod-clique-set.ts";
import type { Pod } from "../../../src/api/kubernetes/core.ts";
import type { PodGang } from "../../../src/api/scheduler/pod-gang.ts";
import type { Clock } from "../../../src/clock.ts";
import type { KubeApi } from "../../../src/kube/kube-api.ts";

/** The levels that have `spec.replicas`. */
export type ScaledLevel = "set" | "group" | "clique";

/** What happened to a pod, in the order of the watch. `terminating`: its deletion began; `ready`, `unready`: its Ready condition changed. */
export interface PodEvent {
  readonly type: "added" | "bound" | "ready" | "unready" | "terminating" | "deleted";
  readonly pod: Pod;
  /** Monotonic time of the world's clock. */
  readonly atMs: number;
}

export interface Recording {
  /** So far; it grows. */
  readonly events: readonly PodEvent[];
  stop(): readonly PodEvent[];
}

/** The cluster as watches show it: always at hand, at most one watch event behind. Everything is of the world's namespace and in the order of names. */
export interface ClusterView {
  /** All pods, those that are terminating too. */
  pods(): readonly Pod[];
  /** Pods that wait for room: Pending, ungated, and the newest event about them is the scheduler's `Unschedulable`. */
  unschedulablePods(): readonly Pod[];
  set(name: string): PodCliqueSet | undefined;
  group(name: string): PodCliqueScalingGroup | undefined;
  clique(name: string): PodClique | undefined;
  cliques(): readonly PodClique[];
  gangs(): readonly PodGang[];
  /** Number of Events with this reason about objects of the namespace, repetitions counted. */
  eventCount(reason: string): number;
}

export interface ScenarioWorld {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly namespace: string;
  /** Of all 30 nodes, in order. */
  readonly nodeNames: readonly string[];
  /** `terminationDelay` of the workloads made to test gang termination: 10 s as upstream, less where time is real. */
  readonly terminationDelayMs: number;
  readonly view: ClusterView;

  /** Leaves the first `nodes` nodes schedulable and cordons the others. */
  prepare(nodes: number): Promise<void>;
  cordon(...nodeNames: readonly string[]): Promise<void>;
  uncordon(...nodeNames: readonly string[]): Promise<void>;
  /** Creates a set in the world's namespace, with the defaults that admission gives. */
  deploy(set: PodCliqueSetInput): Promise<void>;
  /** Merge patch of `spec.replicas`. */
  scale(level: ScaledLevel, name: string, replicas: number): Promise<void>;
  /** Applies (server side) a new value of the variable UPDATE_TRIGGER in the first container of these cliques. @returns the value */
  triggerUpdate(set: string, cliques: readonly string[]): Promise<string>;
  /** Replaces a set by a function of the stored one. Throws what admission has against it. */
  editSet(set: string, edit: (set: PodCliqueSet) => PodCliqueSet): Promise<void>;
  /** Replaces the spec of a set's template by a function of the stored one. */
  editTemplate(
    set: string,
    edit: (template: PodCliqueSet["spec"]["template"], spec: PodCliqueSet["spec"]) => Partial<PodCliqueSet["spec"]>,
  ): Promise<void>;
  deletePod(name: string): Promise<void>;
  /** The container of a pod dies and starts again. */
  crashPod(name: string): void;

  /** Waits until it holds; throws with the state of the cluster when it does not within the limit (4 minutes of virtual, 60 s of real time). */
  until(what: string, holds: () => boolean): Promise<void>;
  /** Requires that it holds now and for so long. */
  always(what: string, holds: () => boolean, forMs: number): Promise<void>;
  /** Lets time pass. */
  pass(durationMs: number): Promise<void>;
  /** Waits until nothing changes any more for a moment. */
  settle(): Promise<void>;
  record(): Recording;
  /** Deletes all sets and requires that every managed object goes, also what is found by its owner only. */
  cleanUp(): Promise<void>;
}

export interface Scenario {
  /** Upstream's name. */
  readonly name: string;
  readonly run: (world: ScenarioWorld) => Promise<void>;
}
