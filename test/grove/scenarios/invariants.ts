/**
 * What must be true at every moment of every scenario, looked at after each event:
 *
 * 1. a pod of a scaled gang is let go only after every pod group of its base gang had its minimum scheduled;
 * 2. a gang is never left with some pods bound and the minimum of a pod group unmet, unless it was whole before;
 * 3. no two pods of a clique that are not terminating have the same hostname;
 * 4. no pod is made for a clique that has `spec.replicas` pods that are not terminating.
 */
import { isPodScheduled, isTerminating, type Pod } from "../../../src/api/kubernetes/core.ts";
import type { PodGang } from "../../../src/api/scheduler/pod-gang.ts";
import type { Clock } from "../../../src/clock.ts";
import type { FollowedCluster } from "./cluster-view.ts";
import type { ClusterView } from "./scenario-world.ts";

export interface Invariants {
  throwIfBroken(): void;
}

/** How long the bindings of one gang may take. */
const BINDING_MS = 5_000;

interface GangHistory {
  /** Whether it was whole since it last had no pod bound. */
  wasWhole: boolean;
  partialSinceMs: number | undefined;
}

export interface InvariantOptions {
  /**
   * Two pods for one place may be made where the answer to a creation is lost and its event is late, or where two operators
   * do not know of one another: they must go within this time; default 0.
   */
  readonly twinsMs?: number;
  /** What was so this long ago may still be acted on: caches of the operator and the scheduler lag; default 1 s. */
  readonly lagMs?: number;
}

export function checkInvariants(
  { view, onAnyChange, onPodEvent }: FollowedCluster,
  clock: Clock,
  { twinsMs = 0, lagMs = 1_000 }: InvariantOptions = {},
): Invariants {
  const broken = new Set<string>();
  const gated = new Set<string>();
  const histories = new Map<string, GangHistory>();
  /** When each gang was last whole, by name: a gang may have gone in the meantime. */
  const wholeAtMs = new Map<string, number>();

  const look = (pod: Pod, replicasThen = 0): void => {
    const clique = cliqueOf(pod);
    const replicasNow = view.clique(clique)?.spec.replicas;
    const replicas = replicasNow && Math.max(replicasNow, replicasThen);
    const active = activePods(view).filter(({ metadata }) => metadata.labels?.[CLIQUE] === clique);
    if (replicas !== undefined && active.length > replicas) {
      broken.add(`4: ${clique} has ${active.length} pods and wants ${replicas}`);
    }
    const twins = active.filter(({ spec }) => spec.hostname === pod.spec.hostname);
    if (twins.length > 1)
      broken.add(`3: ${pod.spec.hostname} is ${twins.map(({ metadata }) => metadata.name).join(" and ")}`);
  };
  onPodEvent(({ type, pod }) => {
    if (type !== "added") return;
    if (twinsMs === 0) {
      look(pod);
      return;
    }
    const replicasThen = view.clique(cliqueOf(pod))?.spec.replicas;
    clock.setTimer(twinsMs, () => isActive(view, pod) && look(pod, replicasThen));
  });
  onAnyChange(() => {
    const nowMs = clock.monotonicMs();
    for (const gang of view.gangs()) {
      const history = historyOf(histories, gang);
      const groups = boundPods(view, gang);
      const isWhole = groups.every(({ bound, minimum }) => bound >= minimum);
      const isEmpty = groups.every(({ bound }) => bound === 0);
      if (isWhole) wholeAtMs.set(gang.metadata.name, nowMs);
      history.wasWhole = isWhole || (history.wasWhole && !isEmpty);
      if (isWhole || isEmpty || history.wasWhole) history.partialSinceMs = undefined;
      else history.partialSinceMs ??= nowMs;
      if (history.partialSinceMs !== undefined && nowMs - history.partialSinceMs > BINDING_MS) {
        broken.add(`2: ${gang.metadata.name} is bound in part: ${JSON.stringify(groups)}`);
      }
    }
    for (const pod of view.pods()) {
      const uid = pod.metadata.uid ?? "";
      if ((pod.spec.schedulingGates ?? []).length > 0) gated.add(uid);
      else if (gated.delete(uid)) checkBaseGang(pod, nowMs);
    }
  });

  function checkBaseGang(pod: Pod, nowMs: number): void {
    const base = pod.metadata.labels?.[BASE_GANG];
    if (base === undefined) return;
    const sinceMs = nowMs - (wholeAtMs.get(base) ?? Number.NEGATIVE_INFINITY);
    if (sinceMs > lagMs) broken.add(`1: ${pod.metadata.name} was let go before ${base} was scheduled`);
  }

  return {
    throwIfBroken() {
      if (broken.size > 0) throw new Error(`invariants broken:\n${[...broken].join("\n")}`);
    },
  };
}

const CLIQUE = "grove.io/podclique";
const BASE_GANG = "grove.io/base-podgang";

function historyOf(histories: Map<string, GangHistory>, { metadata }: PodGang): GangHistory {
  const key = metadata.uid ?? metadata.name;
  const known = histories.get(key);
  if (known !== undefined) return known;
  const history = { wasWhole: false, partialSinceMs: undefined };
  histories.set(key, history);
  return history;
}

const cliqueOf = ({ metadata }: Pod): string => metadata.labels?.[CLIQUE] ?? "";
const isActive = (view: ClusterView, { metadata }: Pod): boolean =>
  activePods(view).some((pod) => pod.metadata.uid === metadata.uid);
const activePods = (view: ClusterView): readonly Pod[] => view.pods().filter((pod) => !isTerminating(pod));

function boundPods(view: ClusterView, { spec }: PodGang) {
  const scheduled = view.pods().filter((pod) => isPodScheduled(pod) && !isTerminating(pod));
  return spec.podgroups.map(({ name, minReplicas }) => ({
    name,
    minimum: minReplicas,
    bound: scheduled.filter(({ metadata }) => metadata.labels?.[CLIQUE] === name).length,
  }));
}
