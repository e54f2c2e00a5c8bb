/**
 * The kubelets of all nodes: takes bound pods through their life and tells the data plane about them.
 *
 * Start: Pending (ContainerCreating; init containers, of which `grove-initc` waits for its parents) → Running, not ready →
 * Ready: three status writes. End: the engine drains for at most the grace period, then the pod object is deleted.
 */
import { missingParents, type StartupParent } from "../../api/grove/startup-parents.ts";
import {
  isPodReady,
  isTerminating,
  NODES,
  type Node,
  PODS,
  type Pod,
  type PodCondition,
} from "../../api/kubernetes/core.ts";
import { keyOf, parseKey, type Resource } from "../../api/kubernetes/meta.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import { parseQuantity } from "../../api/quantity.ts";
import type { Clock } from "../../clock.ts";
import { isConflict, isNotFound } from "../../kube/api-error.ts";
import { type Controller, type ReconcileResult, startController } from "../../kube/controller.ts";
import { type Informer, startInformer } from "../../kube/informer.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { Logger } from "../../log.ts";
import type { Random } from "../../random.ts";
import type { DataPlane } from "../engines/data-plane.ts";
import { identityOf } from "../engines/pod-identity.ts";
import { GANG_LABEL, parentsOf } from "./init-wait.ts";
import { type Stage, statusPatch } from "./pod-status.ts";
import { drawStartupMs, type StartupTimes, startupTimeOf } from "./startup.ts";

export interface KubeletOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly dataPlane: DataPlane;
  readonly signal: AbortSignal;
  readonly startup?: StartupTimes;
  /** Multiplies every start-up time. Default 1. */
  readonly startupScale?: number;
  readonly log?: Logger;
}

export interface Kubelet {
  /** The containers of a pod die and start again, as after an out-of-memory kill. */
  crashPod(key: string): void;
  /**
   * A node that is down is not ready, its pods are not ready and serve nothing, and pods that are being deleted stay: all as
   * the node lifecycle controller leaves it. When it is back its pods start again.
   */
  setNodeDown(nodeName: string, down: boolean): Promise<void>;
}

/** What is known of a pod beyond its object; keyed by uid, so a new pod of the same name starts anew. */
interface Run {
  readonly uid: string;
  readonly podIp: string;
  readonly parents: readonly StartupParent[];
  readonly startupMs: number;
  written: "nothing" | "creating" | "running" | "ready";
  createdAtMs: number;
  readyAtMs: number;
  restarts: number;
  crashedMs: number | undefined;
  drainUntilMs: number | undefined;
}

/** Part of the start-up time before the process runs: scheduling aside, sandbox, image check and container create. */
const CREATE_SHARE = 0.1;
const POLL_MS = 1_000;
/** Concurrent status writes. */
const WORKERS = 4;

