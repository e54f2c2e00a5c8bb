/** The pod status a kubelet writes at each stage of a start. Pure. */
import type { Container, ContainerStatus, Pod, PodCondition } from "../../api/kubernetes/core.ts";
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
    ? {}
    : { reason: "ContainersNotReady", message: `containers with unready status: [${unready}]` };
  const condition = (type: string, holds: boolean, extra: Partial<PodCondition> = {}): PodCondition => ({
    type,
    status: holds ? "True" : "False",
    lastTransitionTime: now,
    ...extra,
  });
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
          isCreating && hasInit ? { reason: "ContainersNotInitialized" } : {},
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
