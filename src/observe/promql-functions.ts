/** Signatures of PromQL's functions: https://prometheus.io/docs/prometheus/latest/querying/functions/ */
import type { ValueType } from "./promql-ast.ts";

export interface Signature {
  readonly args: readonly ValueType[];
  /** How many of the last arguments may be left out. */
  readonly optional: number;
  /** The last argument may be repeated. */
  readonly variadic: boolean;
  readonly returns: ValueType;
}

const signature = (args: string, returns: ValueType = "vector"): Signature => {
  const names = args.split(" ").filter((name) => name !== "");
  return {
    args: names.map((name) => name.replace(/[?*]$/, "") as ValueType),
    optional: names.filter((name) => /[?*]$/.test(name)).length,
    variadic: names.at(-1)?.endsWith("*") === true,
    returns,
  };
};

const SIGNATURES = new Map<string, Signature>();
const define = (names: string, args: string, returns?: ValueType): void => {
  for (const name of names.split(" ")) SIGNATURES.set(name, signature(args, returns));
};

define("rate irate increase delta idelta deriv changes resets absent_over_time", "matrix");
define("avg_over_time min_over_time max_over_time sum_over_time count_over_time last_over_time", "matrix");
define("first_over_time present_over_time stddev_over_time stdvar_over_time mad_over_time", "matrix");
define("ts_of_first_over_time ts_of_last_over_time ts_of_min_over_time ts_of_max_over_time", "matrix");
define("quantile_over_time", "scalar matrix");
define("predict_linear", "matrix scalar");
define("double_exponential_smoothing", "matrix scalar scalar");
define("abs ceil floor exp ln log2 log10 sqrt sgn deg rad absent timestamp sort sort_desc", "vector");
define("sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh", "vector");
define("histogram_count histogram_sum histogram_avg histogram_stddev histogram_stdvar", "vector");
define("round", "vector scalar?");
define("clamp", "vector scalar scalar");
define("clamp_max clamp_min", "vector scalar");
define("histogram_quantile", "scalar vector");
define("histogram_fraction", "scalar scalar vector");
define("label_replace", "vector string string string string");
define("label_join", "vector string string string*");
define("sort_by_label sort_by_label_desc", "vector string*");
define("info", "vector vector?");
define("scalar", "vector", "scalar");
define("vector", "scalar");
define("time pi", "", "scalar");
define("minute hour day_of_week day_of_month day_of_year days_in_month month year", "vector?");

export const signatureOf = (name: string): Signature | undefined => SIGNATURES.get(name);
