/** The gang scheduler: watches pods, nodes and PodGangs, plans on a snapshot, binds. */
import { isPodScheduled, NODES, PODS, type Pod, podCondition } from "../../api/kubernetes/core.ts";
import { type KubeObject, keyOf, parseKey } from "../../api/kubernetes/meta.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import { POD_GANGS } from "../../api/scheduler/pod-gang.ts";
import type { Clock } from "../../clock.ts";
import { isConflict, isNotFound } from "../../kube/api-error.ts";
import { type ReconcileResult, startController } from "../../kube/controller.ts";
import { createEventRecorder } from "../../kube/events.ts";
import { startInformer } from "../../kube/informer.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { Logger } from "../../log.ts";
import type { Random } from "../../random.ts";
import { plan } from "./plan.ts";

export interface SchedulerOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** `spec.schedulerName` of the pods to place; all pods when absent. */
  readonly schedulerNames?: ReadonlySet<string>;
  /** Who its events are from. Default `gang-scheduler`; `kai-scheduler` for clients that look for KAI's. */
  readonly component?: string;
  /** Reason of the event that a pod does not fit. Default `FailedScheduling`, as kube-scheduler; KAI says `Unschedulable`. */
  readonly misfitReason?: string;
  /** Changes come in bursts (a gang's pods are ungated one by one): how long it waits for the rest. Default 50. */
  readonly batchMs?: number;
  readonly log?: Logger;
}

const BATCH_MS = 50;
/** Without any change it looks again after this time, should a change have been missed. */
const RETRY_MS = 30_000;
/** A pod that stays unschedulable is reported again after 10 s, 20 s, … at most 5 min. */
const REPORT_BASE_MS = 10_000;
const REPORT_MAX_MS = 300_000;
const ROUND = "round";

interface Report {
  readonly uid: string;
  readonly message: string;
  readonly nextMs: number;
  readonly delayMs: number;
}

export function startScheduler(options: SchedulerOptions): void {
  const { api, clock, random, signal, schedulerNames } = options;
  const { component = "gang-scheduler", misfitReason = "FailedScheduling", batchMs = BATCH_MS } = options;
  const shared = { api, clock, random, signal, ...(options.log && { log: options.log }) };
  const pods = startInformer({ ...shared, resource: PODS });
  const nodes = startInformer({ ...shared, resource: NODES });
  const gangs = startInformer({ ...shared, resource: POD_GANGS });
  const recorder = createEventRecorder({ ...shared, component });
  /** Bindings that the cache does not show yet, by uid. */
  const assumed = new Map<string, string>();
  const reports = new Map<string, Report>();

  const controller = startController({ ...shared, name: "scheduler", reconcile: round });
  const wake = (): void => controller.enqueueAfter(ROUND, batchMs);
  pods.onChange(({ before, after }) => {
    if (after === undefined) {
      assumed.delete(before?.metadata.uid ?? "");
      if (before !== undefined) reports.delete(keyOf(before));
    } else if (after.spec.nodeName) {
      assumed.delete(after.metadata.uid ?? "");
      reports.delete(keyOf(after));
      // A status change of a bound pod frees nothing unless it ended.
      if (before?.spec.nodeName && after.status?.phase === before.status?.phase) return;
    }
    wake();
  });
  nodes.onChange(wake);
  gangs.onChange(wake);

  async function round(): Promise<ReconcileResult> {
    await Promise.all([pods.synced, nodes.synced, gangs.synced]);
    const seen = pods.list().map(withAssumption);
    const { bindings, unschedulable } = plan({
      nodes: nodes.list(),
      pods: seen,
      gangs: gangs.list(),
      ...(schedulerNames && { schedulerNames }),
    });
    await Promise.all(bindings.map(({ pod, nodeName }) => bind(pod, nodeName)));
    for (const { pod, message } of unschedulable) await report(pod, message);
    return { requeueAfterMs: RETRY_MS };
  }

  function withAssumption(pod: Pod): Pod {
    const nodeName = assumed.get(pod.metadata.uid ?? "");
    return nodeName === undefined || pod.spec.nodeName ? pod : { ...pod, spec: { ...pod.spec, nodeName } };
  }

  async function bind(pod: Pod, nodeName: string): Promise<void> {
    const { uid = "", name } = pod.metadata;
    assumed.set(uid, nodeName);
    const binding: KubeObject & { readonly target: object } = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, ...(pod.metadata.namespace && { namespace: pod.metadata.namespace }), uid },
      target: { apiVersion: "v1", kind: "Node", name: nodeName },
    };
    try {
      await api.createSubresource(PODS, parseKey(keyOf(pod)), "binding", binding);
      recorder.event(pod, "Normal", "Scheduled", `Successfully assigned ${keyOf(pod)} to ${nodeName}`);
    } catch (error) {
      assumed.delete(uid);
      // Deleted or changed meanwhile: its own event brings it back.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  async function report(pod: Pod, message: string): Promise<void> {
    const key = keyOf(pod);
    const uid = pod.metadata.uid ?? "";
    const nowMs = clock.monotonicMs();
    const last = reports.get(key);
    const isNew = last?.uid !== uid;
    if (!isNew && nowMs < last.nextMs) return;
    const delayMs = isNew ? REPORT_BASE_MS : Math.min(REPORT_MAX_MS, last.delayMs * 2);
    reports.set(key, { uid, message, delayMs, nextMs: nowMs + delayMs });
    recorder.event(pod, "Warning", misfitReason, message);
    const condition = podCondition(pod, "PodScheduled");
    if (isPodScheduled(pod) || (condition?.reason === "Unschedulable" && condition.message === message)) return;
    const unschedulable = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
      lastTransitionTime: formatTime(clock.nowMs()),
    };
    try {
      const patch = { status: { conditions: [unschedulable] } };
      await api.patch(PODS, parseKey(key), patch, { type: "strategic", subresource: "status" });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
