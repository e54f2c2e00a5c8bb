/** RFC 7386: the smallest merge patch from one JSON object to another. */
import { equalJson } from "../api/json.ts";

type JsonObject = Readonly<Record<string, unknown>>;

/** @returns undefined when nothing differs */
export function mergePatch(before: object | undefined, after: object): JsonObject | undefined {
  const old = (before ?? {}) as JsonObject;
  const now = after as JsonObject;
  const patch: Record<string, unknown> = {};
  for (const key of new Set([...Object.keys(old), ...Object.keys(now)])) {
    const was = old[key];
    const is = now[key];
    if (equalJson(was, is)) continue;
    if (is === undefined) patch[key] = null;
    else patch[key] = isObject(was) && isObject(is) ? mergePatch(was, is) : is;
  }
  return Object.keys(patch).length === 0 ? undefined : patch;
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
