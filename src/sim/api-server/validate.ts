/** Validation of a custom resource against its schema, with the messages of a real API server. */

import { equalJson } from "../../api/json.ts";
import { celValue } from "./cel.ts";
import { duplicate, type FieldError, invalidValue, notSupported, quoted, required } from "./failure.ts";
import { isObject, type JsonObject } from "./json.ts";
import { ANYTHING, type Schema } from "./schema.ts";

/**
 * All errors of `value`. What was already wrong in `old` and has not changed is tolerated (KEP-4008, ratcheting).
 * @param path where the value stands in the object; "" for the object itself
 */
export function validateSchema(schema: Schema, value: unknown, old: unknown, path = ""): FieldError[] {
  const errors: FieldError[] = [];
  check(schema, value, old, path, errors);
  if (!schema.hasRulesBelow) return errors;
  if (errors.some(({ reason }) => BLOCKS_RULES.has(reason))) {
    const why =
      "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
    errors.push(invalidValue("<nil>", null, why));
  } else checkRules(schema, value, old, path, errors);
  return errors;
}

/** Rules could not rely on what the schema says where one of these was found. */
const BLOCKS_RULES: ReadonlySet<string> = new Set([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);

const MAX_ERRORS = 100;

function check(schema: Schema, value: unknown, old: unknown, path: string, errors: FieldError[]): void {
  if (schema === ANYTHING || errors.length >= MAX_ERRORS) return;
  if (old !== undefined && (value === old || equalJson(value, old))) return;
  if (value === null && schema.nullable) return;
  const before = errors.length;
  checkType(schema, value, path, errors);
  if (errors.length > before) return;
  if (schema.enumValues !== undefined && !schema.enumValues.some((item) => equalJson(item, value))) {
    errors.push(notSupported(path, value, schema.enumValues));
  }
  if (typeof value === "string") checkString(schema, value, path, errors);
  else if (typeof value === "number") checkNumber(schema, value, path, errors);
  else if (Array.isArray(value)) checkArray(schema, value, old, path, errors);
  else if (isObject(value)) checkObject(schema, value, old, path, errors);
  checkCombinations(schema, value, path, errors);
}

function checkType({ type }: Schema, value: unknown, path: string, errors: FieldError[]): void {
  const wrong = (name: string): void => {
    const shown = value === null ? '"null"' : JSON.stringify(goTypeOf(value));
    errors.push({
      reason: "FieldValueTypeInvalid",
      field: path === "" ? "<nil>" : path,
      message: `Invalid value: ${shown}: ${path} in body must be of type ${name}: ${shown}`,
    });
  };
  if (type === "any") return;
  if (type === "intOrString") {
    if (!(typeof value === "string" || Number.isInteger(value))) wrong("integer,string");
    return;
  }
  if (type === "quantity") {
    if (typeof value !== "string") wrong("string");
    return;
  }
  if (type === "object" ? !isObject(value) : type === "array" ? !Array.isArray(value) : false) {
    wrong(type);
    return;
  }
  if (type === "integer") {
    if (!Number.isInteger(value)) wrong("integer");
    return;
  }
  if ((type === "string" || type === "number" || type === "boolean") && typeof value !== type) wrong(type);
}

function goTypeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function checkString(schema: Schema, value: string, path: string, errors: FieldError[]): void {
  const isMeasured = schema.minLength !== undefined || schema.maxLength !== undefined;
  // In code points, as Go counts runes.
  const length = isMeasured ? [...value].length : 0;
  if (schema.minLength !== undefined && length < schema.minLength) {
    errors.push(invalidValue(path, value, `${path} in body should be at least ${schema.minLength} chars long`));
  }
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    errors.push({
      reason: "FieldValueTooLong",
      field: path,
      message: `Too long: may not be more than ${schema.maxLength} bytes`,
    });
  }
  if (schema.pattern !== undefined && !schema.pattern.regexp.test(value)) {
    errors.push(invalidValue(path, value, `${path} in body should match '${schema.pattern.text}'`));
  }
  if (schema.format === "date-time" && !DATE_TIME.test(value)) {
    errors.push(invalidValue(path, value, `${path} in body must be of type date-time: ${quoted(value)}`));
  }
}

const DATE_TIME = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

function checkNumber(schema: Schema, value: number, path: string, errors: FieldError[]): void {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (minimum !== undefined && (exclusiveMinimum ? value <= minimum : value < minimum)) {
    const than = exclusiveMinimum ? "greater than" : "greater than or equal to";
    errors.push(invalidValue(path, value, `${path} in body should be ${than} ${minimum}`));
  }
  if (maximum !== undefined && (exclusiveMaximum ? value >= maximum : value > maximum)) {
    const than = exclusiveMaximum ? "less than" : "less than or equal to";
    errors.push(invalidValue(path, value, `${path} in body should be ${than} ${maximum}`));
  }
  if (multipleOf !== undefined && !Number.isInteger(value / multipleOf)) {
    errors.push(invalidValue(path, value, `${path} in body should be a multiple of ${multipleOf}`));
  }
}

function checkArray(schema: Schema, value: readonly unknown[], old: unknown, path: string, errors: FieldError[]): void {
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    errors.push(invalidValue(path, value.length, `${path} in body should have at least ${schema.minItems} items`));
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    errors.push({
      reason: "FieldValueTooMany",
      field: path,
      message: `Too many: ${value.length}: must have at most ${schema.maxItems} items`,
    });
  }
  const oldItem = oldItems(schema, old);
  value.forEach((item, index) => {
    check(schema.items ?? ANYTHING, item, oldItem(item), `${path}[${index}]`, errors);
  });
  if (schema.listType === "atomic") return;
  const seen = new Set<string>();
  value.forEach((item, index) => {
    const key = schema.listType === "map" && isObject(item) ? mapKey(schema, item) : item;
    const text = JSON.stringify(key);
    if (seen.has(text)) errors.push(duplicate(`${path}[${index}]`, key));
    seen.add(text);
  });
}

