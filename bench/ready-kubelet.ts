/** A kubelet in miniature for benchmarks: a bound pod is running and ready at once, a terminating one is gone at once. */
import { isPodReady, isTerminating, PODS, type Pod } from "../src/api/kubernetes/core.ts";
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
}): void {
  const { api, clock } = options;
  const handled = new Set<string>();
  const pods = startInformer({ ...options, resource: PODS });
  pods.onChange(({ after }) => {
    if (after === undefined || after.spec.nodeName === undefined) return;
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
