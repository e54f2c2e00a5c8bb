/** What the GPUs of the window were held for, in GPU-hours. */
import type { ReplicaLife } from "../record.ts";
import { clippedMs, isInside, MS_PER_HOUR, type Window } from "./window.ts";

export interface GpuTime {
  /** On nodes, from placement until the GPUs are free: Starting and Draining are paid for. */
  readonly allocatedGpuHours: number;
  /** Ready, and not told to go. */
  readonly usefulGpuHours: number;
  /** Up and computing nothing. */
  readonly idleGpuHours: number;
  /** Of replicas that were told to go before they had served enough. */
  readonly wastedStartGpuHours: number;
  readonly wastedStarts: number;
}

/** @param minServedRequests of a start that was worth it */
export function gpuTime(lives: readonly ReplicaLife[], window: Window, minServedRequests: number): GpuTime {
  let allocatedMs = 0;
  let usefulMs = 0;
  let idleMs = 0;
  let wastedMs = 0;
  let wastedStarts = 0;
  for (const life of lives) {
    const heldMs = life.gpus * clippedMs(life.placedMs, life.goneMs, window);
    const leavesMs = Number.isNaN(life.stoppedMs) ? life.goneMs : life.stoppedMs;
    allocatedMs += heldMs;
    usefulMs += life.gpus * clippedMs(life.readyMs, leavesMs, window);
    // Busy time covers the drain too, so it is taken from the whole time in which the replica was up.
    idleMs += life.gpus * Math.max(0, clippedMs(life.readyMs, life.goneMs, window) - life.busyMs);
    const started = !Number.isNaN(life.placedMs);
    if (started && isInside(life.stoppedMs, window) && life.servedRequests < minServedRequests) {
      wastedStarts++;
      wastedMs += heldMs;
    }
  }
  return {
    allocatedGpuHours: allocatedMs / MS_PER_HOUR,
    usefulGpuHours: usefulMs / MS_PER_HOUR,
    idleGpuHours: idleMs / MS_PER_HOUR,
    wastedStartGpuHours: wastedMs / MS_PER_HOUR,
    wastedStarts,
  };
}

/** Time in which more GPUs were held than the budget has. */
export function overBudgetMs(lives: readonly ReplicaLife[], gpuBudget: number, window: Window): number {
  const changes = lives
    .filter(({ placedMs }) => !Number.isNaN(placedMs))
    .flatMap(({ gpus, placedMs, goneMs }) => [
      { atMs: placedMs, gpus },
      ...(Number.isNaN(goneMs) ? [] : [{ atMs: goneMs, gpus: -gpus }]),
    ])
    .sort((a, b) => a.atMs - b.atMs);
  let held = 0;
  let overMs = 0;
  for (const [index, { atMs, gpus }] of changes.entries()) {
    held += gpus;
    if (held > gpuBudget) overMs += clippedMs(atMs, changes[index + 1]?.atMs ?? Number.NaN, window);
  }
  return overMs;
}
