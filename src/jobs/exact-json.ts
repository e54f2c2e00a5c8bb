/** JSON that brings every number back as it was. NaN and the infinities are readings too, and plain JSON makes `null` of them. */

/** The only key of the object that stands for such a number. */
const TAG = "$number";

export function encodeExact(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "number" && (!Number.isFinite(inner) || Object.is(inner, -0)) ? { [TAG]: nameOf(inner) } : inner,
  );
}

export function decodeExact(text: string): unknown {
  return JSON.parse(text, (_, inner: unknown) => {
    if (typeof inner !== "object" || inner === null || !(TAG in inner)) return inner;
    return Number(inner[TAG]);
  });
}

const nameOf = (value: number): string => (Object.is(value, -0) ? "-0" : String(value));
