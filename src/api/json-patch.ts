/** RFC 6902: the operations that turn one JSON document into another. */
import { equalJson } from "./json.ts";

export type PatchOperation =
  | { readonly op: "add" | "replace"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** As deep as objects and lists of the same length go together; below that the whole value is replaced. Keys with `undefined` count as absent. */
export function diffJson(before: unknown, after: unknown, path = ""): readonly PatchOperation[] {
  if (equalJson(before, after)) return [];
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return before.flatMap((entry, index) => diffJson(entry, after[index], `${path}/${index}`));
  }
  if (!isObject(before) || !isObject(after)) return [{ op: "replace", path, value: after }];
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key): readonly PatchOperation[] => {
    const at = `${path}/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (after[key] === undefined) return before[key] === undefined ? [] : [{ op: "remove", path: at }];
    if (before[key] === undefined) return [{ op: "add", path: at, value: after[key] }];
    return diffJson(before[key], after[key], at);
  });
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
