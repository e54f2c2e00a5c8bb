/** The annotation that puts cliques into one multi-node NVLink domain (grove.md 8.7). */
import { isDnsLabel } from "../kubernetes/names.ts";
import type { FieldError } from "../schema/validate.ts";
import type { PodCliqueSet } from "./pod-clique-set.ts";

export const MNNVL_GROUP_ANNOTATION = "grove.io/mnnvl-group";
/** Out of the group that a level above names; always accepted. */
export const NO_MNNVL_GROUP = "none";

/** On create; later the annotation is immutable. `isEnabled` undefined: not known, only the form is checked. */
export function validateMnnvlGroups(set: PodCliqueSet, isEnabled: boolean | undefined): readonly FieldError[] {
  const { cliques, podCliqueScalingGroups = [] } = set.spec.template;
  return [
    ...check(set.metadata, "metadata", isEnabled),
    ...cliques.flatMap((clique, index) => check(clique, `spec.template.cliques[${index}]`, isEnabled)),
    ...podCliqueScalingGroups.flatMap((group, index) =>
      check(group, `spec.template.podCliqueScalingGroups[${index}]`, isEnabled),
    ),
  ];
}

function check(
  { annotations }: { readonly annotations?: Readonly<Record<string, string>> },
  path: string,
  isEnabled: boolean | undefined,
): readonly FieldError[] {
  const group = annotations?.[MNNVL_GROUP_ANNOTATION];
  if (group === undefined || group === NO_MNNVL_GROUP) return [];
  const field = `${path}.annotations[${MNNVL_GROUP_ANNOTATION}]`;
  if (!isDnsLabel(group)) {
    const message = `Invalid value: ${JSON.stringify(group)}: must be a DNS-1123 label (at most 63 of a-z, 0-9 and '-') or "${NO_MNNVL_GROUP}"`;
    return [{ field, message }];
  }
  if (isEnabled !== false) return [];
  const message = `Invalid value: ${JSON.stringify(group)}: MNNVL is not enabled in the operator; set network.autoMNNVLEnabled to true in its configuration, or remove the annotation`;
  return [{ field, message }];
}
