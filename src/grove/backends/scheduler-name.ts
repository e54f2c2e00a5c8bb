/** The part of pod preparation that all schedulers share. */
import type { Pod } from "../../api/kubernetes/core.ts";

export const withSchedulerName = (pod: Pod, schedulerName: string): Pod => ({
  ...pod,
  spec: { ...pod.spec, schedulerName },
});