function mapKey(schema: Schema, item: JsonObject): JsonObject {
  return Object.fromEntries(
    schema.listMapKeys.map((key) => [key, item[key] ?? schema.items?.properties.get(key)?.defaultValue]),
  );
}

/** Items of a list-map correspond by key; of other lists only as a whole. */
function oldItems(schema: Schema, old: unknown): (item: unknown) => unknown {
  if (schema.listType !== "map" || !Array.isArray(old)) return () => undefined;
  const byKey = new Map(old.filter(isObject).map((item) => [JSON.stringify(mapKey(schema, item)), item]));
  return (item) => (isObject(item) ? byKey.get(JSON.stringify(mapKey(schema, item))) : undefined);
}

function checkObject(schema: Schema, value: JsonObject, old: unknown, path: string, errors: FieldError[]): void {
  for (const field of schema.required) {
    if (value[field] === undefined) errors.push(required(join(path, field)));
  }
  const oldObject = isObject(old) ? old : {};
  for (const field in value) {
    const child = schema.properties.get(field) ?? schema.additional;
    if (child !== undefined && value[field] !== undefined) {
      check(child, value[field], oldObject[field], join(path, field), errors);
    }
  }
  if (schema.minProperties === undefined && schema.maxProperties === undefined) return;
  const count = Object.keys(value).length;
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    errors.push(invalidValue(path, count, `${path} in body should have at least ${schema.minProperties} properties`));
  }
  if (schema.maxProperties !== undefined && count > schema.maxProperties) {
    errors.push({
      reason: "FieldValueTooMany",
      field: path,
      message: `Too many: ${count}: must have at most ${schema.maxProperties} items`,
    });
  }
}

function checkCombinations(schema: Schema, value: unknown, path: string, errors: FieldError[]): void {
  if (!schema.isCombined) return;
  for (const part of schema.allOf) check(part, value, undefined, path, errors);
  const holds = (part: Schema): boolean => {
    const found: FieldError[] = [];
    check(part, value, undefined, path, found);
    return found.length === 0;
  };
  const shown = isObject(value) || Array.isArray(value) ? value : (value ?? null);
  if (schema.anyOf.length > 0 && !schema.anyOf.some(holds)) {
    errors.push(invalidValue(path, shown, `${quoted(path)} must validate at least one schema (anyOf)`));
  }
  if (schema.oneOf.length > 0 && schema.oneOf.filter(holds).length !== 1) {
    errors.push(invalidValue(path, shown, `${quoted(path)} must validate one and only one schema (oneOf)`));
  }
  if (schema.not !== undefined && holds(schema.not)) {
    errors.push(invalidValue(path, shown, `${quoted(path)} must not validate the schema (not)`));
  }
}

function checkRules(schema: Schema, value: unknown, old: unknown, path: string, errors: FieldError[]): void {
  if (!schema.hasRulesBelow || value === null || value === undefined) return;
  const isUnchanged = schema.rules.length > 0 && old !== undefined && equalJson(value, old);
  for (const rule of schema.rules) {
    if (rule.isTransition && old === undefined && !rule.optionalOldSelf) continue;
    if (!rule.isTransition && isUnchanged) continue;
    const context = { self: celValue(value, schema), oldSelf: old === undefined ? undefined : celValue(old, schema) };
    let holds = false;
    let why = rule.message;
    try {
      holds = rule.evaluate(context) === true;
      if (!holds && rule.messageExpression !== undefined) why = messageOf(rule.messageExpression, context, why);
    } catch (error) {
      why = `${error instanceof Error ? error.message.split("\n")[0] : error} evaluating rule: ${rule.message}`;
    }
    if (holds) continue;
    const field = rule.fieldPath === "" ? path : `${path}${rule.fieldPath}`.replace(/^\./, "");
    const at = field === "" ? "<nil>" : field;
    if (rule.reason === "FieldValueRequired") errors.push(required(at, why));
    else if (rule.reason === "FieldValueForbidden") {
      errors.push({ reason: "FieldValueForbidden", field: at, message: `Forbidden: ${why}` });
    } else if (rule.reason === "FieldValueDuplicate") errors.push(duplicate(at, value));
    else if (typeof value === "object") {
      errors.push({ reason: "FieldValueInvalid", field: at, message: `Invalid value: ${why}` });
    } else errors.push(invalidValue(at, value, why));
  }
  if (Array.isArray(value)) {
    const oldItem = oldItems(schema, old);
    value.forEach((item, index) => {
      checkRules(schema.items ?? ANYTHING, item, oldItem(item), `${path}[${index}]`, errors);
    });
  } else if (isObject(value)) {
    const oldObject = isObject(old) ? old : {};
    for (const field in value) {
      const child = schema.properties.get(field) ?? schema.additional;
      if (child?.hasRulesBelow)
        checkRules(child, value[field], oldObject[field], fieldPath(schema, path, field), errors);
    }
  }
}

function messageOf(expression: (context: object) => unknown, context: object, fallback: string): string {
  try {
    const text = expression(context);
    return typeof text === "string" && text.trim() !== "" && !text.includes("\n") ? text : fallback;
  } catch {
    // As the real server: a message that cannot be computed gives way to the fixed one.
    return fallback;
  }
}

/** Struct fields follow a dot, keys of a map stand in brackets. */
const fieldPath = (schema: Schema, path: string, field: string): string =>
  schema.properties.has(field) ? join(path, field) : `${path}[${field}]`;

const join = (path: string, field: string): string => (path === "" ? field : `${path}.${field}`);
