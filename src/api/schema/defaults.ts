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
  let result = value as Readonly<Record<string, unknown>>;
  const set = (key: string, next: unknown): void => {
    if (next !== undefined && next !== result[key]) result = { ...result, [key]: next };
  };
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    set(key, withDefaults(property, result[key] === undefined ? property.default : result[key]));
  }
  const { additionalProperties } = schema;
  if (additionalProperties !== undefined) {
    for (const [key, entry] of Object.entries(result)) set(key, withDefaults(additionalProperties, entry));
  }
  return result;
}

function mapChanged(values: readonly unknown[], change: (value: unknown) => unknown): readonly unknown[] {
  const changed = values.map(change);
  return changed.every((value, index) => value === values[index]) ? values : changed;
}
