/** Ratios of replicas ("1:4") and shares ("70%"). */

/** Both at least 0, not both 0. `1:4` is one replica of the first target for four of the second. */
export interface Ratio {
  readonly first: number;
  readonly second: number;
}

export const RATIO_PATTERN = "^[0-9]{1,6}:[0-9]{1,6}$";

/** @returns undefined when the text is not a ratio of whole numbers */
export function parseRatio(text: string): Ratio | undefined {
  const match = /^(\d{1,6}):(\d{1,6})$/u.exec(text);
  if (match === null) return undefined;
  const ratio = { first: Number(match[1]), second: Number(match[2]) };
  return ratio.first === 0 && ratio.second === 0 ? undefined : ratio;
}

/** Orders ratios by `first / second`, exactly, with `x:0` above everything. */
export function compareRatios(a: Ratio, b: Ratio): number {
  return a.first * b.second - b.first * a.second;
}

export const PERCENT_PATTERN = "^[0-9]+(\\.[0-9]+)?%$";
/** At most 100 %. */
export const SHARE_PATTERN = "^(100(\\.0+)?|[0-9]{1,2}(\\.[0-9]+)?)%$";

/** "70%" is 0.7. @returns undefined when the text is not a percentage */
export function parsePercentRatio(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)%$/u.exec(text);
  return match === null ? undefined : Number(match[1]) / 100;
}
