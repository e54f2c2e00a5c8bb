/** What the operator is told to be where scenarios run: as upstream's end-to-end cluster has it (grove.md 10.1). */
import type { OperatorSettings } from "../../../src/grove/settings.ts";

export const SCENARIO_SETTINGS: OperatorSettings = {
  schedulerProfiles: ["default-scheduler", "kai-scheduler"],
  defaultSchedulerName: "kai-scheduler",
  topologyAwareScheduling: true,
  autoMnnvl: false,
  initContainerImage: "registry.example/grove-initc:v1",
  podGangNames: "legacy",
};
