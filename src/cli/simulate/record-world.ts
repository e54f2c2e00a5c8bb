/** What a trial of the whole system leaves behind, seen from outside through the caches. A life here is that of a pod. */

import { parseDurationMs } from "../../api/duration.ts";
import { isPodReady, isPodScheduled, isTerminating, type Pod } from "../../api/kubernetes/core.ts";
import { keyOf } from "../../api/kubernetes/meta.ts";
import { gpusOfPod, noTemplates } from "../../autoscaler/gpu-cost.ts";
import { type AutoscalerInformers, BY_OBJECT } from "../../autoscaler/informers.ts";
import { viewReplicas } from "../../autoscaler/replicas.ts";
import { resolve } from "../../autoscaler/resolve.ts";
import type { Clock } from "../../clock.ts";
import { POD_CLIQUE, SCALING_GROUP } from "../../grove/labels.ts";
import type { CountsSample, Order, ReplicaLife } from "../../trial/record.ts";
import type { Scenario } from "../../trial/scenario.ts";

type Life = { -readonly [K in keyof ReplicaLife]: ReplicaLife[K] };

export interface WorldRecording {
  readonly counts: readonly CountsSample[];
  readonly orders: readonly Order[];
  /** Until now. */
  lives(): readonly ReplicaLife[];
}

export function recordWorld(informers: AutoscalerInformers, { policy, set }: Scenario, clock: Clock): WorldRecording {
  const { namespace = "default" } = set.metadata;
  const { resolution } = resolve(policy.spec, set);
  const targets = resolution?.targets ?? [];
  const pendingTimeoutMs = parseDurationMs(policy.spec.coldStart.pendingTimeout) ?? Number.POSITIVE_INFINITY;
  const counts: CountsSample[] = [];
  const orders: Order[] = [];
  const alive = new Map<string, Life>();
  const gone: Life[] = [];
  let isDirty = false;

  const setReplicas = (): number => informers.sets.get(namespace, set.metadata.name)?.spec.replicas ?? 0;
  const objectsOf = (target: (typeof targets)[number]) =>
    Array.from({ length: setReplicas() }, (_, setIndex) => {
      const cache = target.level === "PodClique" ? informers.cliques : informers.groups;
      return cache.get(namespace, target.objectName(setIndex));
    }).filter((object) => object !== undefined);

  function count(): void {
    isDirty = false;
    const rows = targets.map((target) => {
      const sum = { spec: 0, ready: 0, starting: 0, pending: 0, overdue: 0 };
      for (const object of objectsOf(target)) {
        const { replicas } = object.spec;
        const view = viewReplicas(informers.pods.byIndex(BY_OBJECT, keyOf(object)), {
          level: target.level,
          replicas,
          minPodsPerReplica: target.minPodsPerReplica,
          pendingTimeoutMs,
          nowMs: clock.nowMs(),
        });
        sum.spec += replicas;
        sum.ready += view.ready.length;
        sum.starting += view.starting;
        sum.pending += view.pending;
        sum.overdue += view.overdue;
      }
      return sum;
    });
    const of = (key: keyof (typeof rows)[number]): readonly number[] => rows.map((row) => row[key]);
    counts.push({
      atMs: clock.monotonicMs(),
      spec: of("spec"),
      ready: of("ready"),
      starting: of("starting"),
      pending: of("pending"),
      overdue: of("overdue"),
    });
  }
  const changed = (): void => {
    if (isDirty) return;
    isDirty = true;
    clock.setTimer(0, count);
  };

  informers.pods.onChange(({ before, after }) => {
    changed();
    if (after === undefined) {
      const life = before && alive.get(uidOf(before));
      if (life === undefined || before === undefined) return;
      alive.delete(uidOf(before));
      life.goneMs = clock.monotonicMs();
      gone.push(life);
      return;
    }
    const life = alive.get(uidOf(after)) ?? newLife(after);
    alive.set(uidOf(after), life);
    if (Number.isNaN(life.placedMs) && isPodScheduled(after)) life.placedMs = clock.monotonicMs();
    if (Number.isNaN(life.readyMs) && isPodReady(after)) life.readyMs = clock.monotonicMs();
    if (Number.isNaN(life.stoppedMs) && isTerminating(after)) life.stoppedMs = clock.monotonicMs();
  });
  for (const informer of [informers.cliques, informers.groups]) {
    informer.onChange(({ before, after }) => {
      changed();
      if (before === undefined || after === undefined || before.spec.replicas === after.spec.replicas) return;
      const target = targets.findIndex((one) =>
        Array.from({ length: setReplicas() }, (_, setIndex) => one.objectName(setIndex)).includes(after.metadata.name),
      );
      if (target === -1) return;
      orders.push({ atMs: clock.monotonicMs(), target, from: before.spec.replicas, to: after.spec.replicas });
    });
  }

  function newLife(pod: Pod): Life {
    const object = pod.metadata.labels?.[SCALING_GROUP] ?? pod.metadata.labels?.[POD_CLIQUE] ?? "";
    const setIndex = Number(pod.metadata.labels?.["grove.io/podcliqueset-replica-index"] ?? 0);
    return {
      target: targets.findIndex((target) => target.objectName(setIndex) === object),
      name: pod.metadata.name,
      setIndex,
      gpus: gpusOfPod(pod.spec, namespace, noTemplates) ?? 0,
      createdMs: clock.monotonicMs(),
      placedMs: Number.NaN,
      readyMs: Number.NaN,
      stoppedMs: Number.NaN,
      goneMs: Number.NaN,
      busyMs: 0,
      servedRequests: 0,
      lostRequests: 0,
    };
  }

  return { counts, orders, lives: () => [...gone, ...alive.values()].map((life) => ({ ...life })) };
}

const uidOf = ({ metadata }: Pod): string => metadata.uid ?? keyOf({ metadata });
