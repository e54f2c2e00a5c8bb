/** Pods as their scheduler wants them. */
import type { Pod } from "../../api/kubernetes/core.ts";
import type { OperatorSettings } from "../settings.ts";
import { backendOf } from "./registry.ts";

/** The name of a scheduler that is not enabled stays as the user wrote it: admission has already said no to new ones. */
export const preparePod = (pod: Pod, settings: OperatorSettings): Pod =>
  backendOf(settings, pod.spec.schedulerName)?.preparePod(pod) ?? pod;
