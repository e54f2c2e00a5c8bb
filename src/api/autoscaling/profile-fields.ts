/** Reads fields of a performance profile; what is wrong is thrown with the name of its field. */

export class ProfileError extends Error {
  readonly field: string;
  constructor(field: string, message: string) {
    super(message);
    this.field = field;
  }
}

/** Tables of the real profiles have up to 120 points. */
const MAX_POINTS = 2_000;

/** A table: a list of rows, cut to their first columns, every number above 0. */
export function rows(raw: unknown, field: string, columns: number): readonly (readonly number[])[] {
  const list = at(raw, field);
  if (!Array.isArray(list) || list.length === 0) throw new ProfileError(field, "must be a list of points");
  if (list.length > MAX_POINTS) throw new ProfileError(field, `has ${list.length} points: at most ${MAX_POINTS}`);
  return list.map((row: unknown, index) => {
    const numbers = Array.isArray(row) ? (row as unknown[]).slice(0, columns) : [];
    if (numbers.length < columns || !numbers.every(isPositive)) {
      throw new ProfileError(`${field}[${index}]`, `must be ${columns} numbers above 0`);
    }
    return numbers;
  });
}

/** A plain number, or `{value, unit, source}` as the profiles write what has a source. */
export function number(
  raw: unknown,
  field: string,
  { min, fallback }: { readonly min: number; readonly fallback?: number },
): number {
  const found = at(raw, field);
  if (found === undefined && fallback !== undefined) return fallback;
  const value = typeof found === "object" && found !== null ? at(found, "value") : found;
  if (typeof value !== "number" || !Number.isFinite(value) || value < min) {
    throw new ProfileError(field, `must be a number, ${min} or more`);
  }
  return value;
}

/** By a path of keys with dots; undefined where there is none. */
export function at(raw: unknown, path: string): unknown {
  let value = raw;
  for (const key of path.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[key];
  }
  return value;
}

const isPositive = (value: unknown): value is number =>
  typeof value === "number" && Number.isFinite(value) && value > 0;
