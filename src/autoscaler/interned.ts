/** One object for all that are equal: the containers of ten thousand replicas of one template are the same few lines. Pure but for what it remembers. */

/** What differs more than this is not worth comparing. */
const MAX_ENTRIES = 10_000;

/** @returns for plain JSON the first value that was equal to it; the result must not be changed */
export function createInterner<T>(maxEntries = MAX_ENTRIES): (value: T) => T {
  const known = new Map<string, T>();
  return (value) => {
    const text = JSON.stringify(value);
    const same = known.get(text);
    if (same !== undefined) return same;
    if (known.size >= maxEntries) known.clear();
    known.set(text, value);
    return value;
  };
}

/** The same for texts; undefined stays undefined. */
export function createTextInterner(maxEntries = MAX_ENTRIES): <T extends string | undefined>(text: T) => T {
  const known = new Map<string, string>();
  return (text) => {
    if (text === undefined) return text;
    const same = known.get(text);
    if (same !== undefined) return same as typeof text;
    if (known.size >= maxEntries) known.clear();
    known.set(text, text);
    return text;
  };
}
