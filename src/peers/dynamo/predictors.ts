/**
 * What the next interval brings, from what the last ones brought.
 *
 * Source: ai-dynamo/dynamo:components/src/dynamo/planner/core/load/predictors.py. There ARIMA is fitted by pmdarima and a season by Prophet; here an AR(p)
 * and the value of a season ago stand in for them, and are named so.
 */

export type Predictor = "constant" | "ar" | "seasonal";

/** As random search names them. */
export const PREDICTORS: readonly Predictor[] = ["constant", "ar", "seasonal"];

const MIN_POINTS = 5;
/** Intervals that an AR(p) is fitted to. */
const FIT_POINTS = 64;
const MAX_ORDER = 3;
/** An order needs more rows than it has coefficients, or it repeats its past exactly. */
const MIN_ROWS = 2 * (MAX_ORDER + 1);

/** Idle intervals at the start are not remembered, and what is not finite is 0, as there. @param keep of the youngest */
export function observe(history: readonly number[], value: number, keep: number): readonly number[] {
  const point = Number.isFinite(value) ? value : 0;
  return history.length === 0 && point === 0 ? history : [...history, point].slice(-keep);
}

/** Points that a predictor looks back over. @param seasonPoints intervals of one season */
export const pointsOf = (predictor: Predictor, seasonPoints: number): number =>
  predictor === "constant" ? 1 : predictor === "ar" ? FIT_POINTS : seasonPoints + 1;

/** Of the next interval; not negative; 0 without history. */
export function predict(history: readonly number[], predictor: Predictor, seasonPoints: number): number {
  const last = history.at(-1) ?? 0;
  if (predictor === "constant" || history.length < MIN_POINTS) return last;
  return Math.max(0, predictor === "ar" ? autoregression(history) : seasonal(history, seasonPoints));
}

/** A season ago, moved by what this season differs from that one. */
function seasonal(history: readonly number[], seasonPoints: number): number {
  const last = history.at(-1) as number;
  const then = history.at(-1 - seasonPoints);
  const next = history.at(-seasonPoints);
  return then === undefined || next === undefined || history.length <= seasonPoints ? last : next + (last - then);
}

/** By least squares, of order 1 to 3 by AIC. */
function autoregression(history: readonly number[]): number {
  const values = history.slice(-FIT_POINTS);
  const last = values.at(-1) as number;
  if (values.length - MAX_ORDER < MIN_ROWS || values.every((value) => value === last)) return last;
  let best = { aic: Number.POSITIVE_INFINITY, forecast: last };
  for (let order = 1; order <= MAX_ORDER; order++) {
    const rows = values
      .slice(MAX_ORDER)
      .map((value, index) => ({ value, lags: lagsAt(values, index + MAX_ORDER, order) }));
    const weights = leastSquares(rows);
    if (weights === undefined || explodes(weights)) continue;
    const residual = rows.reduce((sum, { value, lags }) => sum + (value - dot(weights, lags)) ** 2, 0);
    const aic = rows.length * Math.log(residual / rows.length + Number.EPSILON) + 2 * (order + 1);
    const forecast = dot(weights, lagsAt(values, values.length, order));
    if (aic < best.aic && Number.isFinite(forecast)) best = { aic, forecast };
  }
  return best.forecast;
}

/**
 * A model that grows from its own past, as one of a few rising values does: ARIMA is not fitted to those either. Growth of 1 % an interval passes, a wave
 * that keeps its height too.
 */
function explodes([, ...lagWeights]: readonly number[]): boolean {
  let echo = [1, ...lagWeights.slice(1).map(() => 0)];
  for (let interval = 0; interval < 200; interval++) {
    echo = [dot(lagWeights, echo), ...echo.slice(0, -1)];
    if (Math.abs(echo[0] as number) > 10) return true;
  }
  return false;
}

/** A 1 for the constant, then the values before `at`, youngest first. */
const lagsAt = (values: readonly number[], at: number, order: number): readonly number[] => [
  1,
  ...Array.from({ length: order }, (_, lag) => values[at - 1 - lag] as number),
];

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, index) => sum + value * (b[index] as number), 0);

/** Normal equations by elimination; undefined when they have no one answer. */
function leastSquares(
  rows: readonly { readonly value: number; readonly lags: readonly number[] }[],
): readonly number[] | undefined {
  const size = rows[0]?.lags.length ?? 0;
  const matrix = Array.from({ length: size }, (_, i) => [
    ...Array.from({ length: size }, (_, j) =>
      rows.reduce((sum, { lags }) => sum + (lags[i] as number) * (lags[j] as number), 0),
    ),
    rows.reduce((sum, { lags, value }) => sum + (lags[i] as number) * value, 0),
  ]);
  for (let column = 0; column < size; column++) {
    const rest = matrix.slice(column);
    const pivot = rest.reduce((a, b) => (Math.abs(b[column] as number) > Math.abs(a[column] as number) ? b : a));
    const scale = Math.max(...pivot.map(Math.abs));
    if (Math.abs(pivot[column] as number) <= 1e-12 * scale) return undefined;
    matrix.splice(matrix.indexOf(pivot), 1);
    matrix.splice(column, 0, pivot);
    for (const row of matrix) {
      if (row === pivot) continue;
      const factor = (row[column] as number) / (pivot[column] as number);
      for (let j = column; j <= size; j++) row[j] = (row[j] as number) - factor * (pivot[j] as number);
    }
  }
  const weights = matrix.map((row, i) => (row[size] as number) / (row[i] as number));
  return weights.every(Number.isFinite) ? weights : undefined;
}
