/** A kubelet in miniature for benchmarks: a bound pod is running and ready at once, a terminating one is gone at once. */
import { isPodReady, isTerminating, PODS, type Pod } from "../src/api/kubernetes/core.ts";
import type { ObjectKey } from "../src/api/kubernetes/meta.ts";
import { formatTime } from "../src/api/kubernetes/time.ts";
import type { Clock } from "../src/clock.ts";
import { startInformer } from "../src/kube/informer.ts";
import type { KubeApi } from "../src/kube/kube-api.ts";
import type { Random } from "../src/random.ts";

export function startReadyKubelet(options: {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** Also places ungated pods, where no scheduler does. */
  readonly binds?: boolean;
}): void {
  const { api, clock, binds = false } = options;
  const handled = new Set<string>();
  const pods = startInformer({ ...options, resource: PODS });
  pods.onChange(({ after }) => {
    if (after === undefined) return;
    if (after.spec.nodeName === undefined) {
      if (binds && (after.spec.schedulingGates ?? []).length === 0 && !isTerminating(after)) bind(after);
      // Nothing runs that would have to end.
      if (binds && isTerminating(after))
        void api.delete(PODS, after.metadata as ObjectKey, { gracePeriodSeconds: 0 }).catch(() => undefined);
      return;
    }
    const key = { namespace: after.metadata.namespace ?? "", name: after.metadata.name };
    const step = isTerminating(after) ? "delete" : isPodReady(after) ? "nothing" : "start";
    const mark = `${after.metadata.uid}/${step}`;
    if (step === "nothing" || handled.has(mark)) return;
    handled.add(mark);
    const work =
      step === "delete"
        ? api.delete(PODS, key, { gracePeriodSeconds: 0 })
        : api.patch(PODS, key, ready(after, formatTime(clock.nowMs())), { type: "strategic", subresource: "status" });
    // It went in between.
    work.catch(() => undefined);
  });

  function bind({ metadata: { name, namespace = "", uid = "" } }: Pod): void {
    if (handled.has(uid)) return;
    handled.add(uid);
    const target = { apiVersion: "v1", kind: "Node", name: "node-0" };
    const binding = { apiVersion: "v1", kind: "Binding", metadata: { name, namespace }, target };
    api.createSubresource(PODS, { namespace, name }, "binding", binding as never).catch(() => undefined);
  }
}

const ready = ({ spec }: Pod, time: string): Readonly<Record<string, unknown>> => ({
  status: {
    phase: "Running",
    startTime: time,
    conditions: ["Initialized", "ContainersReady", "Ready"].map((type) => ({
      type,
      status: "True",
      lastTransitionTime: time,
    })),
    containerStatuses: spec.containers.map(({ name, image }) => ({
      name,
      image: image ?? "",
      imageID: "",
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: time } },
    })),
  },
});
