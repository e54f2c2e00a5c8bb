/**
 * The building blocks of ready-made signals: PromQL that gives one value a pod, with the query that dates it.
 *
 * Every query is aggregated by `namespace` and `pod`, so `or` falls back pod by pod: in a fleet that is half updated each pod is read under the name
 * that it has. Rates are taken per series and added up afterwards, or a restart of one engine would look like a drop of all.
 */

/** A vector with one sample a pod, and the time of each pod's latest raw sample. */
export interface Term {
  readonly query: string;
  readonly freshnessQuery: string;
}

export interface SignalQuery extends Term {
  /** How the pods of one replica add up, where several of them have a value. */
  readonly perReplica: "sum" | "mean";
  /**
   * Requests in the window, per pod. Where it is 0 a value that is not finite means idle: a quantile over nothing is NaN, and waiting for a number
   * would never let an idle target shrink.
   */
  readonly idleQuery?: string;
  /** A sample for each pod whose engines all sleep: their weights are off the GPU, so they are no capacity. */
  readonly asleepQuery?: string;
  /** What the frontends of the same set say about the target as a whole. */
  readonly ofSet?: Term & {
    /**
     * `add`: a total that waits in front of all replicas, spread over them on top of their own. `share`: a total, spread where no pod has a value of
     * its own. `same`: holds for each replica where no pod has a value of its own; the largest of several frontends.
     */
    readonly how: "add" | "share" | "same";
  };
  /** The value stands in labels: the product of the first of these lists whose labels are all there. Samples with none of them count by value. */
  readonly labelProducts?: readonly (readonly string[])[];
}

/** At least four scrapes of 15 s, so that one that fails leaves two samples. */
export const WINDOW = "1m";
const LATENCY_WINDOW = "2m";
export const BY_POD = "by (namespace, pod)";

/** Mean over a window of each series, then over the series of the pod (`avg`) or their sum. */
export const gauge = (aggregate: "sum" | "avg" | "max", selector: string): Term =>
  dated(`${aggregate} ${BY_POD} (avg_over_time(${selector}[${WINDOW}]))`, selector);

export const rate = (selector: string): Term => dated(`sum ${BY_POD} (rate(${selector}[${WINDOW}]))`, selector);

/** @param query gives one sample a pod */
export const dated = (query: string, selector: string): Term => ({
  query,
  freshnessQuery: `max ${BY_POD} (timestamp(${selector}))`,
});

/** The first that has a value, pod by pod. */
export const firstOf = (...terms: readonly Term[]): Term => ({
  query: terms.map(({ query }) => query).join(" or "),
  freshnessQuery: [...new Set(terms.map(({ freshnessQuery }) => freshnessQuery))].join(" or "),
});

/** The sum of those that a pod has: an engine that never had a request of one kind has no series for it. */
export function plus(a: Term, b: Term): Term {
  const both = { query: `(${a.query}) + (${b.query})`, freshnessQuery: a.freshnessQuery };
  return firstOf(both, a, b);
}

/** Never below 0: two counters are not read at the same moment. Without a second one, the first. */
export const minus = (a: Term, b: Term): Term =>
  firstOf({ query: `clamp_min((${a.query}) - (${b.query}), 0)`, freshnessQuery: a.freshnessQuery }, a);

/** NaN where nothing was counted. */
export const over = (a: Term, b: Term): Term => ({
  query: `(${a.query}) / (${b.query})`,
  freshnessQuery: b.freshnessQuery,
});

/** A tail takes many requests. */
const SPREAD_WINDOW = "10m";

/** The 99th percentile of a histogram over its median. @param names of the histogram, without `_bucket` */
export function spread(names: readonly string[], matchers = ""): SignalQuery {
  const braces = matchers === "" ? "" : `{${matchers}}`;
  const terms = names.map((name) => {
    const at = (quantile: number): string =>
      `histogram_quantile(${quantile}, sum by (namespace, pod, le) (rate(${name}_bucket${braces}[${SPREAD_WINDOW}])))`;
    return dated(`${at(0.99)} / ${at(0.5)}`, `${name}_count${braces}`);
  });
  return {
    ...firstOf(...terms),
    perReplica: "mean",
    idleQuery: names.map((name) => `sum ${BY_POD} (increase(${name}_count${braces}[${SPREAD_WINDOW}]))`).join(" or "),
  };
}

/** Quantile of a histogram in the pod's series taken together. @param names of the histogram, without `_bucket` */
export function latency(names: readonly string[], quantile: number, matchers = ""): SignalQuery {
  const braces = matchers === "" ? "" : `{${matchers}}`;
  const terms = names.map((name) =>
    dated(
      `histogram_quantile(${quantile}, sum by (namespace, pod, le) (rate(${name}_bucket${braces}[${LATENCY_WINDOW}])))`,
      `${name}_count${braces}`,
    ),
  );
  return {
    ...firstOf(...terms),
    perReplica: "mean",
    idleQuery: names.map((name) => `sum ${BY_POD} (increase(${name}_count${braces}[${LATENCY_WINDOW}]))`).join(" or "),
  };
}
