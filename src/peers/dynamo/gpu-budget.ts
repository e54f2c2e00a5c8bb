/**
 * How Dynamo's planners fit prefill and decode into a number of GPUs. Both stand here because old and current planners differ.
 *
 * Source: ai-dynamo/dynamo:components/src/dynamo/planner/core/budget.py.
 */

export interface Pair {
  readonly prefill: number;
  readonly decode: number;
}

export interface Budget {
  /** Undefined: no ceiling. */
  readonly maxGpus: number | undefined;
  /** GPUs of one replica. */
  readonly gpus: Pair;
  readonly minEndpoint: number;
}

const gpusOf = (pair: Pair, { gpus }: Budget): number => pair.prefill * gpus.prefill + pair.decode * gpus.decode;

/**
 * Shrinks both by the same factor, prefill first, decode takes what is left.
 *
 * A budget below the smallest viable pair gives (0, 0): the published collapse, kept on purpose; bounds of the trial catch it afterwards.
 */
export function proportionalClamp(wanted: Pair, budget: Budget): Pair {
  const { maxGpus, gpus, minEndpoint } = budget;
  const total = gpusOf(wanted, budget);
  if (maxGpus === undefined || total <= maxGpus) return wanted;
  if (maxGpus < gpusOf({ prefill: minEndpoint, decode: minEndpoint }, budget)) return { prefill: 0, decode: 0 };
  const mostPrefill = Math.floor((maxGpus - minEndpoint * gpus.decode) / gpus.prefill);
  const scaled = Math.floor((wanted.prefill * maxGpus) / total);
  const prefill = Math.max(minEndpoint, Math.min(mostPrefill, scaled));
  return {
    prefill,
    decode: Math.max(minEndpoint, Math.floor((maxGpus - prefill * gpus.prefill) / gpus.decode)),
  };
}

/**
 * The current rule: no leg changes its direction, and a rebalance moves both legs or none. What is over the budget already is reconciled first, and a full
 * budget lets nothing up but a rebalance that fits.
 */
export function guardPair(current: Pair, wanted: Pair, budget: Budget): Pair {
  const { maxGpus } = budget;
  if (maxGpus === undefined) return wanted;
  if (gpusOf(current, budget) > maxGpus) return proportionalClamp(current, budget);
  if (gpusOf(wanted, budget) <= maxGpus) return wanted;
  if (gpusOf(current, budget) >= maxGpus) return current;
  return closestBetween(current, wanted, budget, maxGpus);
}

export function guardSingle(current: number, wanted: number, gpus: number, maxGpus: number | undefined): number {
  if (maxGpus === undefined) return wanted;
  const most = Math.floor(maxGpus / gpus);
  return current > most ? most : Math.min(wanted, most);
}

/** Closest to what is wanted, then in proportion, then furthest on, then the fewest. */
function closestBetween(current: Pair, wanted: Pair, { gpus, minEndpoint }: Budget, maxGpus: number): Pair {
  const isRebalance = (wanted.prefill - current.prefill) * (wanted.decode - current.decode) < 0;
  const lowDecode = Math.max(minEndpoint, Math.min(current.decode, wanted.decode));
  const highDecode = Math.max(current.decode, wanted.decode);
  const asked = { p: Math.abs(wanted.prefill - current.prefill), d: Math.abs(wanted.decode - current.decode) };
  let best: { readonly pair: Pair; readonly score: readonly number[] } | undefined;
  const lowPrefill = Math.max(minEndpoint, Math.min(current.prefill, wanted.prefill));
  for (let prefill = lowPrefill; prefill <= Math.max(current.prefill, wanted.prefill); prefill++) {
    let low = lowDecode;
    let high = Math.min(highDecode, Math.floor((maxGpus - prefill * gpus.prefill) / gpus.decode));
    if (isRebalance && prefill === current.prefill) {
      low = Math.max(low, current.decode);
      high = Math.min(high, current.decode);
    } else if (isRebalance && wanted.decode > current.decode) low = Math.max(low, current.decode + 1);
    else if (isRebalance) high = Math.min(high, current.decode - 1);
    if (low > high) continue;
    const decode = Math.min(Math.max(wanted.decode, low), high);
    const done = { p: Math.abs(prefill - current.prefill), d: Math.abs(decode - current.decode) };
    const score = [
      Math.abs(wanted.prefill - prefill) + Math.abs(wanted.decode - decode),
      Math.abs(done.p * asked.d - done.d * asked.p),
      -(done.p + done.d),
      prefill,
      decode,
    ];
    if (best === undefined || isLess(score, best.score)) best = { pair: { prefill, decode }, score };
  }
  return best?.pair ?? current;
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((value, index) => value !== b[index]);
  return at !== -1 && (a[at] as number) < (b[at] as number);
}
