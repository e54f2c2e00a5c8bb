/** Resource claims (DRA) shared between pods of a set, a group or a clique (grove.md 1.6). */
import { array, type Infer, literals, object, optional, string } from "../schema/builder.ts";

const COMMON = {
  name: string(),
  namespace: optional(string()),
  scope: literals(["AllReplicas", "PerReplica"]),
};

export const CLIQUE_RESOURCE_SHARING = array(object(COMMON));
export const GROUP_RESOURCE_SHARING = array(
  object({ ...COMMON, filter: optional(object({ childCliqueNames: optional(array(string())) })) }),
);
export const SET_RESOURCE_SHARING = array(
  object({
    ...COMMON,
    filter: optional(
      object({
        childCliqueNames: optional(array(string())),
        childScalingGroupNames: optional(array(string())),
      }),
    ),
  }),
);

export type SetResourceSharing = Infer<typeof SET_RESOURCE_SHARING>[number];
export type GroupResourceSharing = Infer<typeof GROUP_RESOURCE_SHARING>[number];
export type CliqueResourceSharing = Infer<typeof CLIQUE_RESOURCE_SHARING>[number];
