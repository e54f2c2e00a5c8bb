/** Sets of field paths in the form of managedFields' FieldsV1, and what two objects differ in. */
import { equalJson } from "../../api/json.ts";
import { isObject, type JsonObject } from "./json.ts";
import { ANYTHING, fieldSchema, type Schema } from "./schema.ts";

/**
 * A node of the path tree. `here` says whether the path itself is in the set; children are keyed by path element:
 * `f:name`, `k:{"name":"x"}`, `v:"x"`.
 */
export interface FieldSet {
  readonly here: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

const NO_CHILDREN: ReadonlyMap<string, FieldSet> = new Map();
export const EMPTY_SET: FieldSet = { here: false, children: NO_CHILDREN };
const LEAF: FieldSet = { here: true, children: NO_CHILDREN };

export const isEmptySet = (set: FieldSet): boolean => !set.here && set.children.size === 0;

/** Where a FieldsV1 object keeps what it was parsed to; not enumerable, so no copy, comparison or JSON shows it. */
const SET = Symbol("FieldSet");

/** From FieldsV1: `{}` is a member, `"."` marks a member that has members below. */
export function parseFields(fields: JsonObject): FieldSet {
  const known = (fields as { [SET]?: FieldSet })[SET];
  if (known !== undefined) return known;
  const set = parseNode(fields);
  if (Object.isExtensible(fields)) Object.defineProperty(fields, SET, { value: set });
  return set;
}

function parseNode(fields: JsonObject): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const element in fields) {
    const child = fields[element];
    if (element !== "." && isObject(child)) children.set(element, isEmptyObject(child) ? LEAF : parseNode(child));
  }
  return { here: fields["."] !== undefined, children };
}

function isEmptyObject(value: JsonObject): boolean {
  for (const _ in value) return false;
  return true;
}

/**
 * Sets printed last. Objects made from one template have equal sets, so thousands of pods share one FieldsV1 object;
 * 16 covers the writers that alternate on one kind.
 */
const recent: { readonly set: FieldSet; readonly fields: JsonObject }[] = [];
const RECENT_LENGTH = 16;
let nextRecent = 0;

/** As FieldsV1. Equal sets may give the same object. */
export function printFields(set: FieldSet): JsonObject {
  for (const entry of recent) if (sameSet(entry.set, set)) return entry.fields;
  const fields = printNode(set);
  Object.defineProperty(fields, SET, { value: set });
  recent[nextRecent] = { set, fields };
  nextRecent = (nextRecent + 1) % RECENT_LENGTH;
  return fields;
}

function printNode(set: FieldSet): JsonObject {
  const result: Record<string, unknown> = {};
  if (set.here && set.children.size > 0) result["."] = {};
  for (const element of [...set.children.keys()].sort()) result[element] = printNode(set.children.get(element)!);
  return result;
}

export function sameSet(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  if (a.here !== b.here || a.children.size !== b.children.size) return false;
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (other === undefined || !sameSet(child, other)) return false;
  }
  return true;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  const children = new Map(a.children);
  for (const [element, child] of b.children) {
    const other = children.get(element);
    children.set(element, other === undefined ? child : union(other, child));
  }
  return { here: a.here || b.here, children };
}

/** Members of `a` that are not members of `b`. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmptySet(b)) return a;
  return combine(a, b, (inA, inB) => inA && !inB, true);
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  return combine(a, b, (inA, inB) => inA && inB, false);
}

function combine(a: FieldSet, b: FieldSet, keep: (a: boolean, b: boolean) => boolean, keepLoners: boolean): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (other === undefined) {
      if (keepLoners) children.set(element, child);
      continue;
    }
    const merged = combine(child, other, keep, keepLoners);
    if (!isEmptySet(merged)) children.set(element, merged);
  }
  return { here: keep(a.here, b.here), children };
}

/** Members of `a` that are in `b` or below a member of `b`. */
export function withinOrBelow(a: FieldSet, b: FieldSet): FieldSet {
  if (b.here) return a;
  const children = new Map<string, FieldSet>();
  for (const [element, child] of a.children) {
    const other = b.children.get(element);
    if (other === undefined) continue;
    const found = withinOrBelow(child, other);
    if (!isEmptySet(found)) children.set(element, found);
  }
  return { here: false, children };
}

/** Paths as `.spec.containers[name="a"].image`. */
export function pathsOf(set: FieldSet, prefix = ""): string[] {
  const paths = set.here ? [prefix] : [];
  for (const [element, child] of set.children) paths.push(...pathsOf(child, prefix + printElement(element)));
  return paths;
}

function printElement(element: string): string {
  const text = element.slice(2);
  if (element.startsWith("f:")) return `.${text}`;
  if (element.startsWith("v:")) return `[=${text}]`;
  const key = JSON.parse(text) as JsonObject;
  return `[${Object.entries(key)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(",")}]`;
}

/** Text that JSON writes as it is. */
const PLAIN = /^[\w./:-]*$/;

/** The path element of an item in a keyed list or a set. */
export function itemElement(schema: Schema, item: unknown): string {
  if (schema.listType === "map" && isObject(item)) {
    const [only] = schema.listMapKeys;
    const value = only === undefined || schema.listMapKeys.length > 1 ? undefined : item[only];
    if (typeof value === "string" && PLAIN.test(value)) return `k:{"${only}":"${value}"}`;
    const key: Record<string, unknown> = {};
    for (const name of [...schema.listMapKeys].sort()) {
      const value = item[name] ?? schema.items?.properties.get(name)?.defaultValue;
      if (value !== undefined) key[name] = value;
    }
    return `k:${JSON.stringify(key)}`;
  }
  return `v:${JSON.stringify(item)}`;
}

