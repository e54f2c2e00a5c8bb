/** Five-field cron expressions: minute, hour, day of month, month, day of week (0 and 7 are Sunday). */

export interface CronSchedule {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly daysOfMonth: ReadonlySet<number>;
  /** 1 to 12. */
  readonly months: ReadonlySet<number>;
  /** 0 (Sunday) to 6. */
  readonly daysOfWeek: ReadonlySet<number>;
  /** As in Vixie cron: when both day fields are restricted, one match is enough. */
  readonly eitherDay: boolean;
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/** @returns undefined when the text is not such an expression */
export function parseCron(text: string): CronSchedule | undefined {
  const fields = text.trim().split(/\s+/u);
  if (fields.length !== 5) return undefined;
  const [minute, hour, dayOfMonth, month, dayOfWeek] = fields as [string, string, string, string, string];
  const minutes = parseField(minute, 0, 59);
  const hours = parseField(hour, 0, 23);
  const daysOfMonth = parseField(dayOfMonth, 1, 31);
  const months = parseField(month, 1, 12, MONTHS);
  const weekdays = parseField(dayOfWeek, 0, 7, DAYS);
  if (!minutes || !hours || !daysOfMonth || !months || !weekdays) return undefined;
  return {
    minutes,
    hours,
    daysOfMonth,
    months,
    daysOfWeek: new Set([...weekdays].map((day) => day % 7)),
    eitherDay: !dayOfMonth.startsWith("*") && !dayOfWeek.startsWith("*"),
  };
}

function parseField(
  text: string,
  first: number,
  last: number,
  names: readonly string[] = [],
): ReadonlySet<number> | undefined {
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(?:(\*)|(\w+)(?:-(\w+))?)(?:\/(\d+))?$/u.exec(part);
    if (match === null) return undefined;
    const [, star, from, to, step] = match;
    const start = star === undefined ? parseValue(from!, first, names) : first;
    const end =
      star !== undefined || (to === undefined && step !== undefined) ? last : parseValue(to ?? from!, first, names);
    const by = Number(step ?? 1);
    if (start === undefined || end === undefined || by < 1) return undefined;
    if (start < first || end > last || start > end) return undefined;
    for (let value = start; value <= end; value += by) values.add(value);
  }
  return values;
}

function parseValue(text: string, first: number, names: readonly string[]): number | undefined {
  const name = names.indexOf(text.toLowerCase());
  if (name !== -1) return name + first;
  return /^\d{1,2}$/u.test(text) ? Number(text) : undefined;
}
