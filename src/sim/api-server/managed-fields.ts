/**
 * Who set which field: server-side apply and the tracking of ordinary writes.
 *
 * Source: KEP-555 and sigs.k8s.io/structured-merge-diff (`merge.Updater`).
 */
import type { ManagedFieldsEntry } from "../../api/kubernetes/meta.ts";
import { ApiError } from "../../kube/api-error.ts";
import {
  compare,
  difference,
  EMPTY_SET,
  type FieldSet,
  fieldsOf,
  intersection,
  isEmptySet,
  isGranularList,
  itemElement,
  parseFields,
  pathsOf,
  printFields,
  sameSet,
  union,
  withinOrBelow,
} from "./field-set.ts";
import { isObject, type JsonObject, type StoredObject, withField } from "./json.ts";
import { ANYTHING, fieldSchema, type Schema } from "./schema.ts";

export interface Writer {
  readonly manager: string;
  readonly apiVersion: string;
  readonly time: string | undefined;
  readonly subresource?: string | undefined;
}

/**
 * The managedFields after an ordinary write: the writer owns what it changed, nobody owns what is gone.
 * @param structs depth of the fields that exist in every object of the kind
 */
export function trackUpdate(
  schema: Schema,
  before: StoredObject | undefined,
  after: StoredObject,
  writer: Writer,
  structs: number,
): readonly ManagedFieldsEntry[] {
  const entries = before?.metadata.managedFields ?? [];
  // Tracking starts at creation or with an apply, never in the middle of a life.
  if (before !== undefined && entries.length === 0) return entries;
  const comparison = compare(schema, before === undefined ? undefined : owned(before), owned(after), structs);
  const changed = identityFree(comparison.changed);
  const removed = comparison.removed;
  if (isEmptySet(changed) && removed.children.size === 0) return entries;
  const touched = union(changed, { here: false, children: removed.children });
  let mine: FieldSet = EMPTY_SET;
  const others: ManagedFieldsEntry[] = [];
  for (const entry of entries) {
    const set = setOf(entry);
    if (isWriter(entry, writer, "Update")) {
      mine = set;
      continue;
    }
    const rest = difference(set, withinOrBelow(set, touched));
    if (rest === set || sameSet(rest, set)) others.push(entry);
    else if (!isEmptySet(rest)) others.push({ ...entry, fieldsV1: printFields(rest) });
  }
  const gone = { here: false, children: removed.children };
  const next = union(difference(mine, withinOrBelow(mine, gone)), changed);
  return sorted(isEmptySet(next) ? others : [...others, entryOf(writer, "Update", next)]);
}

export interface Applied {
  readonly object: StoredObject;
  readonly managedFields: readonly ManagedFieldsEntry[];
}

/**
 * Server-side apply of `config` on `live` (undefined: the object is created).
 * @throws ApiError 409 with one cause per field that another manager owns with another value, unless `force`
 */
export function applyConfig(
  schema: Schema,
  live: StoredObject | undefined,
  config: StoredObject,
  writer: Writer,
  force: boolean,
): Applied {
  const entries = live?.metadata.managedFields ?? [];
  const base = live ?? ({ apiVersion: config.apiVersion, kind: config.kind, metadata: {} } as unknown as StoredObject);
  const mine = fieldsOf(schema, owned(config));
  const previous = entries.find((entry) => isWriter(entry, writer, "Apply"));
  let next = merge(schema, base, config) as StoredObject;
  if (previous !== undefined) {
    let abandoned = difference(setOf(previous), mine);
    for (const entry of entries) if (entry !== previous) abandoned = difference(abandoned, setOf(entry));
    next = removeFields(schema, next, abandoned) as StoredObject;
  }
  const { changed, removed } = compare(schema, owned(base), owned(next));
  const others: ManagedFieldsEntry[] = [];
  const conflicts: { entry: ManagedFieldsEntry; path: string }[] = [];
  for (const entry of entries) {
    if (entry === previous) continue;
    const set = setOf(entry);
    const disputed = intersection(set, { here: false, children: changed.children });
    for (const path of pathsOf(disputed)) conflicts.push({ entry, path });
    const lost = union(disputed, withinOrBelow(set, { here: false, children: removed.children }));
    const rest = difference(set, lost);
    if (isEmptySet(lost)) others.push(entry);
    else if (!isEmptySet(rest)) others.push({ ...entry, fieldsV1: printFields(rest) });
  }
  if (conflicts.length > 0 && !force) throw conflictOf(conflicts);
  const unchanged =
    previous !== undefined && sameSet(setOf(previous), mine) && isEmptySet(changed) && removed.children.size === 0;
  const entry = unchanged ? previous : entryOf(writer, "Apply", mine);
  return { object: next, managedFields: sorted(isEmptySet(mine) ? others : [...others, entry]) };
}

/** The object itself and its `metadata` exist always and belong to nobody. */
function identityFree({ children }: FieldSet): FieldSet {
  const meta = children.get("f:metadata");
  if (meta?.here !== true) return { here: false, children };
  const rest = new Map(children);
  if (meta.children.size === 0) rest.delete("f:metadata");
  else rest.set("f:metadata", { here: false, children: meta.children });
  return { here: false, children: rest };
}

