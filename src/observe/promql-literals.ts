/** Numbers, durations and strings as PromQL writes them. */
import { PromqlError } from "./promql-ast.ts";

const UNIT_SECONDS: Readonly<Record<string, number>> = {
  y: 365 * 86_400,
  w: 7 * 86_400,
  d: 86_400,
  h: 3_600,
  m: 60,
  s: 1,
  ms: 0.001,
};

/** A number, or a duration in seconds. */
export function numberOf(written: string, position: number): number {
  const sign = written.startsWith("-") ? -1 : 1;
  const body = written.replace(/^[+-]\s*/, "").toLowerCase();
  if (body === "inf") return sign * Number.POSITIVE_INFINITY;
  if (body === "nan") return Number.NaN;
  if (!body.startsWith("0x") && /[ywdhms]$/.test(body)) {
    let seconds = 0;
    for (const [, count, unit] of body.matchAll(/([0-9]+)(ms|[ywdhms])/g)) {
      seconds += Number(count) * (UNIT_SECONDS[unit ?? ""] ?? Number.NaN);
    }
    return sign * seconds;
  }
  const value = Number(body.replaceAll("_", ""));
  if (Number.isNaN(value)) throw new PromqlError(`error parsing number: "${written}"`, position);
  return sign * value;
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

/** Go's string literals: raw in backquotes, otherwise with its escapes. */
export function unquote(literal: string, position: number): string {
  const quote = literal.charAt(0);
  if (literal.length < 2 || literal.at(-1) !== quote) throw new PromqlError("unterminated quoted string", position);
  const body = literal.slice(1, -1);
  if (quote === "`") return body;
  return body.replaceAll(
    /\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|[\s\S])/g,
    (_, sequence: string) => {
      const plain = ESCAPES[sequence];
      if (plain !== undefined) return plain;
      if (/^[xuU]./.test(sequence)) return String.fromCodePoint(Number.parseInt(sequence.slice(1), 16));
      if (/^[0-7]{3}$/.test(sequence)) return String.fromCodePoint(Number.parseInt(sequence, 8));
      throw new PromqlError(`unknown escape sequence "\\${sequence}"`, position);
    },
  );
}
