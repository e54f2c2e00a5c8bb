/** Kubernetes quantities: https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/ */

const FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/** Of text as a policy may have it: any quantity that people write, and no number that only a mistyped exponent makes. */
export const QUANTITY_PATTERN =
  "^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?[0-9]{1,2}))?$";
export const QUANTITY_MAX_LENGTH = 32;

/** Kubernetes caps what is greater and rounds up what is finer: "1e400" is this, and "1e-400" is one billionth. */
export const MAX_QUANTITY = 2 ** 63;
const MIN_QUANTITY = 1e-9;

/** @returns the value in base units ("500m" is 0.5, "80Gi" is bytes), or undefined when it is not a quantity; always finite */
export function parseQuantity(quantity: string | number): number | undefined {
  if (typeof quantity === "number") return Number.isFinite(quantity) ? capped(quantity) : undefined;
  const match = /^([+-]?(?:\d+\.?\d*|\.\d+))(?:([eE][+-]?\d+)|(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE]))?$/u.exec(quantity);
  if (match === null) return undefined;
  const [, digits = "", exponent, suffix = ""] = match;
  const factor = FACTORS[suffix] as number;
  // Dividing by a whole number is exact where multiplying by 1e-3 is not: 0.3 is "300m".
  const value =
    exponent !== undefined
      ? Number(`${digits}${exponent}`)
      : factor < 1
        ? Number(digits) / Math.round(1 / factor)
        : Number(digits) * factor;
  if (Math.abs(value) >= MIN_QUANTITY || !/[1-9]/.test(digits)) return capped(value);
  return digits.startsWith("-") ? -MIN_QUANTITY : MIN_QUANTITY;
}

const capped = (value: number): number => Math.min(MAX_QUANTITY, Math.max(-MAX_QUANTITY, value));
