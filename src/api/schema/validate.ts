/** Schema-level validation: types, required keys, bounds, enums, patterns and list uniqueness. CEL rules are the server's. */
import { parseTime } from "../kubernetes/time.ts";
import type { StructuralSchema } from "./structural-schema.ts";

/** What is wrong with one field: its path (`spec.scaleTargets[1].minReplicas`) and a sentence that says the way out. */
export interface FieldError {
  readonly field: string;
  readonly message: string;
}

export interface ValidateOptions {
  /** Report keys that the schema does not know. An API server prunes them, so a typing error would pass unseen. */
  readonly rejectUnknown?: boolean;
}

export function validateSchema(
  schema: StructuralSchema,
  value: unknown,
  path: string,
  options: ValidateOptions = {},
): readonly FieldError[] {
  const errors: FieldError[] = [];
  check(schema, value, path, options, errors);
  return errors;
}

function check(
  schema: StructuralSchema,
  value: unknown,
  path: string,
  options: ValidateOptions,
  errors: FieldError[],
): void {
  const fail = (message: string): void => {
    errors.push({ field: path, message });
  };
  const wrong = typeError(schema, value);
  if (wrong !== undefined) {
    fail(wrong);
    return;
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) {
    fail(
      `must be one of ${schema.enum.map((entry) => JSON.stringify(entry)).join(", ")}, not ${JSON.stringify(value)}`,
    );
  }
  if (typeof value === "string") checkText(schema, value, fail);
  else if (typeof value === "number") checkNumber(schema, value, fail);
  else if (Array.isArray(value)) checkList(schema, value, path, options, errors);
  else if (typeof value === "object" && value !== null) {
    checkObject(schema, value as Readonly<Record<string, unknown>>, path, options, errors);
  }
}

function typeError(schema: StructuralSchema, value: unknown): string | undefined {
  const actual = Array.isArray(value) ? "array" : value === null ? "null" : typeof value;
  if (schema["x-kubernetes-int-or-string"] === true) {
    const good = actual === "string" || (actual === "number" && Number.isInteger(value));
    return good ? undefined : `must be an integer or a string, not ${actual}`;
  }
  if (schema.type === undefined || (value === null && schema.nullable === true)) return undefined;
  if (schema.type === "integer") {
    return Number.isInteger(value) ? undefined : `must be a whole number, not ${JSON.stringify(value)}`;
  }
  return actual === schema.type ? undefined : `must be ${article(schema.type)}, not ${actual}`;
}

const article = (type: string): string => (/^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`);

/** By their text: those of the schemas alone, so there is an end to them. */
const patterns = new Map<string, RegExp>();

function compiled(pattern: string): RegExp {
  const known = patterns.get(pattern);
  if (known !== undefined) return known;
  const made = new RegExp(pattern, "u");
  patterns.set(pattern, made);
  return made;
}

function checkText(schema: StructuralSchema, value: string, fail: (message: string) => void): void {
  const { minLength, maxLength, pattern, format } = schema;
  if (minLength !== undefined && value.length < minLength) {
    fail(minLength === 1 ? "must not be empty" : `must have at least ${minLength} characters`);
  } else if (maxLength !== undefined && value.length > maxLength) {
    fail(`must have at most ${maxLength} characters, has ${value.length}`);
  } else if (pattern !== undefined && !compiled(pattern).test(value)) {
    fail(`${JSON.stringify(value)} must match ${pattern}`);
  }
  if (format === "date-time" && Number.isNaN(parseTime(value))) {
    fail(`${JSON.stringify(value)} must be a time such as 2026-01-31T18:00:00Z`);
  }
}

const INT32_MAX = 2 ** 31 - 1;

function checkNumber(schema: StructuralSchema, value: number, fail: (message: string) => void): void {
  const minimum = schema.minimum ?? (schema.format === "int32" ? -INT32_MAX - 1 : -Infinity);
  const maximum = schema.maximum ?? (schema.format === "int32" ? INT32_MAX : Infinity);
  if (value < minimum) fail(`must be at least ${minimum}, not ${value}`);
  if (value > maximum) fail(`must be at most ${maximum}, not ${value}`);
}

function checkList(
  schema: StructuralSchema,
  values: readonly unknown[],
  path: string,
  options: ValidateOptions,
  errors: FieldError[],
): void {
  const { minItems, maxItems, items } = schema;
  if (minItems !== undefined && values.length < minItems) {
    errors.push({ field: path, message: `must have at least ${minItems} ${minItems === 1 ? "entry" : "entries"}` });
  }
  if (maxItems !== undefined && values.length > maxItems) {
    errors.push({ field: path, message: `must have at most ${maxItems} entries, has ${values.length}` });
    return;
  }
  if (items !== undefined) {
    for (const [index, item] of values.entries()) check(items, item, `${path}[${index}]`, options, errors);
  }
  for (const { index, key } of duplicates(schema, values)) {
    errors.push({ field: `${path}[${index}]`, message: `repeats ${key}; every entry must differ` });
  }
}

function duplicates(
  schema: StructuralSchema,
  values: readonly unknown[],
): readonly { readonly index: number; readonly key: string }[] {
  const listType = schema["x-kubernetes-list-type"];
  if (listType !== "set" && listType !== "map") return [];
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const seen = new Set<string>();
  const found: { readonly index: number; readonly key: string }[] = [];
  for (const [index, value] of values.entries()) {
    const key =
      listType === "set"
        ? JSON.stringify(value)
        : keys.map((name) => `${name} ${JSON.stringify((value as Record<string, unknown> | null)?.[name])}`).join(", ");
    if (seen.has(key)) found.push({ index, key });
    seen.add(key);
  }
  return found;
}

function checkObject(
  schema: StructuralSchema,
  value: Readonly<Record<string, unknown>>,
  path: string,
  options: ValidateOptions,
  errors: FieldError[],
): void {
  const { properties = {}, required = [], additionalProperties } = schema;
  for (const name of required) {
    if (value[name] === undefined) errors.push({ field: join(path, name), message: "is required" });
  }
  const open = schema["x-kubernetes-preserve-unknown-fields"] === true || schema.properties === undefined;
  for (const [name, entry] of Object.entries(value)) {
    if (entry === undefined) continue;
    const property = Object.hasOwn(properties, name) ? properties[name] : additionalProperties;
    if (property !== undefined) check(property, entry, join(path, name), options, errors);
    else if (options.rejectUnknown === true && !open) {
      errors.push({ field: join(path, name), message: `is unknown; ${knownFields(properties, name)}` });
    }
  }
  const { minProperties, maxProperties } = schema;
  const count = Object.keys(value).length;
  if (minProperties !== undefined && count < minProperties) {
    errors.push({
      field: path,
      message: `must have at least ${minProperties} ${minProperties === 1 ? "entry" : "entries"}`,
    });
  }
  if (maxProperties !== undefined && count > maxProperties) {
    errors.push({ field: path, message: `must have at most ${maxProperties} entries, has ${count}` });
  }
}

const join = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

function knownFields(properties: Readonly<Record<string, unknown>>, name: string): string {
  const close = Object.keys(properties).find((known) => known.toLowerCase() === name.toLowerCase());
  return close === undefined ? `known here: ${Object.keys(properties).join(", ")}` : `did you mean ${close}?`;
}
