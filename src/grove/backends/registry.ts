/** Which schedulers an operator works with. */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import type { OperatorSettings, SchedulerProfileName } from "../settings.ts";
import type { SchedulerBackend } from "./backend.ts";
import { KAI } from "./kai.ts";
import { DEFAULT_SCHEDULER, LPX } from "./plain.ts";
import { VOLCANO } from "./volcano.ts";

const BACKENDS: { readonly [Name in SchedulerProfileName]: SchedulerBackend } = {
  "default-scheduler": DEFAULT_SCHEDULER,
  "kai-scheduler": KAI,
  "lpx-scheduler": LPX,
  volcano: VOLCANO,
};

type Profiles = Pick<OperatorSettings, "schedulerProfiles" | "defaultSchedulerName">;

/** In the order of their names; kube's own scheduler is always one of them. */
export const enabledBackends = ({ schedulerProfiles }: Profiles): readonly SchedulerBackend[] =>
  Object.values(BACKENDS).filter(({ name }) => name === DEFAULT_SCHEDULER.name || schedulerProfiles.includes(name));

/** @param schedulerName as pods, cliques and PodGangs say it; none: the default profile
 * @returns undefined when no enabled profile has that name */
export function backendOf(settings: Profiles, schedulerName: string | undefined): SchedulerBackend | undefined {
  const wanted = schedulerName === undefined || schedulerName === "" ? settings.defaultSchedulerName : schedulerName;
  return enabledBackends(settings).find(({ name }) => name === wanted);
}

/** All cliques of a set use one scheduler: the first that is named, else the default profile (grove.md 3.3). */
export const schedulerNameOf = ({ spec }: PodCliqueSet, { defaultSchedulerName }: Profiles): string =>
  spec.template.cliques
    .map((clique) => clique.spec.podSpec.schedulerName)
    .find((name) => name !== undefined && name !== "") ?? defaultSchedulerName;

/** Profiles whose schedulers can be told of a topology. */
export const topologyAwareSchedulerNames = (settings: Profiles): readonly SchedulerProfileName[] =>
  enabledBackends(settings)
    .filter(({ topologyObject }) => topologyObject !== undefined)
    .map(({ name }) => name);
