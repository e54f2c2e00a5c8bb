/**
 * What is about to be written, in the checkpoint before it is: a process that dies in between leaves a note of it, and the next one knows which changes
 * were its own and counts them against rate limits and the flap budget.
 */
import { type Memory, recordWrites } from "./memory.ts";
import type { Observation } from "./observation.ts";
import type { Policy } from "./policy.ts";
import type { ScaleWrite } from "./transition.ts";

export interface Intent {
  /** Of the decision. */
  readonly id: string;
  /** Monotonic ms. */
  readonly atMs: number;
  readonly writes: readonly ScaleWrite[];
}

export const withIntent = (memory: Memory, intent: Intent): Memory => ({ ...memory, intent });

/**
 * The memory after a restart, with the intended writes that are found done counted as done when they were meant. One that is not found was not made, or
 * somebody has written since; nothing is written again, the next decision is made from what there is.
 */
export function settleIntent(memory: Memory, policy: Policy, observation: Observation): Memory {
  const { intent, ...settled } = memory;
  if (intent === undefined) return memory;
  const done = intent.writes.filter((write) => replicasOf(write, policy, observation) === write.to);
  return recordWrites(settled, policy, done, Math.min(intent.atMs, observation.monotonicMs));
}

function replicasOf(
  { level, target, setIndex }: ScaleWrite,
  { targets }: Policy,
  { set, targets: seen }: Observation,
): number | undefined {
  if (level === "PodCliqueSet") return set.replicas;
  const index = targets.findIndex(({ name }) => name === target);
  return seen[index]?.objects.find((object) => object.setIndex === setIndex)?.replicas;
}
