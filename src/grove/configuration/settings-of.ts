/** What an OperatorConfiguration and the environment mean for the operator's plans and for admission. */
import type { GroveAdmissionOptions } from "../../api/grove/admission-options.ts";
import { topologyAwareSchedulerNames } from "../backends/registry.ts";
import type { OperatorSettings, PodGangScheme, SchedulerProfileName } from "../settings.ts";
import type { OperatorConfiguration } from "./schema.ts";

export function settingsOf(
  configuration: OperatorConfiguration,
  { initContainerImage, podGangNames }: EnvironmentSettings,
): OperatorSettings {
  const { scheduler, topologyAwareScheduling, network } = configuration;
  return {
    schedulerProfiles: scheduler.profiles.map(({ name }) => name),
    // `readOperatorConfiguration` has checked that it is one of them.
    defaultSchedulerName: scheduler.defaultProfileName as SchedulerProfileName,
    topologyAwareScheduling: topologyAwareScheduling.enabled,
    autoMnnvl: network.autoMNNVLEnabled,
    ...(initContainerImage !== undefined && { initContainerImage }),
    podGangNames,
  };
}

/** What upstream's file has no field for. */
export interface EnvironmentSettings {
  readonly initContainerImage?: string | undefined;
  readonly podGangNames: PodGangScheme;
}

/** Admission as these settings ask for it, without what has to be looked up in the cluster. */
export function admissionOptionsOf(settings: OperatorSettings): GroveAdmissionOptions {
  const { schedulerProfiles, defaultSchedulerName } = settings;
  const others = schedulerProfiles.filter((name) => name !== defaultSchedulerName);
  return {
    schedulerNames: [defaultSchedulerName, ...others],
    topologyAwareScheduling: settings.topologyAwareScheduling,
    topologyAwareSchedulerNames: topologyAwareSchedulerNames(settings),
    autoMnnvl: settings.autoMnnvl,
  };
}
