/** Pure: which replicas of a scaling group have been broken for so long that they start over (grove.md 6.2). */
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import { cliqueBreachMs, groupBreachMs } from "../breach.ts";
import type { GroupReplica } from "./replicas.ts";

export interface GroupTermination {
  readonly replicas: readonly GroupReplica[];
  /** Until the next replica is due. */
  readonly lookAgainMs?: number;
}

export function brokenReplicas(
  group: PodCliqueScalingGroup,
  replicas: readonly GroupReplica[],
  { delayMs, nowMs }: { readonly delayMs: number; readonly nowMs: number },
): GroupTermination {
  const breached = replicas.flatMap((replica) => {
    const times = replica.members.flatMap((clique) => cliqueBreachMs(clique, delayMs, nowMs) ?? []);
    return times.length === 0 ? [] : [{ replica, remainingMs: Math.min(...times) }];
  });
  // A loss that takes the group below its minimum is the set's, also when replicas that never came up have a part in it: what one of them frees must not
  // decide by the order of two timers whether the others start over.
  const isOfSet = groupBreachMs(group, delayMs, nowMs) !== undefined;
  const lost = isOfSet ? replicas.filter(({ inBreach }) => inBreach).length : breached.length;
  // Fewer than minAvailable would be left: the whole instance is broken, and the set sees to it.
  if (group.spec.replicas - lost < group.spec.minAvailable) return { replicas: [] };
  const waiting = breached.filter(({ remainingMs }) => remainingMs > 0);
  return {
    replicas: breached.filter(({ remainingMs }) => remainingMs <= 0).map(({ replica }) => replica),
    ...(waiting.length > 0 && { lookAgainMs: Math.min(...waiting.map(({ remainingMs }) => remainingMs)) }),
  };
}
