/**
 * How long PodGangs take from creation to service: watches gangs and their pods go by, and tells each phase of a gang once.
 *
 * A phase is reached when every pod group of the gang has minReplicas pods that far. Only gangs whose creation this process has seen are measured: of others
 * nobody knows when their phases were.
 */
import { isPodReady, isPodScheduled, type Pod } from "../api/kubernetes/core.ts";
import { keyOf } from "../api/kubernetes/meta.ts";
import { parseTime } from "../api/kubernetes/time.ts";
import type { PodGang } from "../api/scheduler/pod-gang.ts";
import type { Clock } from "../clock.ts";
import { labelOf, POD_CLIQUE, POD_GANG, POD_GANG_GATE } from "./labels.ts";
import { BY_CLIQUE, type Stores, scoped } from "./runtime/stores.ts";

/** In order. `gated`: the pods exist; they may be without a gate already. */
export const GANG_PHASES = ["gated", "ungated", "scheduled", "ready"] as const;
export type GangPhase = (typeof GANG_PHASES)[number];

export type GangPhaseListener = (phase: GangPhase, sinceCreationMs: number) => void;

interface Gang {
  /** Monotonic. */
  readonly createdAtMs: number;
  /** Least pods by name of the pod group, which is that of its clique. */
  needed: ReadonlyMap<string, number>;
  /** How far each pod has come, as an index of GANG_PHASES, by pod group. */
  readonly pods: Map<string, Map<string, number>>;
  /** Phases told so far. */
  told: number;
}

/** Older than this at first sight: it was there before us. Timestamps are whole seconds, and API servers' clocks are not ours. */
const FRESH_MS = 5_000;

export function observeGangPhases(
  stores: Pick<Stores, "gang" | "pod">,
  clock: Clock,
  listener: GangPhaseListener,
): void {
  const gangs = new Map<string, Gang>();
  let isFollowing = false;
  void stores.gang.synced.then(() => {
    isFollowing = true;
  });

  stores.gang.onChange(({ before, after }) => {
    if (after === undefined) {
      if (before !== undefined) gangs.delete(keyOf(before));
      return;
    }
    const key = keyOf(after);
    const known = gangs.get(key);
    if (known !== undefined) known.needed = neededOf(after);
    else if (before === undefined && isFollowing && isFresh(after, clock)) {
      const needed = neededOf(after);
      gangs.set(key, { createdAtMs: clock.monotonicMs(), needed, pods: podsOf(after, needed), told: 0 });
    }
    tell(key);
  });
  stores.pod.onChange(({ before, after }) => {
    const pod = after ?? before;
    const [gangName, group] = pod === undefined ? [] : [labelOf(pod, POD_GANG), labelOf(pod, POD_CLIQUE)];
    if (pod === undefined || gangName === undefined || group === undefined) return;
    const key = scoped(pod.metadata.namespace, gangName);
    const gang = gangs.get(key);
    if (gang === undefined) return;
    const pods = gang.pods.get(group) ?? new Map<string, number>();
    gang.pods.set(group, pods);
    if (after === undefined) pods.delete(pod.metadata.name);
    else pods.set(pod.metadata.name, progressOf(after));
    tell(key);
  });

  /** Pods whose events came before that of their gang. */
  function podsOf({ metadata: { namespace, name } }: PodGang, needed: Gang["needed"]): Gang["pods"] {
    const progress = (group: string): Map<string, number> =>
      new Map(
        stores.pod
          .byIndex(BY_CLIQUE, scoped(namespace, group))
          .filter((pod) => labelOf(pod, POD_GANG) === name)
          .map((pod) => [pod.metadata.name, progressOf(pod)]),
      );
    return new Map([...needed.keys()].map((group) => [group, progress(group)]));
  }

  function tell(key: string): void {
    const gang = gangs.get(key);
    if (gang === undefined || gang.needed.size === 0) return;
    while (gang.told < GANG_PHASES.length && hasReached(gang, gang.told)) {
      listener(GANG_PHASES[gang.told] as GangPhase, clock.monotonicMs() - gang.createdAtMs);
      gang.told++;
    }
    if (gang.told === GANG_PHASES.length) gangs.delete(key);
  }
}

const neededOf = ({ spec }: PodGang): ReadonlyMap<string, number> =>
  new Map((spec.podgroups ?? []).map(({ name, minReplicas }) => [name, minReplicas]));

const isFresh = ({ metadata: { creationTimestamp } }: PodGang, clock: Clock): boolean =>
  creationTimestamp !== undefined && clock.nowMs() - parseTime(creationTimestamp) < FRESH_MS;

function progressOf(pod: Pod): number {
  if (isPodReady(pod)) return 3;
  if (isPodScheduled(pod)) return 2;
  return (pod.spec.schedulingGates ?? []).some(({ name }) => name === POD_GANG_GATE) ? 0 : 1;
}

function hasReached({ needed, pods }: Gang, phase: number): boolean {
  for (const [group, least] of needed) {
    let count = 0;
    for (const progress of pods.get(group)?.values() ?? []) if (progress >= phase) count++;
    if (count < least) return false;
  }
  return true;
}
