/** Schedules whose windows are open at the same time and say different things about one field. The first by name is followed, which nobody should learn in the window. */
import { type CronTimes, cronStarts, cronTimes } from "../cron.ts";
import { parseDurationMs } from "../duration.ts";
import { parseTime } from "../kubernetes/time.ts";
import type { PolicySchedule, ScalingPolicySpec } from "./scaling-policy.ts";

/** Any year would do: the same schedules get the same warnings whenever they are looked at. A leap year has all dates. */
const FROM_MS = parseTime("2028-01-01T00:00:00Z");
const HORIZON_MS = 366 * 86_400_000;
/** A window a day for a month, each week of a year, each month of five; of what comes more often, the first ones show it. */
const STARTS_MAX = 60;
const WARNINGS_MAX = 8;
/**
 * Starts beyond the listed ones that are looked up for one policy, at half a millisecond each: 64 schedules would be a minute of them, in which a process
 * answers nothing else. Pairs after that go without a warning, and a decision in such a window says it.
 */
const LOOKUPS_MAX = 400;

interface Windows {
  readonly schedule: PolicySchedule;
  readonly says: readonly string[];
  readonly durationMs: number;
  readonly startsMs: readonly number[];
  /** Where a window is open around any of the starts: those and the one before, perhaps with some of the next year. */
  readonly listedMs: readonly number[];
}

export function overlapWarnings({ schedules }: ScalingPolicySpec): readonly string[] {
  if (schedules.length < 2) return [];
  const ordered = schedules.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(windowsOf);
  const warnings: string[] = [];
  const lookups = { left: LOOKUPS_MAX };
  for (const [at, first] of ordered.entries()) {
    for (const second of ordered.slice(at + 1)) {
      const both = second.says.filter((what) => first.says.includes(what));
      if (both.length === 0 || !overlap(first, second, lookups)) continue;
      if (warnings.length === WARNINGS_MAX) return warnings;
      const index = schedules.indexOf(second.schedule);
      warnings.push(
        `spec.schedules[${index}]: ${second.schedule.name} is open at the same time as ${first.schedule.name}, which is first by name and decides ${both.join(" and ")} then; move one of them, or rename`,
      );
    }
  }
  return warnings;
}

function windowsOf(schedule: PolicySchedule): Windows {
  const { bounds, gpuBudgetMax } = schedule;
  const says = Object.entries(bounds).flatMap(([target, { minReplicas, maxReplicas }]) => [
    ...(minReplicas === undefined ? [] : [`${target}.minReplicas`]),
    ...(maxReplicas === undefined ? [] : [`${target}.maxReplicas`]),
  ]);
  const nextMs = cronStarts(schedule.schedule, schedule.timeZone, FROM_MS, STARTS_MAX);
  const { lastMs } = cronTimes(schedule.schedule, schedule.timeZone, FROM_MS - 1000);
  return {
    schedule,
    says: gpuBudgetMax === undefined ? says : [...says, "gpuBudgetMax"],
    durationMs: parseDurationMs(schedule.duration) ?? 0,
    startsMs: nextMs.filter((startMs) => startMs < FROM_MS + HORIZON_MS),
    listedMs: lastMs === undefined ? nextMs : [lastMs, ...nextMs],
  };
}

/** The rarer one is followed through the year, and the other asked what it does around each of its windows. */
function overlap(a: Windows, b: Windows, lookups: { left: number }): boolean {
  const [rare, other] = a.startsMs.length <= b.startsMs.length ? [a, b] : [b, a];
  return rare.startsMs.some((startMs) => {
    const { lastMs, nextMs } = around(other, startMs, lookups);
    return (
      (lastMs !== undefined && lastMs + other.durationMs > startMs) ||
      (nextMs !== undefined && nextMs < startMs + rare.durationMs)
    );
  });
}

/** The latest start at or before a moment and the first one after it, as far as they are known. */
function around({ schedule, listedMs }: Windows, atMs: number, lookups: { left: number }): CronTimes {
  const after = listedMs.findIndex((startMs) => startMs > atMs);
  const isBeyond = after === -1 && listedMs.length >= STARTS_MAX;
  if (isBeyond) return lookups.left-- > 0 ? cronTimes(schedule.schedule, schedule.timeZone, atMs) : {};
  const lastMs = listedMs.at(after === -1 ? -1 : after - 1);
  const nextMs = listedMs[after];
  return {
    ...(lastMs === undefined || after === 0 ? {} : { lastMs }),
    ...(nextMs === undefined ? {} : { nextMs }),
  };
}
