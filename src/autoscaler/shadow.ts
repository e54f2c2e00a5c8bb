/** Policies in Shadow: they have no rivals, they write nothing, and what the active policy writes happens to them as well. */
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { Observation } from "../decide/observation.ts";
import type { Policy } from "../decide/policy.ts";
import type { ScaleWrite } from "../decide/transition.ts";

export const isShadow = ({ spec }: Pick<ScalingPolicy, "spec">): boolean => spec.mode === "Shadow";

/** Targets of one policy by the name that the other gives to the same part of the same level. */
export function counterpartsOf(shadow: ScalingPolicy, active: ScalingPolicy): ReadonlyMap<string, string> {
  const partOf = ({ level, ref }: { readonly level: string; readonly ref?: string }): string => `${level}/${ref ?? ""}`;
  const names = new Map(active.spec.scaleTargets.map((target) => [partOf(target), target.name]));
  return new Map(
    shadow.spec.scaleTargets.flatMap((target) => {
      const name = names.get(partOf(target));
      return name === undefined ? [] : [[target.name, name] as const];
    }),
  );
}

/** Replicas by target and object, to see what changed until the next look: by place of the target, as a clique and a group may have one name. */
export type SeenReplicas = ReadonlyMap<string, number>;

export function replicasOf({ set, targets }: Observation): SeenReplicas {
  const seen = new Map<string, number>([[`set/${set.objectName}`, set.replicas]]);
  for (const [index, { objects }] of targets.entries()) {
    for (const { objectName, replicas } of objects) seen.set(`${index}/${objectName}`, replicas);
  }
  return seen;
}

/** What somebody else wrote since the last look, as if it had been a write of this policy: its rate limits count what happened. */
export function writesSeen(policy: Policy, observation: Observation, before: SeenReplicas): readonly ScaleWrite[] {
  const writes: ScaleWrite[] = [];
  const note = (was: number | undefined, write: Omit<ScaleWrite, "from">): void => {
    if (was !== undefined && was !== write.to) writes.push({ ...write, from: was });
  };
  const { set } = observation;
  const { objectName, resourceVersion } = set;
  const whole = { objectName, resourceVersion, gpusPerReplica: 0 };
  note(before.get(`set/${objectName}`), {
    ...whole,
    target: policy.set?.name ?? "sets",
    level: "PodCliqueSet",
    to: set.replicas,
  });
  policy.targets.forEach(({ name, level }, index) => {
    if (level === "PodCliqueSet") return;
    for (const object of observation.targets[index]?.objects ?? []) {
      note(before.get(`${index}/${object.objectName}`), {
        target: name,
        level,
        objectName: object.objectName,
        resourceVersion: object.resourceVersion,
        setIndex: object.setIndex,
        to: object.replicas,
        gpusPerReplica: 0,
      });
    }
  });
  return writes;
}
