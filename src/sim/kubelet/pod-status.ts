/** The pod status a kubelet writes at each stage of a start. Pure. */
import {
  type Container,
  type ContainerStatus,
  type Pod,
  type PodCondition,
  podCondition,
} from "../../api/kubernetes/core.ts";
import { formatTime } from "../../api/kubernetes/time.ts";

export type Stage =
  | { readonly kind: "creating" }
  | { readonly kind: "running"; readonly restarts: number; readonly crashedMs?: number }
  | { readonly kind: "ready"; readonly restarts: number };

export interface StatusContext {
  readonly nowMs: number;
  readonly podIp: string;
  readonly hostIp: string;
}

interface Because {
  readonly reason: string | null;
  readonly message: string | null;
}

/** A merge keeps what it does not name: only null takes an old reason away. */
const NO_REASON: Because = { reason: null, message: null };

/** A strategic-merge patch of the status subresource: conditions of other writers stay. */
export function statusPatch(
  pod: Pod,
  stage: Stage,
  { nowMs, podIp, hostIp }: StatusContext,
): { status: Pod["status"] } {
  const now = formatTime(nowMs);
  const isCreating = stage.kind === "creating";
  const isReady = stage.kind === "ready";
  const hasInit = (pod.spec.initContainers?.length ?? 0) > 0;
  const unready = pod.spec.containers.map(({ name }) => name).join(" ");
  const because = isReady
    ? NO_REASON
    : { reason: "ContainersNotReady", message: `containers with unready status: [${unready}]` };
  const condition = (type: string, holds: boolean, extra: Because): PodCondition => {
    const status = holds ? "True" : "False";
    const before = podCondition(pod, type);
    const lastTransitionTime = before?.status === status ? (before.lastTransitionTime ?? now) : now;
    return { type, status, lastTransitionTime, ...extra } as PodCondition;
  };
  return {
    status: {
      phase: isCreating ? "Pending" : "Running",
      startTime: pod.status?.startTime ?? now,
      hostIP: hostIp,
      ...(isCreating ? {} : { podIP: podIp, podIPs: [{ ip: podIp }] }),
      conditions: [
        condition(
          "Initialized",
          !(isCreating && hasInit),
          isCreating && hasInit ? { ...NO_REASON, reason: "ContainersNotInitialized" } : NO_REASON,
        ),
        condition("ContainersReady", isReady, because),
        condition("Ready", isReady, because),
      ],
      ...(hasInit && {
        initContainerStatuses: (pod.spec.initContainers ?? []).map((container) =>
          initStatus(container, isCreating, now),
        ),
      }),
      containerStatuses: pod.spec.containers.map((container) => containerStatus(pod, container, stage, hasInit, now)),
    },
  };
}

const idOf = (pod: Pod, name: string, restarts: number): string =>
  `containerd://${pod.metadata.uid ?? pod.metadata.name}-${name}-${restarts}`;

function initStatus({ name, image = "" }: Container, isCreating: boolean, now: string): ContainerStatus {
  const state = isCreating
    ? { running: { startedAt: now } }
    : { terminated: { exitCode: 0, reason: "Completed", startedAt: now, finishedAt: now } };
  return { name, image, imageID: image, ready: !isCreating, started: false, restartCount: 0, state };
}

function containerStatus(
  pod: Pod,
  { name, image = "" }: Container,
  stage: Stage,
  hasInit: boolean,
  now: string,
): ContainerStatus {
  const base = { name, image, imageID: image, restartCount: 0 };
  if (stage.kind === "creating") {
    const reason = hasInit ? "PodInitializing" : "ContainerCreating";
    return { ...base, ready: false, started: false, state: { waiting: { reason } } };
  }
  const before = pod.status?.containerStatuses?.find((status) => status.name === name);
  const running = before?.state?.["running"];
  const crashed = stage.kind === "running" && stage.crashedMs !== undefined;
  return {
    ...base,
    containerID: idOf(pod, name, stage.restarts),
    ready: stage.kind === "ready",
    started: true,
    restartCount: stage.restarts,
    state: { running: (!crashed && running) || { startedAt: now } },
    ...(crashed
      ? {
          lastState: {
            terminated: { exitCode: 137, reason: "OOMKilled", finishedAt: formatTime(stage.crashedMs ?? 0) },
          },
        }
      : before?.lastState && { lastState: before.lastState }),
  } as ContainerStatus;
}
