/** DER (X.690), as much of it as an X.509 certificate needs. Each function gives one complete element: tag, length, content. */

export function element(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content);
  return Buffer.concat([Buffer.from([tag]), lengthOf(body.length), body]);
}

/** Short form up to 127, else the number of length bytes with the high bit, then the length. */
function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Buffer.from([0x80 | bytes.length, ...bytes]);
}

export const sequence = (...content: readonly Uint8Array[]): Buffer => element(0x30, ...content);
export const set = (...content: readonly Uint8Array[]): Buffer => element(0x31, ...content);
export const octetString = (content: Uint8Array): Buffer => element(0x04, content);
export const boolean = (value: boolean): Buffer => element(0x01, Buffer.from([value ? 0xff : 0]));
export const utf8String = (text: string): Buffer => element(0x0c, Buffer.from(text, "utf8"));

/** Context-specific: `[n]` around complete elements. */
export const explicit = (tag: number, ...content: readonly Uint8Array[]): Buffer => element(0xa0 | tag, ...content);
/** Context-specific: `[n]` in place of the tag of a primitive. */
export const implicit = (tag: number, content: Uint8Array): Buffer => element(0x80 | tag, content);

/** Big-endian and not negative: a leading zero where the first bit is set, none else. */
export function integer(bytes: Uint8Array): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const trimmed = Buffer.from(bytes.subarray(start));
  const isNegative = ((trimmed[0] ?? 0) & 0x80) !== 0;
  return element(0x02, isNegative ? Buffer.concat([Buffer.from([0]), trimmed]) : trimmed);
}

export const bitString = (content: Uint8Array, unusedBits = 0): Buffer =>
  element(0x03, Buffer.from([unusedBits]), content);

/** `1.2.840.10045.2.1`: the first two arcs share a byte, the others are base 128 with the high bit on all bytes but the last. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = [first * 40 + second].concat(
    rest.flatMap((arc) => {
      const groups = [arc % 128];
      for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
        groups.unshift(0x80 | (left % 128));
      }
      return groups;
    }),
  );
  return element(0x06, Buffer.from(bytes));
}

/** `2026-01-31T18:00:00Z` as RFC 5280 wants it: UTCTime through 2049, GeneralizedTime from 2050. */
export function time(rfc3339: string): Buffer {
  const digits = `${rfc3339.slice(0, 19).replaceAll(/[-:T]/g, "")}Z`;
  return digits < "2050" ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits));
}
