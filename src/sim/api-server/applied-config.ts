/** What server-side apply checks before it merges: that a configuration has the shape its schema says. */
import { ApiError } from "../../kube/api-error.ts";
import { itemElement, pathsOf } from "./field-set.ts";
import { isObject, type StoredObject } from "./json.ts";
import type { Kind } from "./kind.ts";
import { ANYTHING, type Schema } from "./schema.ts";

/**
 * The merge needs keys and types it can rely on, so a real server refuses here, before validation, with status 500 and
 * the words of structured-merge-diff.
 */
export function checkAppliedConfig({ schema, apiVersion, resource }: Kind, config: StoredObject): void {
  const errors: string[] = [];
  check(schema, config, "", errors);
  if (errors.length === 0) return;
  const detail = errors.length === 1 ? errors[0] : `errors:\n${errors.map((error) => `  ${error}`).join("\n")}`;
  const { namespace = "", name } = config.metadata;
  const what = `${namespace}/${name}; ${apiVersion}, Kind=${resource.kind}`;
  throw new ApiError(500, "", `failed to create typed patch object (${what}): ${detail}`);
}

function check(schema: Schema, value: unknown, path: string, errors: string[]): void {
  if (schema === ANYTHING || value === null || value === undefined) return;
  const wrong = expectation(schema, value);
  if (wrong !== undefined) errors.push(`${path}: ${wrong}`);
  else if (Array.isArray(value)) checkItems(schema, value, path, errors);
  else if (isObject(value)) {
    for (const field in value) {
      check(schema.properties.get(field) ?? schema.additional ?? ANYTHING, value[field], `${path}.${field}`, errors);
    }
  }
}

function checkItems(schema: Schema, list: readonly unknown[], path: string, errors: string[]): void {
  const seen = new Set<string>();
  list.forEach((item, index) => {
    if (schema.listType === "map" && isObject(item) && itemElement(schema, item) === "k:{}") {
      const keys = schema.listMapKeys.map((key) => JSON.stringify(key)).join(" ");
      errors.push(
        `${path}: element ${index}: associative list with keys has an element that omits all key fields [${keys}] (and doesn't have default values for any key fields)`,
      );
      return;
    }
    let at = `[${index}]`;
    if (schema.listType !== "atomic") {
      const element = itemElement(schema, item);
      [at = at] = pathsOf({ here: false, children: new Map([[element, { here: true, children: new Map() }]]) });
      if (seen.has(element)) errors.push(`${path}: duplicate entries for key ${at}`);
      seen.add(element);
    }
    check(schema.items ?? ANYTHING, item, `${path}${at}`, errors);
  });
}

function expectation({ type }: Schema, value: unknown): string | undefined {
  switch (type) {
    case "object":
      return isObject(value) ? undefined : `expected map, got ${goText(value)}`;
    case "array":
      return Array.isArray(value) ? undefined : `expected list, got ${goText(value)}`;
    case "string":
      return typeof value === "string" ? undefined : `expected string, got ${goText(value)}`;
    case "boolean":
      return typeof value === "boolean" ? undefined : `expected boolean, got ${goText(value)}`;
    case "integer":
    case "number":
      return typeof value === "number" ? undefined : `expected numeric (int or float), got ${goType(value)}`;
    default:
      return undefined;
  }
}

const goType = (value: unknown): string =>
  Array.isArray(value) ? "list" : isObject(value) ? "map" : typeof value === "boolean" ? "bool" : typeof value;

/** Go's `%v` of the wrapped value. */
function goText(value: unknown): string {
  const inner = (part: unknown): string => {
    if (Array.isArray(part)) return `[${part.map(inner).join(" ")}]`;
    if (!isObject(part)) return String(part);
    return `map[${Object.keys(part)
      .sort()
      .map((field) => `${field}:${inner(part[field])}`)
      .join(" ")}]`;
  };
  return typeof value === "object" ? `&{${inner(value)}}` : `&value.valueUnstructured{Value:${inner(value)}}`;
}
