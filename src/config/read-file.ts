/** The config file: YAML in two or three levels, of which each name is known. */
import { parseDocument } from "yaml";
import { UsageError } from "../cli/errors.ts";
import { isObject } from "./is-object.ts";
import type { Setting } from "./setting.ts";
import { SETTINGS } from "./settings.ts";

/**
 * @returns leaves by dotted path
 * @throws UsageError
 */
export function readFile(name: string, content: string): ReadonlyMap<string, unknown> {
  const document = parseDocument(content);
  const [problem] = document.errors;
  if (problem !== undefined) throw new UsageError(`${name}: ${problem.message.split("\n")[0]}`);
  const root: unknown = document.toJS() ?? {};
  const values = new Map<string, unknown>();
  const known = Object.values(SETTINGS as Readonly<Record<string, Setting<unknown>>>).flatMap(({ file }) => file ?? []);
  const sections = new Set(known.map((path) => path.split(".")[0] ?? path));
  if (!isObject(root)) throw new UsageError(`${name}: must be a map with: ${[...sections].join(", ")}`);
  for (const [section, inner] of Object.entries(root)) {
    if (!sections.has(section))
      throw new UsageError(`${name}: ${section} is unknown${suggest(section, [...sections])}`);
    const fields = known.filter((path) => path.startsWith(`${section}.`)).map((path) => path.slice(section.length + 1));
    if (inner === null) continue;
    if (!isObject(inner)) throw new UsageError(`${name}: ${section} must be a map with: ${fields.join(", ")}`);
    for (const [field, value] of Object.entries(inner)) {
      const nested = fields.filter((one) => one.startsWith(`${field}.`)).map((one) => one.slice(field.length + 1));
      if (nested.length > 0) {
        for (const [leaf, one] of leavesOf(`${name}: ${section}.${field}`, value, nested)) {
          values.set(`${section}.${field}.${leaf}`, one);
        }
        continue;
      }
      if (!fields.includes(field)) {
        throw new UsageError(`${name}: ${section}.${field} is unknown${suggest(field, fields)}`);
      }
      if (value !== null) values.set(`${section}.${field}`, value);
    }
  }
  return values;
}

/** Of a map inside a section. */
function leavesOf(where: string, value: unknown, fields: readonly string[]): readonly (readonly [string, unknown])[] {
  if (value === null) return [];
  if (!isObject(value)) throw new UsageError(`${where} must be a map with: ${fields.join(", ")}`);
  for (const field of Object.keys(value)) {
    if (!fields.includes(field)) throw new UsageError(`${where}.${field} is unknown${suggest(field, fields)}`);
  }
  return Object.entries(value).filter(([, one]) => one !== null);
}

function suggest(given: string, known: readonly string[]): string {
  const [nearest] = known
    .map((name) => ({ name, distance: editDistance(given.toLowerCase(), name.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance);
  return nearest !== undefined && nearest.distance <= Math.max(2, given.length / 3)
    ? `; did you mean ${nearest.name}?`
    : `; there is: ${known.join(", ")}`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
