/** Schedulers that need nothing but their name in the pods: kube's own, and LPX. */
import type { SchedulerBackend } from "./backend.ts";
import { withSchedulerName } from "./scheduler-name.ts";
import { refuseTopologyConstraints } from "./topology-refusal.ts";

export const DEFAULT_SCHEDULER: SchedulerBackend = {
  name: "default-scheduler",
  preparePod: (pod) => withSchedulerName(pod, DEFAULT_SCHEDULER.name),
  gangAnnotations: () => ({}),
  validate: () => [],
};

export const LPX: SchedulerBackend = {
  name: "lpx-scheduler",
  preparePod: (pod) => withSchedulerName(pod, LPX.name),
  gangAnnotations: () => ({}),
  validate: (set) => refuseTopologyConstraints(set, LPX.name),
};