/** What field ownership is about: everything but identity and what the server sets itself. */
function owned(object: StoredObject): JsonObject {
  const { apiVersion: _, kind: __, metadata, ...rest } = object;
  const {
    name: _name,
    namespace: _namespace,
    uid: _uid,
    resourceVersion: _version,
    generation: _generation,
    creationTimestamp: _created,
    deletionTimestamp: _deleted,
    deletionGracePeriodSeconds: _grace,
    managedFields: _fields,
    ...ours
  } = metadata;
  return { ...rest, ...(Object.keys(ours).length > 0 && { metadata: ours }) };
}

/** Deep merge that keeps what `config` does not mention; keyed lists merge by key, others are replaced. */
function merge(schema: Schema, base: unknown, config: unknown): unknown {
  if (isObject(config)) {
    if (!isObject(base) || schema.atomicMap) return config;
    let result = base;
    for (const field in config) {
      const value = config[field];
      if (value === undefined) continue;
      result = withField(result, field, merge(fieldSchema(schema, field), base[field], value));
    }
    return result;
  }
  if (Array.isArray(config) && Array.isArray(base) && isGranularList(schema)) return mergeList(schema, base, config);
  return config;
}

/** The applied order wins; items that only exist live keep their place relative to the applied item before them. */
function mergeList(schema: Schema, base: readonly unknown[], config: readonly unknown[]): unknown[] {
  const items = schema.items ?? ANYTHING;
  const live = new Map(base.map((item) => [itemElement(schema, item), item]));
  const wanted = new Set(config.map((item) => itemElement(schema, item)));
  const result: unknown[] = [];
  const rest = [...live];
  for (const item of config) {
    const element = itemElement(schema, item);
    const at = rest.findIndex(([other]) => other === element);
    if (at >= 0) {
      for (const [other, kept] of rest.splice(0, at + 1)) if (!wanted.has(other)) result.push(kept);
    }
    result.push(merge(items, live.get(element), item));
  }
  for (const [other, kept] of rest) if (!wanted.has(other)) result.push(kept);
  return result;
}

function removeFields(schema: Schema, value: unknown, gone: FieldSet): unknown {
  if (isEmptySet(gone)) return value;
  if (isObject(value)) {
    const result: Record<string, unknown> = { ...value };
    for (const [element, child] of gone.children) {
      const field = element.slice(2);
      if (result[field] === undefined) continue;
      const next =
        child.here && child.children.size === 0
          ? undefined
          : removeFields(fieldSchema(schema, field), result[field], child);
      // A map that loses its last field goes too: structured-merge-diff leaves null there, and null is pruned.
      if (next === undefined || (isObject(next) && Object.keys(next).length === 0)) delete result[field];
      else result[field] = next;
    }
    return result;
  }
  if (Array.isArray(value)) {
    return value.flatMap((item) => {
      const child = gone.children.get(itemElement(schema, item));
      if (child === undefined) return [item];
      return child.here ? [] : [removeFields(schema.items ?? ANYTHING, item, child)];
    });
  }
  return value;
}

function conflictOf(conflicts: readonly { entry: ManagedFieldsEntry; path: string }[]): ApiError {
  const holder = ({ entry }: { entry: ManagedFieldsEntry }): string => {
    const sub = entry.subresource === undefined ? "" : ` with subresource ${JSON.stringify(entry.subresource)}`;
    return entry.operation === "Apply"
      ? JSON.stringify(entry.manager)
      : `${JSON.stringify(entry.manager)}${sub} using ${entry.apiVersion}`;
  };
  const groups = new Map<string, string[]>();
  for (const one of conflicts) groups.set(holder(one), [...(groups.get(holder(one)) ?? []), one.path]);
  const [only] = conflicts;
  const text =
    conflicts.length === 1 && only !== undefined
      ? `Apply failed with 1 conflict: conflict with ${holder(only)}: ${only.path}`
      : `Apply failed with ${conflicts.length} conflicts: ${[...groups]
          .map(([who, paths]) => `conflicts with ${who}:\n${paths.map((path) => `- ${path}`).join("\n")}`)
          .join("\n")}`;
  return new ApiError(409, "Conflict", text, {
    causes: conflicts.map((one) => ({
      reason: "FieldManagerConflict",
      message: `conflict with ${holder(one)}`,
      field: one.path,
    })),
  });
}

const setOf = (entry: ManagedFieldsEntry): FieldSet => parseFields(entry.fieldsV1 ?? {});

function entryOf(writer: Writer, operation: "Apply" | "Update", set: FieldSet): ManagedFieldsEntry {
  return {
    manager: writer.manager,
    operation,
    apiVersion: writer.apiVersion,
    ...(writer.time !== undefined && { time: writer.time }),
    fieldsType: "FieldsV1",
    fieldsV1: printFields(set),
    ...(writer.subresource !== undefined && { subresource: writer.subresource }),
  };
}

const isWriter = (entry: ManagedFieldsEntry, writer: Writer, operation: "Apply" | "Update"): boolean =>
  entry.manager === writer.manager &&
  entry.operation === operation &&
  (entry.subresource ?? undefined) === writer.subresource &&
  (operation === "Apply" || entry.apiVersion === writer.apiVersion);

/** Applies first, then by time, as the real server prints them. */
function sorted(entries: readonly ManagedFieldsEntry[]): readonly ManagedFieldsEntry[] {
  const rank = (entry: ManagedFieldsEntry): string =>
    `${entry.operation === "Apply" ? 0 : 1}|${entry.time ?? ""}|${entry.manager}|${entry.subresource ?? ""}`;
  return entries.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1));
}
