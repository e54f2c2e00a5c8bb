/** The cluster as informers show it, and the record of what happens to pods. */
import { POD_CLIQUES } from "../../../src/api/grove/pod-clique.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../../src/api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS } from "../../../src/api/grove/pod-clique-set.ts";
import { EVENTS, type Event, isPodReady, isTerminating, PODS, type Pod } from "../../../src/api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../../../src/api/kubernetes/meta.ts";
import { POD_GANGS } from "../../../src/api/scheduler/pod-gang.ts";
import type { Clock } from "../../../src/clock.ts";
import { type Change, type Informer, startInformer } from "../../../src/kube/informer.ts";
import type { KubeApi } from "../../../src/kube/kube-api.ts";
import { seededRandom } from "../../../src/random.ts";
import type { ClusterView, PodEvent, Recording } from "./scenario-world.ts";

export interface FollowedCluster {
  readonly view: ClusterView;
  readonly synced: Promise<unknown>;
  record(): Recording;
  onPodEvent(listener: (event: PodEvent, view: ClusterView) => void): void;
  /** Called after every change of anything that is followed. */
  onAnyChange(listener: () => void): void;
}

export interface FollowOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly namespace: string;
}

/** What KAI's events are from and say. */
export const KAI = "kai-scheduler";
export const UNSCHEDULABLE = "Unschedulable";

export function followCluster({ api, clock, signal, namespace }: FollowOptions): FollowedCluster {
  const anyListeners: (() => void)[] = [];
  const podListeners: ((event: PodEvent, view: ClusterView) => void)[] = [];
  const follow = <T extends KubeObject>(resource: Resource<T>): Informer<T> => {
    const informer = startInformer({ api, clock, signal, random: seededRandom(5), resource, scope: { namespace } });
    informer.onChange(() => {
      for (const listener of anyListeners) listener();
    });
    return informer;
  };
  const events = newestEvents();
  const eventInformer = follow(EVENTS);
  eventInformer.onChange(events.note);
  const pods = follow(PODS);
  const sets = follow(POD_CLIQUE_SETS);
  const groups = follow(POD_CLIQUE_SCALING_GROUPS);
  const cliques = follow(POD_CLIQUES);
  const gangs = follow(POD_GANGS);

  const view: ClusterView = {
    pods: () => byName(pods.list()),
    unschedulablePods: () => byName(pods.list().filter((pod) => waitsForRoom(pod, events.of(pod)))),
    set: (name) => sets.get(namespace, name),
    group: (name) => groups.get(namespace, name),
    clique: (name) => cliques.get(namespace, name),
    cliques: () => byName(cliques.list()),
    gangs: () => byName(gangs.list()),
    eventCount: (reason) =>
      eventInformer.list().reduce((sum, event) => sum + (event.reason === reason ? (event.count ?? 1) : 0), 0),
  };
  pods.onChange((change) => {
    for (const { type, pod } of podEvents(change)) {
      for (const listener of podListeners) listener({ type, pod, atMs: clock.monotonicMs() }, view);
    }
  });
  return {
    view,
    synced: Promise.all([eventInformer, pods, sets, groups, cliques, gangs].map(({ synced }) => synced)),
    record() {
      const recorded: PodEvent[] = [];
      let isOn = true;
      podListeners.push((event) => {
        if (isOn) recorded.push(event);
      });
      return {
        events: recorded,
        stop() {
          isOn = false;
          return recorded;
        },
      };
    },
    onPodEvent: (listener) => podListeners.push(listener),
    onAnyChange: (listener) => anyListeners.push(listener),
  };
}

function podEvents({ before, after }: Change<Pod>): readonly Pick<PodEvent, "type" | "pod">[] {
  if (after === undefined) return before === undefined ? [] : [{ type: "deleted", pod: before }];
  // A name that is taken again between two looks: the first pod is gone.
  if (before !== undefined && before.metadata.uid !== after.metadata.uid) {
    return [...podEvents({ before }), ...podEvents({ after })];
  }
  const types: PodEvent["type"][] = [];
  if (before === undefined) types.push("added");
  if (!before?.spec.nodeName && after.spec.nodeName) types.push("bound");
  const wasReady = before !== undefined && isPodReady(before);
  if (isPodReady(after) !== wasReady) types.push(wasReady ? "unready" : "ready");
  if (isTerminating(after) && !(before !== undefined && isTerminating(before))) types.push("terminating");
  return types.map((type) => ({ type, pod: after }));
}

/** The newest event about each pod. Times are whole seconds, so the resource version says which of two is newer. */
function newestEvents() {
  const newest = new Map<string, Event>();
  return {
    note({ after }: Change<Event>): void {
      const uid = after?.involvedObject.uid;
      if (after !== undefined && uid !== undefined && after.involvedObject.kind === "Pod") newest.set(uid, after);
    },
    of: ({ metadata }: Pod): Event | undefined => newest.get(metadata.uid ?? ""),
  };
}

const waitsForRoom = (pod: Pod, newest: Event | undefined): boolean =>
  pod.status?.phase === "Pending" &&
  (pod.spec.schedulingGates ?? []).length === 0 &&
  newest?.reason === UNSCHEDULABLE &&
  newest.source?.component === KAI;

const byName = <T extends KubeObject>(objects: readonly T[]): readonly T[] =>
  objects.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
