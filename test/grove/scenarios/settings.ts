/** What the operator is told to be where scenarios run: as upstream's end-to-end cluster has it (grove.md 10.1). */
import { DEFAULT_GROVE_ADMISSION, type GroveAdmissionOptions } from "../../../src/api/grove/admission-options.ts";
import type { OperatorSettings } from "../../../src/grove/settings.ts";

export const SCENARIO_SETTINGS: OperatorSettings = {
  schedulerProfiles: ["default-scheduler", "kai-scheduler"],
  defaultSchedulerName: "kai-scheduler",
  topologyAwareScheduling: true,
  autoMnnvl: false,
  initContainerImage: "registry.example/grove-initc:v1",
  podGangNames: "legacy",
};

/** Multi-node NVLink domains are made; the ComputeDomain CRD has to be there. */
export const MNNVL_SETTINGS: OperatorSettings = { ...SCENARIO_SETTINGS, autoMnnvl: true };

export const admissionWith = ({ autoMnnvl }: OperatorSettings): GroveAdmissionOptions => ({
  ...DEFAULT_GROVE_ADMISSION,
  autoMnnvl,
});
