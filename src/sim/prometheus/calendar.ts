/** PromQL's calendar functions: seconds since the epoch to fields of the Gregorian date in UTC. */
import { NO_LABELS } from "./labels.ts";
import type { VectorFunction } from "./vector-functions.ts";

interface CivilDate {
  readonly year: number;
  /** 1..12 */
  readonly month: number;
  /** 1..31 */
  readonly day: number;
}

const calendar =
  (field: (seconds: number) => number): VectorFunction =>
  ([vector], { evaluationMs }) => {
    if (vector === undefined) return [{ labels: NO_LABELS, value: field(Math.floor(evaluationMs / 1000)) }];
    const elements = vector.kind === "vector" ? vector.elements : [];
    return elements.map(({ labels, value }) => ({ labels: labels.nameless, value: field(Math.trunc(value)) }));
  };

const dayOf = (seconds: number): number => Math.floor(seconds / 86_400);
const civil = (seconds: number): CivilDate => civilFromDays(dayOf(seconds));
const positiveModulo = (a: number, b: number): number => ((a % b) + b) % b;

export const CALENDAR_FUNCTIONS: Readonly<Record<string, VectorFunction>> = {
  minute: calendar((seconds) => Math.floor(positiveModulo(seconds, 3_600) / 60)),
  hour: calendar((seconds) => Math.floor(positiveModulo(seconds, 86_400) / 3_600)),
  // 1970-01-01 was a Thursday, which is 4.
  day_of_week: calendar((seconds) => positiveModulo(dayOf(seconds) + 4, 7)),
  day_of_month: calendar((seconds) => civil(seconds).day),
  day_of_year: calendar(
    (seconds) => dayOf(seconds) - daysFromCivil({ year: civil(seconds).year, month: 1, day: 1 }) + 1,
  ),
  days_in_month: calendar((seconds) => {
    const { year, month } = civil(seconds);
    const next = month === 12 ? { year: year + 1, month: 1, day: 1 } : { year, month: month + 1, day: 1 };
    return daysFromCivil(next) - daysFromCivil({ year, month, day: 1 });
  }),
  month: calendar((seconds) => civil(seconds).month),
  year: calendar((seconds) => civil(seconds).year),
};

/** H. Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days. */
function civilFromDays(days: number): CivilDate {
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1_460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1;
  return { year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day };
}

/** The inverse, from the same source. */
function daysFromCivil({ year, month, day }: CivilDate): number {
  const shiftedYear = month <= 2 ? year - 1 : year;
  const era = Math.floor(shiftedYear / 400);
  const yearOfEra = shiftedYear - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}
