/** Plain JSON as the store keeps it. Values are shared between writers, readers and watchers: nobody changes them. */
import type { KubeObject } from "../../api/kubernetes/meta.ts";

export interface JsonObject {
  readonly [field: string]: unknown;
}

/** An object of the store: a Kubernetes object whose other fields are read by name. */
export type StoredObject = KubeObject & JsonObject;

export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Structural equality of JSON values; a field that is `undefined` counts as absent. */
export function sameJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let index = 0; index < a.length; index++) if (!sameJson(a[index], b[index])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  const left = a as JsonObject;
  const right = b as JsonObject;
  let fields = 0;
  for (const field in left) {
    if (left[field] === undefined) continue;
    fields++;
    if (!sameJson(left[field], right[field])) return false;
  }
  for (const field in right) if (right[field] !== undefined) fields--;
  return fields === 0;
}

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
