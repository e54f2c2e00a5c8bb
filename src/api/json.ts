/** Comparison of plain JSON values. */

/** Deep equality; a field that is `undefined` counts as absent. */
export function equalJson(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false;
    for (let index = 0; index < a.length; index++) if (!equalJson(a[index], b[index])) return false;
    return true;
  }
  if (Array.isArray(b)) return false;
  const left = a as Readonly<Record<string, unknown>>;
  const right = b as Readonly<Record<string, unknown>>;
  let fields = 0;
  for (const field in left) {
    if (left[field] === undefined) continue;
    fields++;
    if (!equalJson(left[field], right[field])) return false;
  }
  for (const field in right) if (right[field] !== undefined) fields--;
  return fields === 0;
}
