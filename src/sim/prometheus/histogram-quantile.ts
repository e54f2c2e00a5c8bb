/** `histogram_quantile` over classic histograms: Prometheus's `promql/quantile.go`. */
import { remember } from "../remember.ts";
import { type LabelSet, labelKey, METRIC_NAME, without } from "./labels.ts";
import type { Element } from "./vector.ts";

interface Bucket {
  readonly upperBound: number;
  readonly count: number;
}

const BUCKET_LABELS: ReadonlySet<string> = new Set(["le", METRIC_NAME]);

const histogramOf = new WeakMap<LabelSet, LabelSet>();

/** One element per set of labels other than `le`; elements whose `le` is not a number are left out. */
export function histogramQuantile(q: number, elements: readonly Element[]): readonly Element[] {
  const histograms = new Map<string, { labels: Element["labels"]; buckets: Bucket[] }>();
  for (const { labels, value } of elements) {
    const upperBound = parseBound(labels.get("le"));
    if (upperBound === undefined) continue;
    const rest = remember(histogramOf, labels, (bucket) => without(bucket, BUCKET_LABELS));
    const key = labelKey(rest);
    const histogram = histograms.get(key);
    if (histogram === undefined) histograms.set(key, { labels: rest, buckets: [{ upperBound, count: value }] });
    else histogram.buckets.push({ upperBound, count: value });
  }
  return [...histograms.values()].map(({ labels, buckets }) => ({ labels, value: bucketQuantile(q, buckets) }));
}

function parseBound(text: string | undefined): number | undefined {
  if (text === undefined || text.trim() === "") return undefined;
  const signed = /^([+-]?)inf$/i.exec(text);
  if (signed !== null) return signed[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const value = Number(text);
  return Number.isNaN(value) ? undefined : value;
}

/**
 * The quantile by linear interpolation inside its bucket; the lower bound of the first bucket is 0 when its upper
 * bound is positive; a quantile in the +Inf bucket gives the highest finite bound.
 */
function bucketQuantile(q: number, unsorted: readonly Bucket[]): number {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const sorted = unsorted.toSorted((a, b) => (a.upperBound < b.upperBound ? -1 : a.upperBound > b.upperBound ? 1 : 0));
  if (sorted.at(-1)?.upperBound !== Number.POSITIVE_INFINITY) return Number.NaN;
  const buckets = monotonic(coalesce(sorted));
  if (buckets.length < 2) return Number.NaN;
  const observations = (buckets.at(-1) as Bucket).count;
  if (observations === 0) return Number.NaN;
  let rank = q * observations;
  const last = buckets.length - 1;
  let index = buckets.findIndex(({ count }, i) => i < last && count >= rank);
  if (index === -1) index = last;
  const bucket = buckets[index] as Bucket;
  if (index === last) return (buckets[last - 1] as Bucket).upperBound;
  if (index === 0 && bucket.upperBound <= 0) return bucket.upperBound;
  const below = index === 0 ? { upperBound: 0, count: 0 } : (buckets[index - 1] as Bucket);
  rank -= below.count;
  return below.upperBound + (bucket.upperBound - below.upperBound) * (rank / (bucket.count - below.count));
}

function coalesce(sorted: readonly Bucket[]): Bucket[] {
  const merged: Bucket[] = [];
  for (const bucket of sorted) {
    const last = merged.at(-1);
    if (last?.upperBound === bucket.upperBound) {
      merged[merged.length - 1] = { upperBound: last.upperBound, count: last.count + bucket.count };
    } else merged.push(bucket);
  }
  return merged;
}

/** Scrapes in the middle of an update, and rates, can leave a bucket below its predecessor. */
function monotonic(buckets: readonly Bucket[]): Bucket[] {
  let highest = Number.NEGATIVE_INFINITY;
  return buckets.map(({ upperBound, count }) => {
    if (count > highest) highest = count;
    return { upperBound, count: count < highest ? highest : count };
  });
}
