/** Schedules whose windows are open at the same time and say different things about one field. The first by name is followed, which nobody should learn in the window. */
import { cronStarts, cronTimes } from "../cron.ts";
import { parseDurationMs } from "../duration.ts";
import { parseTime } from "../kubernetes/time.ts";
import type { PolicySchedule, ScalingPolicySpec } from "./scaling-policy.ts";

/** Any year would do: the same schedules get the same warnings whenever they are looked at. A leap year has all dates. */
const FROM_MS = parseTime("2028-01-01T00:00:00Z");
const HORIZON_MS = 366 * 86_400_000;
/** A window a day for a month, each week of a year, each month of five; of what comes more often, the first ones show it. */
const STARTS_MAX = 60;
const WARNINGS_MAX = 8;

interface Windows {
  readonly schedule: PolicySchedule;
  readonly says: readonly string[];
  readonly durationMs: number;
  readonly startsMs: readonly number[];
}

export function overlapWarnings({ schedules }: ScalingPolicySpec): readonly string[] {
  if (schedules.length < 2) return [];
  const ordered = schedules.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map(windowsOf);
  const warnings: string[] = [];
  for (const [at, first] of ordered.entries()) {
    for (const second of ordered.slice(at + 1)) {
      const both = second.says.filter((what) => first.says.includes(what));
      if (both.length === 0 || !overlap(first, second)) continue;
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
  const startsMs = cronStarts(schedule.schedule, schedule.timeZone, FROM_MS, STARTS_MAX).filter(
    (startMs) => startMs < FROM_MS + HORIZON_MS,
  );
  return {
    schedule,
    says: gpuBudgetMax === undefined ? says : [...says, "gpuBudgetMax"],
    durationMs: parseDurationMs(schedule.duration) ?? 0,
    startsMs,
  };
}

/** The rarer one is followed through the year, and the other asked what it does around each of its windows. */
function overlap(a: Windows, b: Windows): boolean {
  const [rare, other] = a.startsMs.length <= b.startsMs.length ? [a, b] : [b, a];
  const { schedule, timeZone } = other.schedule;
  return rare.startsMs.some((startMs) => {
    const { lastMs, nextMs } = cronTimes(schedule, timeZone, startMs);
    return (
      (lastMs !== undefined && lastMs + other.durationMs > startMs) ||
      (nextMs !== undefined && nextMs < startMs + rare.durationMs)
    );
  });
}
