/** What an operator is told to be: the parts of its configuration that plans depend on (grove.md 8.1). */

export type SchedulerProfileName = "default-scheduler" | "kai-scheduler" | "volcano" | "lpx-scheduler";

/** How PodGangs are named (`pod-gang/gang-names.ts`). */
export type PodGangScheme = "legacy" | "epoch";

export interface OperatorSettings {
  /** Enabled scheduler profiles; kube's own is always one of them. */
  readonly schedulerProfiles: readonly SchedulerProfileName[];
  /** Profile of cliques that name no scheduler. */
  readonly defaultSchedulerName: SchedulerProfileName;
  readonly topologyAwareScheduling: boolean;
  /** ComputeDomains for multi-node NVLink. */
  readonly autoMnnvl: boolean;
  /** Complete reference of the image that waits for parent cliques; sets with a start-up order cannot run without one. */
  readonly initContainerImage?: string;
  /** Of sets that have no PodGang yet. */
  readonly podGangNames: PodGangScheme;
}

export const DEFAULT_SETTINGS: OperatorSettings = {
  schedulerProfiles: ["default-scheduler"],
  defaultSchedulerName: "default-scheduler",
  topologyAwareScheduling: false,
  autoMnnvl: false,
  podGangNames: "legacy",
};
