/** Pruning and defaulting: brings what a client sent into the form that is stored. Unchanged parts stay the same objects. */
import { isObject, type JsonObject } from "./json.ts";
import { ANYTHING, type Schema } from "./schema.ts";

export interface Normalized {
  readonly value: unknown;
  /** Paths of the fields that the schema does not know, as `spec.foo`. */
  readonly unknownFields: readonly string[];
}

/** Drops unknown and undefined fields and fills in defaults. */
export function normalize(schema: Schema, value: unknown, { known, dropNulls, defaults = true }: Options): Normalized {
  const unknownFields: string[] = [];
  return { value: walk(schema, value, known, "", { unknownFields, dropNulls, defaults }), unknownFields };
}

export interface Options {
  /** A value already in normal form: subtrees that are the same object are taken as they are. */
  readonly known?: unknown;
  /** Built-in kinds read every `null` as absent, custom resources where it is not nullable. */
  readonly dropNulls: boolean;
  /** Whether defaults are filled in; an applied configuration stays as it was written. */
  readonly defaults?: boolean;
}

interface Pass {
  readonly unknownFields: string[];
  readonly dropNulls: boolean;
  readonly defaults: boolean;
}

function walk(schema: Schema, value: unknown, known: unknown, path: string, pass: Pass): unknown {
  if (value === known && value !== undefined) return value;
  if (Array.isArray(value)) return walkArray(schema, value, known, path, pass);
  if (!isObject(value)) return schema.type === "quantity" && typeof value === "number" ? String(value) : value;
  if (schema === ANYTHING) return withoutUndefined(value);
  return walkObject(schema, value, isObject(known) ? known : {}, path, pass);
}

function walkArray(schema: Schema, value: readonly unknown[], known: unknown, path: string, pass: Pass): unknown {
  const items = schema.items ?? ANYTHING;
  const knownItems = Array.isArray(known) ? known : [];
  let result: unknown[] | undefined;
  for (let index = 0; index < value.length; index++) {
    const item = value[index];
    const next = walk(items, item, knownItems[index], `${path}[${index}]`, pass);
    if (next !== item && result === undefined) result = value.slice(0, index);
    result?.push(next);
  }
  return result ?? value;
}

function walkObject(schema: Schema, value: JsonObject, known: JsonObject, path: string, pass: Pass): JsonObject {
  let result: Record<string, unknown> | undefined;
  const change = (): Record<string, unknown> => {
    result ??= { ...value };
    return result;
  };
  for (const field in value) {
    const child = value[field];
    if (child === undefined) {
      delete change()[field];
      continue;
    }
    const property = schema.properties.get(field) ?? schema.additional;
    if (property === undefined) {
      if (schema.embedded && (field === "apiVersion" || field === "kind" || field === "metadata")) continue;
      if (schema.preserveUnknown || schema.type === "any") {
        const next = withoutUndefined(child);
        if (next !== child) change()[field] = next;
        continue;
      }
      pass.unknownFields.push(path === "" ? field : `${path}.${field}`);
      delete change()[field];
      continue;
    }
    if (child === null) {
      if (pass.dropNulls || !property.nullable) delete change()[field];
      continue;
    }
    const next = walk(property, child, known[field], path === "" ? field : `${path}.${field}`, pass);
    if (next !== child) change()[field] = next;
  }
  if (!pass.defaults) return result ?? value;
  for (const field of schema.defaulted) {
    const present = (result ?? value)[field];
    if (present !== undefined) continue;
    const property = schema.properties.get(field)!;
    change()[field] = walk(property, property.defaultValue, undefined, "", { ...pass, unknownFields: [] });
  }
  return result ?? value;
}

function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) {
    const next = value.map(withoutUndefined);
    return next.some((item, index) => item !== value[index]) ? next : value;
  }
  if (!isObject(value)) return value;
  let result: Record<string, unknown> | undefined;
  for (const field in value) {
    const child = value[field];
    const next = withoutUndefined(child);
    if (next === child && child !== undefined) continue;
    result ??= { ...value };
    if (next === undefined) delete result[field];
    else result[field] = next;
  }
  return result ?? value;
}
