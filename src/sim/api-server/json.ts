/** Plain JSON as the store keeps it. Values are shared between writers, readers and watchers: nobody changes them. */
import type { KubeObject } from "../../api/kubernetes/meta.ts";

export interface JsonObject {
  readonly [field: string]: unknown;
}

/** An object of the store: a Kubernetes object whose other fields are read by name. */
export type StoredObject = KubeObject & JsonObject;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The object with one field replaced, or left out when `value` is undefined. */
export function withField<T extends JsonObject>(object: T, field: string, value: unknown): T {
  if (object[field] === value) return object;
  const copy: Record<string, unknown> = { ...object };
  if (value === undefined) delete copy[field];
  else copy[field] = value;
  return copy as unknown as T;
}

/** Value at a path of plain field names. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  let current = value;
  for (const field of path) {
    if (!isObject(current)) return undefined;
    current = current[field];
  }
  return current;
}

/** The object with the value at a path of plain field names replaced; missing parents are created. */
export function withValueAt(object: JsonObject, path: readonly string[], value: unknown): JsonObject {
  const [field, ...rest] = path;
  if (field === undefined) return object;
  if (rest.length === 0) return withField(object, field, value);
  const child = object[field];
  return withField(object, field, withValueAt(isObject(child) ? child : {}, rest, value));
}
