/** From what a person wrote to a value. Each throws text that completes "<where>: ". */
import { parseDurationMs } from "../api/duration.ts";
import { isDnsSubdomain } from "../api/kubernetes/names.ts";
import { isObject } from "./is-object.ts";
import type { Parse } from "./setting.ts";

export function text(given: unknown): string {
  if (typeof given !== "string" || given === "") throw new Error(`${shown(given)} is not a text`);
  return given;
}

/** Never shown, not even when it is wrong. */
export function secretText(given: unknown): string {
  if (typeof given !== "string" || /[\r\n]/.test(given)) throw new Error("is not one line of text");
  return given;
}

export function number({ above }: { readonly above: number }): Parse<number> {
  return (given) => {
    const value = typeof given === "number" ? given : typeof given === "string" ? Number(given) : Number.NaN;
    if (!(value > above && Number.isFinite(value))) throw new Error(`${shown(given)} is not a number above ${above}`);
    return value;
  };
}

export function whole({
  min,
  max = Number.MAX_SAFE_INTEGER,
}: {
  readonly min: number;
  readonly max?: number;
}): Parse<number> {
  return (given) => {
    const value = typeof given === "string" && given.trim() !== "" ? Number(given) : given;
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
      throw new Error(`${shown(given)} is not a whole number ${range}`);
    }
    return value;
  };
}

export function boolean(given: unknown): boolean {
  if (given === true || given === "true") return true;
  if (given === false || given === "false") return false;
  throw new Error(`${shown(given)} is neither true nor false`);
}

/** `--no-operator` is false: short for external. */
export function operatorKind(given: unknown): "built-in" | "external" {
  return given === false ? "external" : oneOf("built-in", "external")(given);
}

export function duration(given: unknown): number {
  const ms = typeof given === "string" ? parseDurationMs(given) : undefined;
  if (ms === undefined || ms <= 0) throw new Error(`${shown(given)} is not a duration such as 15s or 1m30s`);
  return ms;
}

export function url(schemes: readonly string[]): Parse<string> {
  return (given) => {
    const parsed = typeof given === "string" && URL.canParse(given) ? new URL(given) : undefined;
    if (parsed === undefined || !schemes.includes(parsed.protocol)) {
      throw new Error(`${shown(given)} is not a URL that starts with ${schemes.map((one) => `${one}//`).join(" or ")}`);
    }
    return given as string;
  };
}

export function oneOf<const T extends string>(...allowed: readonly T[]): Parse<T> {
  return (given) => {
    const found = allowed.find((one) => one === given);
    if (found === undefined) throw new Error(`${shown(given)} is not one of ${allowed.join(", ")}`);
    return found;
  };
}

/** A list in the file, names with commas elsewhere. */
export function names(given: unknown): readonly string[] {
  const list = Array.isArray(given)
    ? given
    : text(given)
        .split(",")
        .map((one) => one.trim());
  for (const one of list) {
    if (typeof one !== "string" || !isDnsSubdomain(one))
      throw new Error(`${shown(one)} is not the name of a namespace`);
  }
  if (list.length === 0) throw new Error("an empty list would work nowhere; leave it out to work in all namespaces");
  return [...new Set(list)];
}

/** A map in the file, `name=value,name=value` elsewhere. */
export function headers(given: unknown): Readonly<Record<string, string>> {
  const entries = isObject(given) ? Object.entries(given) : text(given).split(",").map(headerOf);
  for (const [name, value] of entries) {
    if (!/^[A-Za-z0-9-]+$/.test(name) || typeof value !== "string" || /[\r\n]/.test(value)) {
      throw new Error(`${shown(name)} is not a header: write name=value`);
    }
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

function headerOf(pair: string): readonly [string, string | undefined] {
  const at = pair.indexOf("=");
  return at < 0 ? [pair.trim(), undefined] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
}

const shown = (given: unknown): string => (given === "" ? "nothing" : JSON.stringify(given));
