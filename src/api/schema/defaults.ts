/** Schema-level defaulting, the way an API server does it before admission. */
import type { StructuralSchema } from "./structural-schema.ts";

/**
 * Fills in `default` wherever a key is missing, from the outside in, so that a default of `{}` pulls in the defaults
 * inside it. Returns the same object when nothing is missing.
 */
export function applyDefaults<T>(schema: StructuralSchema, value: T): T {
  return withDefaults(schema, value) as T;
}

function withDefaults(schema: StructuralSchema, value: unknown): unknown {
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined ? value : mapChanged(value, (item) => withDefaults(items, item));
  }
  if (typeof value !== "object" || value === null) return value;
  const given = value as Readonly<Record<string, unknown>>;
  // Copied with the first change, and once: most objects of a wide schema lack nearly all of it.
  let changed: Record<string, unknown> | undefined;
  const set = (key: string, next: unknown): void => {
    if (next === undefined || next === (changed ?? given)[key]) return;
    changed ??= { ...given };
    changed[key] = next;
  };
  for (const key in schema.properties) {
    const property = schema.properties[key] as StructuralSchema;
    const present = given[key] === undefined ? property.default : given[key];
    if (present !== undefined) set(key, withDefaults(property, present));
  }
  const { additionalProperties } = schema;
  if (additionalProperties !== undefined) {
    for (const [key, entry] of Object.entries(changed ?? given)) set(key, withDefaults(additionalProperties, entry));
  }
  return changed ?? given;
}

function mapChanged(values: readonly unknown[], change: (value: unknown) => unknown): readonly unknown[] {
  const changed = values.map(change);
  return changed.every((value, index) => value === values[index]) ? values : changed;
}