export function startKubelet(options: KubeletOptions): Kubelet {
  const { api, clock, random, dataPlane, signal, startup = {}, startupScale = 1 } = options;
  const shared = { api, clock, random, signal, ...(options.log && { log: options.log }) };
  const pods: Informer<Pod> = startInformer({
    ...shared,
    resource: PODS,
    indexes: {
      gang: (pod) => gangKeys(pod),
      node: (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []),
    },
  });
  const nodes: Informer<Node> = startInformer({ ...shared, resource: NODES });
  const runs = new Map<string, Run>();
  const downNodes = new Set<string>();
  let nextIp = 0;

  const controller: Controller = startController({ ...shared, name: "kubelet", workers: WORKERS, reconcile });
  pods.onChange(({ before, after }) => {
    const pod = after ?? before;
    if (pod?.spec.nodeName) controller.enqueue(keyOf(pod));
  });
  nodes.onChange(({ before, after }) => {
    if (after !== undefined) dataPlane.setNode(after.metadata.name, gpusOf(after));
    else if (before !== undefined) {
      dataPlane.removeNode(before.metadata.name);
      for (const pod of pods.byIndex("node", before.metadata.name)) controller.enqueue(keyOf(pod));
    }
  });

  async function reconcile(key: string): Promise<ReconcileResult | undefined> {
    const pod = pods.getByKey(key);
    if (pod === undefined || !pod.spec.nodeName) {
      forget(key);
      return undefined;
    }
    if (downNodes.has(pod.spec.nodeName)) return undefined;
    await nodes.synced;
    if (nodes.getByKey(pod.spec.nodeName) === undefined) {
      // As the pod garbage collector does with pods of a node that is no longer there.
      await remove(key, pod.metadata.uid ?? "");
      return undefined;
    }
    const run = runOf(key, pod);
    return isTerminating(pod) ? terminate(key, pod, run) : start(key, pod, run);
  }

  function forget(key: string): void {
    runs.delete(key);
    dataPlane.removePod(key);
  }

  function runOf(key: string, pod: Pod): Run {
    const uid = pod.metadata.uid ?? "";
    const known = runs.get(key);
    if (known?.uid === uid) return known;
    if (known !== undefined) forget(key);
    const nowMs = clock.monotonicMs();
    // A pod that is ready already was started before this kubelet was.
    const isAdopted = isPodReady(pod);
    const run: Run = {
      uid,
      podIp: pod.status?.podIP ?? podIpAt(nextIp++),
      parents: parentsOf(pod),
      startupMs: drawStartupMs(startupTimeOf(identityOf(pod), startup), random) * startupScale,
      written: isAdopted ? "ready" : "nothing",
      createdAtMs: nowMs,
      readyAtMs: nowMs,
      restarts: pod.status?.containerStatuses?.[0]?.restartCount ?? 0,
      crashedMs: undefined,
      drainUntilMs: undefined,
    };
    runs.set(key, run);
    dataPlane.setPod(pod, isAdopted);
    return run;
  }

  /** One step of the start per call; comes back when the next one is due. */
  async function start(key: string, pod: Pod, run: Run): Promise<ReconcileResult | undefined> {
    const nowMs = clock.monotonicMs();
    if (run.written === "nothing") {
      run.createdAtMs = nowMs + run.startupMs * CREATE_SHARE;
      await write(key, pod, run, { kind: "creating" });
      run.written = "creating";
      return { requeueAfterMs: run.startupMs * CREATE_SHARE };
    }
    if (run.written === "creating") {
      if (nowMs < run.createdAtMs) return { requeueAfterMs: run.createdAtMs - nowMs };
      if (missingParents(run.parents, gangPodsOf(pod)).length > 0) return { requeueAfterMs: POLL_MS };
      const { crashedMs, restarts } = run;
      await write(key, pod, run, { kind: "running", restarts, ...(crashedMs === undefined ? {} : { crashedMs }) });
      run.written = "running";
      run.crashedMs = undefined;
      run.readyAtMs = nowMs + run.startupMs * (1 - CREATE_SHARE);
      return { requeueAfterMs: run.readyAtMs - nowMs };
    }
    if (run.written === "running") {
      if (nowMs < run.readyAtMs) return { requeueAfterMs: run.readyAtMs - nowMs };
      await write(key, pod, run, { kind: "ready", restarts: run.restarts });
      run.written = "ready";
      dataPlane.setPod(pod, true);
    }
    return undefined;
  }

  async function write(key: string, pod: Pod, run: Run, stage: Stage): Promise<void> {
    const node = nodes.getByKey(pod.spec.nodeName ?? "");
    const hostIp = node?.status?.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "10.0.0.1";
    const patch = statusPatch(pod, stage, { nowMs: clock.nowMs(), podIp: run.podIp, hostIp });
    try {
      pods.observeWrite(await api.patch(PODS, parseKey(key), patch, { type: "strategic", subresource: "status" }));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async function terminate(key: string, pod: Pod, run: Run): Promise<ReconcileResult | undefined> {
    const nowMs = clock.monotonicMs();
    if (run.drainUntilMs === undefined) {
      run.drainUntilMs = nowMs + (pod.metadata.deletionGracePeriodSeconds ?? 0) * 1000;
      dataPlane.drain(key);
    }
    if (nowMs < run.drainUntilMs && run.written === "ready" && !dataPlane.isDrained(key)) {
      return { requeueAfterMs: Math.min(POLL_MS, run.drainUntilMs - nowMs) };
    }
    await remove(key, run.uid);
    return undefined;
  }

  async function remove(key: string, uid: string): Promise<void> {
    dataPlane.removePod(key);
    try {
      await api.delete(PODS, parseKey(key), { gracePeriodSeconds: 0, preconditions: { uid } });
    } catch (error) {
      // Gone already, or another pod has the name by now.
      if (!isNotFound(error) && !isConflict(error)) throw error;
    }
  }

  function gangPodsOf(pod: Pod): readonly Pod[] {
    return gangKeys(pod).flatMap((gang) => pods.byIndex("gang", gang));
  }

  function restart(key: string, crashedMs: number): void {
    const run = runs.get(key);
    const pod = pods.getByKey(key);
    if (run === undefined || pod === undefined) return;
    dataPlane.setPod(pod, false);
    if (run.written === "running" || run.written === "ready") {
      run.written = "creating";
      run.createdAtMs = clock.monotonicMs();
      run.restarts++;
      run.crashedMs = crashedMs;
    }
    controller.enqueue(key);
  }

  return {
    crashPod: (key) => restart(key, clock.nowMs()),
    async setNodeDown(nodeName, down) {
      if (down === downNodes.has(nodeName)) return;
      if (down) downNodes.add(nodeName);
      else downNodes.delete(nodeName);
      await setReady(NODES, nodeName, down ? NODE_UNKNOWN : NODE_READY);
      for (const pod of pods.byIndex("node", nodeName)) {
        const key = keyOf(pod);
        if (!down) {
          restart(key, clock.nowMs());
          continue;
        }
        dataPlane.removePod(key);
        await setReady(PODS, key, { status: "False" });
      }
    },
  };

  async function setReady(resource: Resource, key: string, ready: Omit<PodCondition, "type">): Promise<void> {
    const condition = { type: "Ready", ...ready, lastTransitionTime: formatTime(clock.nowMs()) };
    try {
      const patch = { status: { conditions: [condition] } };
      await api.patch(resource, parseKey(key), patch, { type: "strategic", subresource: "status" });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

const NODE_READY = { status: "True", reason: "KubeletReady", message: "kubelet is posting ready status" } as const;
const NODE_UNKNOWN = {
  status: "Unknown",
  reason: "NodeStatusUnknown",
  message: "Kubelet stopped posting node status.",
} as const;

function gangKeys({ metadata }: Pod): string[] {
  const gang = metadata.labels?.[GANG_LABEL];
  return gang === undefined ? [] : [`${metadata.namespace ?? ""}/${gang}`];
}

const gpusOf = ({ status }: Node): number => parseQuantity(status?.capacity?.["nvidia.com/gpu"] ?? 0) ?? 0;

const podIpAt = (index: number): string =>
  `10.${64 + (Math.floor(index / 65_536) % 64)}.${Math.floor(index / 256) % 256}.${index % 256}`;
