/**
 * How long one engine step takes, from the tables of a profile.
 *
 * - only decodes: the grid at (batch, mean context), linear between its points, along the fit beyond them;
 * - with prompts: one pass over all prompt tokens of the step, plus 2·c2·done·chunk for the attention to what of each
 *   prompt is already there, plus decode.c1·batch + decode.c2·KV tokens for the decodes beside it.
 *
 * The table of passes is of one prompt each. Tokens of different prompts do not attend to each other, so a pass over
 * several prompts is cheaper by c2·((Σ chunk)² − Σ chunk²): with it the tables of batched prompts are met within 1-2 % on
 * average, without it within 4-13 %.
 */
import type { PerformanceProfile } from "../../api/autoscaling/performance-profile.ts";

/** Decode steps of one batch whose times are an arithmetic series. */
export interface DecodeLine {
  firstMs: number;
  /** What each step takes more than the one before. */
  slopeMs: number;
  /** How many steps are on this line, at least 1; infinite beyond the grid. */
  steps: number;
}

export interface StepCalibration {
  /** On everything that decodes take. */
  readonly decodeMultiplier: number;
  /** On every step. */
  readonly stepOverheadMs: number;
}

/** Points of a line, by x. */
class Line {
  readonly x: Float64Array;
  readonly y: Float64Array;
  constructor(points: readonly (readonly [number, number])[]) {
    this.x = Float64Array.from(points, ([x]) => x);
    this.y = Float64Array.from(points, ([, y]) => y);
  }

  get lastX(): number {
    return this.x[this.x.length - 1] as number;
  }

  /** The greatest index whose x is at most the given one; -1 before the first. */
  before(x: number): number {
    let index = this.x.length - 1;
    while (index >= 0 && (this.x[index] as number) > x) index--;
    return index;
  }
}

export class StepTimes {
  readonly #prompt: Line;
  readonly #promptFit: readonly [number, number, number];
  readonly #batches: Float64Array;
  readonly #rows: readonly Line[];
  readonly #decodeFit: readonly [number, number, number];
  readonly #calibration: StepCalibration;

  constructor({ prefill, decode }: Pick<PerformanceProfile, "prefill" | "decode">, calibration: StepCalibration) {
    this.#prompt = new Line(prefill.points);
    this.#promptFit = prefill.fit;
    this.#batches = Float64Array.from(decode.rows, ([batch]) => batch);
    this.#rows = decode.rows.map(([, row]) => new Line(row));
    this.#decodeFit = decode.fit;
    this.#calibration = calibration;
  }

  /**
   * The prompts of one step on one rank, without the decodes beside them.
   *
   * @param tokens Σ chunk
   * @param squares Σ chunk²
   * @param attended Σ chunk × tokens of that prompt which are already there
   * @param largest the largest chunk: a pass never takes less than that alone
   */
  promptsMs(tokens: number, squares: number, attended: number, largest: number): number {
    const c2 = this.#promptFit[2];
    let passMs = this.#passMs(tokens);
    if (largest < tokens) passMs = Math.max(passMs - c2 * (tokens * tokens - squares), this.#passMs(largest));
    return this.#calibration.stepOverheadMs + passMs + 2 * c2 * attended;
  }

  /** What decodes add to a step with prompts. */
  decodesBesideMs(batch: number, kvTokens: number): number {
    const [, c1, c2] = this.#decodeFit;
    return this.#calibration.decodeMultiplier * (c1 * batch + c2 * kvTokens);
  }

  /** Steps without prompts from here on: each adds one token of context to every request. */
  decodeLine(batch: number, kvTokens: number, into: DecodeLine): void {
    const context = kvTokens / batch;
    const [, c1, c2] = this.#decodeFit;
    const { decodeMultiplier, stepOverheadMs } = this.#calibration;
    const last = this.#rows.length - 1;
    let low = last;
    while (low > 0 && (this.#batches[low] as number) > batch) low--;
    const lowBatch = this.#batches[low] as number;
    this.#along(low, context, into);
    let { firstMs, slopeMs, steps } = into;
    if (low === last) {
      const more = Math.max(0, batch - lowBatch);
      firstMs += more * (c1 + c2 * context);
      slopeMs += more * c2;
    } else if (batch > lowBatch) {
      this.#along(low + 1, context, into);
      const share = (batch - lowBatch) / ((this.#batches[low + 1] as number) - lowBatch);
      firstMs += share * (into.firstMs - firstMs);
      slopeMs += share * (into.slopeMs - slopeMs);
      steps = Math.min(steps, into.steps);
    }
    into.firstMs = stepOverheadMs + decodeMultiplier * firstMs;
    into.slopeMs = decodeMultiplier * slopeMs;
    into.steps = steps;
  }

  /** One row of the grid. */
  #along(row: number, context: number, into: DecodeLine): void {
    const { x, y } = this.#rows[row] as Line;
    const index = (this.#rows[row] as Line).before(context);
    if (index < 0) {
      into.firstMs = y[0] as number;
      into.slopeMs = 0;
      into.steps = Math.floor((x[0] as number) - context) + 1;
      return;
    }
    const [fromX, fromMs] = [x[index] as number, y[index] as number];
    if (index === x.length - 1) {
      into.slopeMs = this.#decodeFit[2] * (this.#batches[row] as number);
      into.steps = Number.POSITIVE_INFINITY;
    } else {
      const toX = x[index + 1] as number;
      into.slopeMs = ((y[index + 1] as number) - fromMs) / (toX - fromX);
      into.steps = Math.floor(toX - context) + 1;
    }
    into.firstMs = fromMs + into.slopeMs * (context - fromX);
  }

  /** One pass over one prompt. */
  #passMs(tokens: number): number {
    const line = this.#prompt;
    const index = line.before(tokens);
    if (index < 0) return line.y[0] as number;
    const [fromX, fromMs] = [line.x[index] as number, line.y[index] as number];
    if (index === line.x.length - 1) {
      const [, c1, c2] = this.#promptFit;
      return fromMs + c1 * (tokens - fromX) + c2 * (tokens * tokens - fromX * fromX);
    }
    return (
      fromMs + (((line.y[index + 1] as number) - fromMs) * (tokens - fromX)) / ((line.x[index + 1] as number) - fromX)
    );
  }
}
