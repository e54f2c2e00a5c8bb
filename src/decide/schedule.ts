/**
 * Schedules: windows with a start by cron in a time zone and a duration, as Karpenter's disruption budgets have them. A window's minima act one start-up time
 * before it begins, so that the replicas are ready when it does; its maxima and its GPU budget act inside it.
 */

import { cronTimes } from "../api/cron.ts";
import type { LeadTimes } from "./forecast/lead-time.ts";
import type { SchedulePolicy } from "./policy.ts";

export interface ScheduledBounds {
  readonly min?: number;
  /** Of windows that are about to open: beside what those say that are open, and only ever upwards. */
  readonly earlyMin?: number;
  readonly max?: number;
}

/** A window that has a say now. */
export interface OpenWindow {
  readonly name: string;
  readonly isEarly: boolean;
  /** Epoch ms. */
  readonly untilMs: number;
}

export interface Scheduled {
  /** Windows that are open now, in the order of their names. */
  readonly active: readonly string[];
  /** Windows that are about to open: their minima act already. */
  readonly early: readonly string[];
  /** Both of these, in the order of their names. */
  readonly windows: readonly OpenWindow[];
  readonly bounds: ReadonlyMap<string, ScheduledBounds>;
  /** By target: the window whose maximum is followed. */
  readonly maxOwners: ReadonlyMap<string, string>;
  readonly gpuBudgetMax?: number;
  /** What two windows say about the same thing; the first by name is followed. */
  readonly overlaps: readonly { readonly kept: string; readonly ignored: string; readonly what: string }[];
  /** When the next window opens or one that is open closes, epoch ms. */
  readonly nextChangeMs?: number;
}

/** @param leads how long before its start a window's minima act: the measured start-up time of the slowest of its targets */
export function scheduledAt(
  schedules: readonly SchedulePolicy[],
  nowMs: number,
  leads: Pick<LeadTimes, "of">,
): Scheduled {
  const active: string[] = [];
  const early: string[] = [];
  const windows: OpenWindow[] = [];
  const bounds = new Map<string, ScheduledBounds>();
  const maxOwners = new Map<string, string>();
  const owners = new Map<string, string>();
  const overlaps: { kept: string; ignored: string; what: string }[] = [];
  let gpuBudgetMax: number | undefined;
  let nextChangeMs = Number.POSITIVE_INFINITY;
  /** Whether this window may say it; the first one that does owns it. */
  const claims = (what: string, name: string): boolean => {
    const owner = owners.get(what);
    if (owner === undefined) owners.set(what, name);
    else overlaps.push({ kept: owner, ignored: name, what });
    return owner === undefined;
  };
  const ordered = schedules.length < 2 ? schedules : schedules.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const { name, cron, timeZone, durationMs, bounds: own, gpuBudgetMax: gpus } of ordered) {
    const { lastMs, nextMs } = cronTimes(cron, timeZone, nowMs);
    const leadMs = Math.max(0, ...Object.keys(own).map((target) => leads.of(target)));
    const isActive = lastMs !== undefined && nowMs < lastMs + durationMs;
    const isEarly = !isActive && nextMs !== undefined && nowMs >= nextMs - leadMs;
    if (isActive) nextChangeMs = Math.min(nextChangeMs, lastMs + durationMs);
    else if (nextMs !== undefined) nextChangeMs = Math.min(nextChangeMs, isEarly ? nextMs : nextMs - leadMs);
    if (!isActive && !isEarly) continue;
    (isActive ? active : early).push(name);
    windows.push({ name, isEarly, untilMs: ((isActive ? lastMs : nextMs) ?? nowMs) + durationMs });
    for (const [target, { minReplicas, maxReplicas }] of Object.entries(own)) {
      let said = bounds.get(target) ?? {};
      if (minReplicas !== undefined && isEarly) said = { ...said, earlyMin: Math.max(said.earlyMin ?? 0, minReplicas) };
      else if (minReplicas !== undefined && claims(`${target}.minReplicas`, name)) said = { ...said, min: minReplicas };
      if (maxReplicas !== undefined && isActive && claims(`${target}.maxReplicas`, name)) {
        said = { ...said, max: maxReplicas };
        maxOwners.set(target, name);
      }
      bounds.set(target, said);
    }
    if (gpus !== undefined && isActive && claims("gpuBudgetMax", name)) gpuBudgetMax = gpus;
  }
  return {
    active,
    early,
    windows,
    bounds,
    maxOwners,
    overlaps,
    ...(gpuBudgetMax === undefined ? {} : { gpuBudgetMax }),
    ...(nextChangeMs === Number.POSITIVE_INFINITY ? {} : { nextChangeMs }),
  };
}
