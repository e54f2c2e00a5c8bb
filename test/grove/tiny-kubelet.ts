/** For tests: a scheduler and a kubelet in miniature, for one node with room for everything unless told otherwise. */
import { isTerminating, PODS, type Pod, podCondition } from "../../src/api/kubernetes/core.ts";
import { formatTime } from "../../src/api/kubernetes/time.ts";
import type { Clock } from "../../src/clock.ts";
import { startInformer } from "../../src/kube/informer.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import { seededRandom } from "../../src/random.ts";

export const NODE = "node-1";

export interface TinyKubeletOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Binds each ungated pod while there is room, makes it ready a second later, and ends terminating ones at once. */
export function startTinyKubelet({ api, clock, signal }: TinyKubeletOptions): { setCapacity(pods: number): void } {
  let capacity = Number.POSITIVE_INFINITY;
  const pods = startInformer({ api, clock, random: seededRandom(9), signal, resource: PODS });
  const handled = new Set<string>();
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch {
      // The pod went in between; its next event says so.
    }
  };
  const visit = (pod: Pod): void => {
    const key = { namespace: pod.metadata.namespace ?? "", name: pod.metadata.name };
    if (isTerminating(pod)) {
      void attempt(() => api.delete(PODS, key, { gracePeriodSeconds: 0 }));
      return;
    }
    const uid = pod.metadata.uid ?? "";
    if (handled.has(uid) || (pod.spec.schedulingGates ?? []).length > 0) return;
    const bound = pods.list().filter(({ metadata }) => handled.has(metadata.uid ?? "")).length;
    if (bound >= capacity) return;
    handled.add(uid);
    void attempt(() => start(key));
  };
  const start = async (key: { readonly namespace: string; readonly name: string }): Promise<void> => {
    const target = { apiVersion: "v1", kind: "Node", name: NODE };
    const binding = { apiVersion: "v1", kind: "Binding", metadata: key, target };
    await api.createSubresource(PODS, key, "binding", binding as never);
    await clock.sleep(1000, signal);
    const time = formatTime(clock.nowMs());
    const pod = await api.get(PODS, key);
    const conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
      type,
      status: "True",
      lastTransitionTime: podCondition(pod, type)?.lastTransitionTime ?? time,
    }));
    await api.patch(
      PODS,
      key,
      {
        status: {
          phase: "Running",
          conditions,
          containerStatuses: pod.spec.containers.map(({ name }) => ({
            name,
            ready: true,
            started: true,
            restartCount: 0,
            image: "",
            imageID: "",
          })),
        },
      },
      { type: "merge", subresource: "status" },
    );
  };
  const visitAll = (): void => {
    for (const pod of pods.list()) visit(pod);
  };
  pods.onChange(({ after }) => {
    if (after !== undefined) visit(after);
    else if (Number.isFinite(capacity)) visitAll();
  });
  return {
    setCapacity(pods) {
      capacity = pods;
      visitAll();
    },
  };
}
