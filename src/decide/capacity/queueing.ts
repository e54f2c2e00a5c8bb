/**
 * How busy a server may be so that a quantile of the response time stays within a target. Pure; ms.
 *
 * M/G/1 first come first served. The mean wait of those who wait follows from Pollaczek and Khinchine,
 *
 *     E[W | W > 0] = E[S²] / (2 E[S] (1 − ρ)),
 *
 * and the tail is taken as exponential with that mean: P(W > t) = ρ exp(−t / E[W | W > 0]). It is exact for M/M/1, it is Kingman's limit in heavy traffic
 * (J. F. C. Kingman, "The single server queue in heavy traffic", 1961), and a usual two-moment approximation between (H. C. Tijms, "A First Course in
 * Stochastic Models", chapter 9). The response is the wait plus the request's own service, over the whole distribution of services: a prompt that
 * is long is late by itself, whatever the queue.
 */
import { probit } from "simple-statistics";

/** Services of requests that are equally likely, ms; the distribution in `SHARES` slices. */
export type Services = readonly number[];

const SHARES = 32;
const NORMAL_POINTS: readonly number[] = Array.from({ length: SHARES }, (_, k) => probit((k + 0.5) / SHARES));

/** Above this no queue is predictable: the estimate of the load itself is no better. */
export const MAX_UTILIZATION = 0.95;
const STEPS = 30;

/**
 * Equally likely sizes of a log-normal distribution: prompts and answers of the public traces are long-tailed, with a coefficient of variation near 1.
 * Their mean is exactly `mean`.
 */
export function sizes(mean: number, variation: number): readonly number[] {
  if (!(variation > 0)) return [mean];
  const sigma = Math.sqrt(Math.log1p(variation * variation));
  const raw = NORMAL_POINTS.map((z) => Math.exp(sigma * z));
  const scale = (mean * SHARES) / raw.reduce((sum, one) => sum + one, 0);
  return raw.map((one) => one * scale);
}

/** P(response > `limitMs`) at a utilization in [0, 1). */
export function lateShare(services: Services, utilization: number, limitMs: number): number {
  const { mean, square } = momentsOf(services);
  const meanWaitMs = square / (2 * mean * (1 - utilization));
  return (
    services.reduce((sum, own) => {
      const roomMs = limitMs - own;
      return sum + (roomMs < 0 ? 1 : utilization * Math.exp(-roomMs / meanWaitMs));
    }, 0) / services.length
  );
}

/**
 * The greatest utilization at which `quantile` of the responses stays within `limitMs`; undefined when an idle server misses it too.
 * Rises with the limit, falls with the quantile.
 */
export function greatestUtilization(services: Services, limitMs: number, quantile: number): number | undefined {
  const isMet = (utilization: number): boolean => lateShare(services, utilization, limitMs) <= 1 - quantile;
  if (!isMet(0)) return undefined;
  if (isMet(MAX_UTILIZATION)) return MAX_UTILIZATION;
  let low = 0;
  let high = MAX_UTILIZATION;
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (isMet(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** The `quantile` of the response at a utilization; undefined at or above 1, where it has none. */
export function responseQuantileMs(services: Services, utilization: number, quantile: number): number | undefined {
  if (!(utilization >= 0 && utilization < 1)) return undefined;
  const { mean, square } = momentsOf(services);
  const meanWaitMs = square / (2 * mean * (1 - utilization));
  let low = 0;
  let high = Math.max(...services) + meanWaitMs * Math.log(1 / (1 - quantile));
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (lateShare(services, utilization, middle) <= 1 - quantile) high = middle;
    else low = middle;
  }
  return high;
}

export const meanOf = (services: Services): number => services.reduce((sum, one) => sum + one, 0) / services.length;

function momentsOf(services: Services): { readonly mean: number; readonly square: number } {
  const mean = meanOf(services);
  return { mean, square: services.reduce((sum, one) => sum + one * one, 0) / services.length };
}