/** The set of everything an applied configuration says. */
export function fieldsOf(schema: Schema, value: unknown): FieldSet {
  if (isObject(value) && !isAtomicMap(schema, value)) {
    const children = new Map<string, FieldSet>();
    for (const field in value) {
      if (value[field] !== undefined) children.set(`f:${field}`, fieldsOf(fieldSchema(schema, field), value[field]));
    }
    return { here: false, children };
  }
  if (Array.isArray(value) && isGranularList(schema) && value.length > 0) {
    const children = new Map<string, FieldSet>();
    for (const item of value) {
      const below = schema.listType === "map" ? fieldsOf(schema.items ?? ANYTHING, item) : LEAF;
      children.set(itemElement(schema, item), { here: true, children: below.children });
    }
    return { here: false, children };
  }
  return LEAF;
}

export interface Comparison {
  /** Added or modified. */
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

const SAME: Comparison = { changed: EMPTY_SET, removed: EMPTY_SET };

/**
 * What `after` has that `before` has not, field by field.
 * @param structs paths down to here exist in every object of the kind (Go structs), so they are never "added"
 */
export function compare(schema: Schema, before: unknown, after: unknown, structs = 0): Comparison {
  if (before === after) return SAME;
  if (before === undefined)
    return after === undefined ? SAME : { changed: addedFields(schema, after, structs), removed: EMPTY_SET };
  const map = compareMaps(schema, before, after, structs);
  if (map !== undefined) return map;
  const list = compareLists(schema, before, after);
  if (list !== undefined) return list;
  if (after === undefined) return { changed: EMPTY_SET, removed: LEAF };
  return equalJson(before, after) ? SAME : { changed: LEAF, removed: EMPTY_SET };
}

/** All of a value that was not there before: what {@link compare} finds against nothing, in one walk. */
function addedFields(schema: Schema, value: unknown, structs: number): FieldSet {
  if (isObject(value) && !isAtomicMap(schema, value)) {
    const children = new Map<string, FieldSet>();
    for (const field in value) {
      const child = value[field];
      if (child === undefined) continue;
      const below = addedFields(fieldSchema(schema, field), child, structs - 1);
      if (!isEmptySet(below)) children.set(`f:${field}`, below);
    }
    return { here: structs <= 0 || schema.additional !== undefined, children };
  }
  if (Array.isArray(value) && isGranularList(schema) && value.length > 0) {
    const children = new Map<string, FieldSet>();
    const items = schema.items ?? ANYTHING;
    for (const item of value) children.set(itemElement(schema, item), addedFields(items, item, 0));
    return { here: true, children };
  }
  return LEAF;
}

function compareMaps(schema: Schema, before: unknown, after: unknown, structs: number): Comparison | undefined {
  const fits = (value: unknown): boolean => value === undefined || (isObject(value) && !isAtomicMap(schema, value));
  if (!fits(before) || !fits(after)) return undefined;
  const left = before as JsonObject | undefined;
  const right = after as JsonObject | undefined;
  if (isObject(before) && isObject(after) && schema.atomicMap) return undefined;
  const changed = new Map<string, FieldSet>();
  const removed = new Map<string, FieldSet>();
  const visit = (field: string): void => {
    const found = compare(fieldSchema(schema, field), left?.[field], right?.[field], structs - 1);
    if (!isEmptySet(found.changed)) changed.set(`f:${field}`, found.changed);
    if (!isEmptySet(found.removed)) removed.set(`f:${field}`, found.removed);
  };
  for (const field in right) visit(field);
  for (const field in left) if (right?.[field] === undefined) visit(field);
  return {
    changed: { here: left === undefined && (structs <= 0 || schema.additional !== undefined), children: changed },
    removed: { here: right === undefined, children: removed },
  };
}

function compareLists(schema: Schema, before: unknown, after: unknown): Comparison | undefined {
  const fits = (value: unknown): boolean => value === undefined || (Array.isArray(value) && value.length > 0);
  if (!isGranularList(schema) || !fits(before) || !fits(after)) return undefined;
  const index = (value: unknown): Map<string, unknown> =>
    new Map(((value as unknown[] | undefined) ?? []).map((item) => [itemElement(schema, item), item]));
  const left = index(before);
  const right = index(after);
  const changed = new Map<string, FieldSet>();
  const removed = new Map<string, FieldSet>();
  const items = schema.items ?? ANYTHING;
  for (const element of new Set([...left.keys(), ...right.keys()])) {
    const found = compare(items, left.get(element), right.get(element));
    if (!isEmptySet(found.changed)) changed.set(element, found.changed);
    if (!isEmptySet(found.removed)) removed.set(element, found.removed);
  }
  return {
    changed: { here: before === undefined, children: changed },
    removed: { here: after === undefined, children: removed },
  };
}

export const isGranularList = (schema: Schema): boolean => schema.listType !== "atomic";

/** Empty maps are leaves, so that empty and absent stay distinct. */
const isAtomicMap = (schema: Schema, value: JsonObject): boolean => schema.atomicMap || Object.keys(value).length === 0;
