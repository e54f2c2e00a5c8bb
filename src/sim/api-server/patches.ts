/** JSON patch (RFC 6902), merge patch (RFC 7386) and Kubernetes' strategic merge patch. Pure: the target is not changed. */

import { equalJson } from "../../api/json.ts";
import { ApiError } from "../../kube/api-error.ts";
import { badRequest } from "./failure.ts";
import { isObject, type JsonObject } from "./json.ts";
import { ANYTHING, fieldSchema, type Schema } from "./schema.ts";

/** Bound of a real server: 10,000 operations. */
const MAX_OPERATIONS = 10_000;

/** @throws ApiError 422 when an operation does not fit the target, 400 when the patch itself is malformed */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest("a JSON patch is an array of operations");
  if (patch.length > MAX_OPERATIONS)
    throw new ApiError(413, "RequestEntityTooLarge", "The allowed maximum operations in a JSON patch is 10000");
  return patch.reduce((value: unknown, operation: unknown) => applyOperation(value, operation), target);
}

export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const field in patch) {
    const value = patch[field];
    if (value === undefined) continue;
    if (value === null) delete result[field];
    else result[field] = mergePatch(result[field], value);
  }
  return result;
}

export function strategicMergePatch(schema: Schema, target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  if (patch["$patch"] === "delete") return undefined;
  if (patch["$patch"] === "replace") return stripDirectives(patch);
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
  const retained = patch["$retainKeys"];
  if (Array.isArray(retained)) for (const field in result) if (!retained.includes(field)) delete result[field];
  for (const field in patch) {
    const value = patch[field];
    if (field.startsWith("$deleteFromPrimitiveList/")) {
      const list = field.slice(field.indexOf("/") + 1);
      const gone = Array.isArray(value) ? value : [];
      if (Array.isArray(result[list])) result[list] = result[list].filter((item) => !gone.includes(item));
      continue;
    }
    if (field.startsWith("$") || value === undefined) continue;
    if (value === null) {
      delete result[field];
      continue;
    }
    const next = mergeValue(fieldSchema(schema, field), result[field], value);
    if (next === undefined) delete result[field];
    else result[field] = next;
  }
  return result;
}

function mergeValue(schema: Schema, current: unknown, value: unknown): unknown {
  if (Array.isArray(value)) return mergeList(schema, current, value);
  return isObject(value) ? strategicMergePatch(schema, current, value) : value;
}

function mergeList(schema: Schema, current: unknown, patch: readonly unknown[]): unknown {
  const items = schema.items ?? ANYTHING;
  const replaces = patch.some(
    (item) => isObject(item) && item["$patch"] === "replace" && Object.keys(item).length === 1,
  );
  const key = schema.patchMergeKey;
  if (!schema.patchMerges || replaces) {
    return patch.filter((item) => !(isObject(item) && item["$patch"] !== undefined)).map(stripDirectives);
  }
  const result: unknown[] = Array.isArray(current) ? [...current] : [];
  for (const item of patch) {
    if (key === undefined || !isObject(item)) {
      if (!result.includes(item)) result.push(item);
      continue;
    }
    if (item[key] === undefined) {
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${key}`);
    }
    const at = result.findIndex((other) => isObject(other) && equalJson(other[key], item[key]));
    if (item["$patch"] === "delete") {
      if (at >= 0) result.splice(at, 1);
    } else if (at >= 0) result[at] = strategicMergePatch(items, result[at], item);
    else result.push(stripDirectives(item));
  }
  return result;
}

function stripDirectives(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(stripDirectives);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([field, child]) => !field.startsWith("$") && child !== null && child !== undefined)
      .map(([field, child]) => [field, stripDirectives(child)]),
  );
}

function applyOperation(target: unknown, operation: unknown): unknown {
  if (!isObject(operation) || typeof operation["path"] !== "string") {
    throw badRequest("every operation of a JSON patch needs op and path");
  }
  const path = pointer(operation["path"]);
  switch (operation["op"]) {
    case "add":
      return write(target, path, operation["value"], "add", operation["path"]);
    case "replace":
      read(target, path, operation["path"]);
      return write(target, path, operation["value"], "replace", operation["path"]);
    case "remove":
      return write(target, path, undefined, "remove", operation["path"]);
    case "test":
      if (!equalJson(find(target, path), operation["value"])) throw failed(`testing value ${operation["path"]} failed`);
      return target;
    case "copy":
    case "move": {
      const from = String(operation["from"]);
      const value = read(target, pointer(from), from);
      const source = operation["op"] === "move" ? write(target, pointer(from), undefined, "remove", from) : target;
      return write(source, path, value, "add", operation["path"]);
    }
    default:
      throw badRequest(`Unexpected kind: ${String(operation["op"])}`);
  }
}

const failed = (why: string): ApiError =>
  new ApiError(422, "Invalid", `the server rejected our request due to an error in our request: ${why}`);

const pointer = (text: string): string[] =>
  text === ""
    ? []
    : text
        .slice(1)
        .split("/")
        .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));

function find(target: unknown, path: readonly string[]): unknown {
  let value = target;
  for (const part of path) {
    value = Array.isArray(value) ? value[Number(part)] : isObject(value) ? value[part] : undefined;
  }
  return value;
}

function read(target: unknown, path: readonly string[], text: string): unknown {
  const value = find(target, path);
  if (value === undefined) throw failed(`missing path: ${text}`);
  return value;
}

type Write = "add" | "replace" | "remove";

function write(target: unknown, path: readonly string[], value: unknown, how: Write, text: string): unknown {
  const [part, ...rest] = path;
  if (part === undefined) return value;
  if (Array.isArray(target)) {
    const index = part === "-" ? target.length : Number(part);
    if (!Number.isInteger(index) || index < 0 || index > target.length || (how !== "add" && index === target.length)) {
      throw failed(`index out of bounds: ${text}`);
    }
    const copy = [...target];
    if (rest.length > 0) copy[index] = write(target[index], rest, value, how, text);
    else if (how === "add") copy.splice(index, 0, value);
    else if (how === "remove") copy.splice(index, 1);
    else copy[index] = value;
    return copy;
  }
  if (!isObject(target)) throw failed(`missing path: ${text}`);
  if (rest.length === 0) {
    if (how === "remove") {
      if (target[part] === undefined) throw failed(`missing path: ${text}`);
      const copy: Record<string, unknown> = { ...target };
      delete copy[part];
      return copy;
    }
    return { ...target, [part]: value } satisfies JsonObject;
  }
  if (target[part] === undefined) throw failed(`missing path: ${text}`);
  return { ...target, [part]: write(target[part], rest, value, how, text) };
}
