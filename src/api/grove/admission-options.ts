import type { FieldError } from "../schema/validate.ts";
import type { PodCliqueSet } from "./pod-clique-set.ts";

/** What the operator runs with; admission depends on it. */
export interface GroveAdmissionOptions {
  /** Enabled scheduler profiles; the first one is used where a clique names none. */
  readonly schedulerNames: readonly string[];
  /** Topology-aware scheduling; constraints are refused on create without it. */
  readonly topologyAwareScheduling: boolean;
  /** Levels by ClusterTopologyBinding name, broad to narrow. Undefined: not known here, existence is not checked. */
  readonly topologyLevels?: ReadonlyMap<string, readonly string[]>;
  /** Scheduler profiles that understand topology constraints. */
  readonly topologyAwareSchedulerNames: readonly string[];
  /** Whether ComputeDomains are made. Undefined: not known here, only the form of the annotations is checked. */
  readonly autoMnnvl?: boolean;
  /** What the scheduler backend of the set has against it (grove.md 3.7), on create and on update. */
  readonly backendValidation?: (set: PodCliqueSet, old?: PodCliqueSet) => readonly FieldError[];
}

export const DEFAULT_GROVE_ADMISSION: GroveAdmissionOptions = {
  schedulerNames: ["default-scheduler", "kai-scheduler", "volcano", "lpx-scheduler"],
  topologyAwareScheduling: true,
  topologyAwareSchedulerNames: ["kai-scheduler"],
};
