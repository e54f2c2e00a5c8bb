/**
 * How busy servers may be so that a quantile of the response time stays within a target. Pure; ms.
 *
 * M/G/k first come first served: k servers with one queue, which is what a router makes of them that sends each request to the one with least to do.
 * Who waits at all, and the mean wait of those who do, are taken from k = 1, where Pollaczek and Khinchine make the second one exact:
 *
 *     P(W > 0) = ρ^(√(2 (k + 1)) − 1),    E[W | W > 0] = E[S²] / (2 E[S] k (1 − ρ))
 *
 * (H. Sakasegawa, "An approximation formula L_q ≈ αρ^β/(1 − ρ)", 1977: their product is its mean wait, ρ at k = 1). The tail is taken as exponential with that
 * mean: P(W > t) = P(W > 0) exp(−t / E[W | W > 0]). It is exact for M/M/1, it is Kingman's limit in heavy traffic
 * (J. F. C. Kingman, "The single server queue in heavy traffic", 1961), and a usual two-moment approximation between (H. C. Tijms, "A First Course in
 * Stochastic Models", chapter 9). The response is the wait plus the request's own service, over the whole distribution of services: a prompt that
 * is long is late by itself, whatever the queue.
 */
import { probit } from "simple-statistics";

/** Services of requests that are equally likely, ms, with their first two moments. */
export interface Services {
  readonly times: readonly number[];
  readonly mean: number;
  readonly square: number;
}

export function servicesOf(times: readonly number[]): Services {
  let sum = 0;
  let squares = 0;
  for (const time of times) {
    sum += time;
    squares += time * time;
  }
  return { times, mean: sum / times.length, square: squares / times.length };
}

const SHARES = 128;
const NORMAL_POINTS: readonly number[] = Array.from({ length: SHARES }, (_, k) => probit((k + 0.5) / SHARES));

/** Above this no queue is predictable: the estimate of the load itself is no better. */
export const MAX_UTILIZATION = 0.95;
/** Halvings: to a millionth. */
const STEPS = 20;

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

/** What those who wait wait on average. */
const meanWaitMsOf = ({ mean, square }: Services, utilization: number, servers: number): number =>
  square / (2 * mean * servers * (1 - utilization));

/** The share of requests that find every server busy. */
const waitingShare = (utilization: number, servers: number): number =>
  servers === 1 ? utilization : utilization ** (Math.sqrt(2 * (servers + 1)) - 1);

/**
 * P(response > `limitMs`).
 *
 * @param utilization of each server, in [0, 1)
 * @param servers at least 1; need not be whole
 */
export function lateShare(services: Services, utilization: number, limitMs: number, servers = 1): number {
  const { times } = services;
  const meanWaitMs = meanWaitMsOf(services, utilization, servers);
  const waiting = waitingShare(utilization, servers);
  let late = 0;
  for (const own of times) {
    const roomMs = limitMs - own;
    late += roomMs < 0 ? 1 : waiting * Math.exp(-roomMs / meanWaitMs);
  }
  return late / times.length;
}

/**
 * The greatest utilization at which `quantile` of the responses stays within `limitMs`; undefined when an idle server misses it too.
 * Rises with the limit, falls with the quantile.
 */
export function greatestUtilization(services: Services, limitMs: number, quantile: number): number | undefined {
  return lateShare(services, 0, limitMs) <= 1 - quantile ? utilizationAt(services, limitMs, 1 - quantile) : undefined;
}

/** Of what a goal leaves to be late, so much may always be late by the queue. */
const QUEUE_SHARE = 0.25;

/**
 * The utilization to plan with: as above, but requests that are late by themselves, however idle the server is, take at most three quarters of what may be
 * late. Without it a goal that long prompts alone nearly miss would ask for servers that do nothing, and one that they just miss for hardly any.
 */
export function plannedUtilization(services: Services, limitMs: number, quantile: number): number {
  return utilizationAt(services, limitMs, plannedShare(services, limitMs, quantile));
}

function plannedShare(services: Services, limitMs: number, quantile: number): number {
  const mayBeLate = 1 - quantile;
  return Math.max(mayBeLate, lateShare(services, 0, limitMs) + QUEUE_SHARE * mayBeLate);
}

/**
 * The servers of one queue that `offered` busy servers' worth of work takes by the same measure; a real number, as small as the work is. Rises with the work, and
 * less than in proportion: the more servers there are, the rarer all of them are busy. Below one server's worth it is the work over
 * {@link plannedUtilization}.
 *
 * @param offered requests a second times the mean service in seconds
 * @param bounds of the utilization, inside of (0, 1)
 */
export function plannedServers(
  services: Services,
  offered: number,
  { limitMs, quantile, bounds }: { limitMs: number; quantile: number; bounds: readonly [least: number, most: number] },
): number {
  const [least, most] = bounds;
  const share = plannedShare(services, limitMs, quantile);
  const isEnough = (servers: number): boolean => lateShare(services, offered / servers, limitMs, servers) <= share;
  let high = offered / least;
  if (high <= 1 || (offered <= most && isEnough(1))) {
    return offered / Math.min(most, Math.max(least, utilizationAt(services, limitMs, share)));
  }
  let low = Math.max(1, offered / most);
  if (isEnough(low)) return low;
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return high;
}

/** The greatest utilization at which no more than the share is late, which an idle server must keep. */
function utilizationAt(services: Services, limitMs: number, share: number): number {
  const isMet = (utilization: number): boolean => lateShare(services, utilization, limitMs) <= share;
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
export function responseQuantileMs(
  services: Services,
  utilization: number,
  quantile: number,
  servers = 1,
): number | undefined {
  if (!(utilization >= 0 && utilization < 1)) return undefined;
  let low = 0;
  let high = Math.max(...services.times) + meanWaitMsOf(services, utilization, servers) * Math.log(1 / (1 - quantile));
  for (let step = 0; step < STEPS; step++) {
    const middle = (low + high) / 2;
    if (lateShare(services, utilization, middle, servers) <= 1 - quantile) high = middle;
    else low = middle;
  }
  return high;
}
