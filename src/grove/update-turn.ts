/** What the update of a set means for one of its replicas (grove.md 5.2, 5.3, 5.7). */
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";

/**
 * - `roll`: it is this replica's turn to be recreated;
 * - `wait`: an update rolls, and another replica's turn it is;
 * - `idle`: no update rolls; what is still found behind catches up by itself;
 * - `mark`: pods are replaced only when somebody deletes them.
 */
export type UpdateTurn = "roll" | "wait" | "idle" | "mark";

export function updateTurn({ spec, status }: PodCliqueSet, setIndex: number): UpdateTurn {
  const progress = status?.updateProgress;
  if (isOpen(progress)) {
    const current = progress.currentlyUpdating?.[0];
    return current?.replicaIndex === setIndex && current.updateEndedAt === undefined ? "roll" : "wait";
  }
  // An update that began under OnDelete ended in the same moment. A strategy that was changed since counts from the next one.
  const ended = progress?.updateEndedAt !== undefined && progress.updateStartedAt === progress.updateEndedAt;
  return ended || isOnDelete({ spec }) ? "mark" : "idle";
}

export const isOnDelete = ({ spec }: Pick<PodCliqueSet, "spec">): boolean => spec.updateStrategy?.type === "OnDelete";

/** Begun and not ended. */
export const isOpen = <T extends { readonly updateEndedAt?: string }>(
  progress: T | undefined,
): progress is T & { readonly updateEndedAt?: undefined } =>
  progress !== undefined && progress.updateEndedAt === undefined;
