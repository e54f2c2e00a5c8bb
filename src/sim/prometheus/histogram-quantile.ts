/** `histogram_quantile` over classic histograms: Prometheus's `promql/quantile.go`. */
import { remember } from "../remember.ts";
import { type LabelSet, METRIC_NAME, without } from "./labels.ts";
import type { Element } from "./vector.ts";

/** What the labels of its buckets say of a histogram. */
export interface Histogram {
  /** Without `le`. */
  readonly labels: LabelSet;
  /** Each once, ascending. */
  readonly upperBounds: readonly number[];
  /** For each bound, which elements have it. */
  readonly membersAt: readonly (readonly number[])[];
}

interface Bucket {
  readonly upperBound: number;
  readonly at: number;
}

const BUCKET_LABELS: ReadonlySet<string> = new Set(["le", METRIC_NAME]);

const histogramOf = new WeakMap<LabelSet, LabelSet>();

/** One for each set of labels other than `le`; elements whose `le` is not a number are left out. */
export function histogramsOf(all: readonly LabelSet[]): readonly Histogram[] {
  const found = new Map<string, { labels: LabelSet; buckets: Bucket[] }>();
  for (const [at, labels] of all.entries()) {
    const upperBound = parseBound(labels.get("le"));
    if (upperBound === undefined) continue;
    const rest = remember(histogramOf, labels, (bucket) => without(bucket, BUCKET_LABELS));
    remember(found, rest.key, () => ({ labels: rest, buckets: [] })).buckets.push({ upperBound, at });
  }
  return [...found.values()].map(({ labels, buckets }) => {
    const upperBounds: number[] = [];
    const membersAt: number[][] = [];
    for (const { upperBound, at } of buckets.sort(byBound)) {
      if (upperBounds.at(-1) === upperBound) membersAt.at(-1)?.push(at);
      else {
        upperBounds.push(upperBound);
        membersAt.push([at]);
      }
    }
    return { labels, upperBounds, membersAt };
  });
}

const byBound = ({ upperBound: a }: Bucket, { upperBound: b }: Bucket): number => (a < b ? -1 : a > b ? 1 : 0);

/** @param histograms of the elements */
export function histogramQuantile(
  q: number,
  elements: readonly Element[],
  histograms: readonly Histogram[],
): readonly Element[] {
  const counts: number[] = [];
  return histograms.map(({ labels, upperBounds, membersAt }) => {
    counts.length = 0;
    // Scrapes in the middle of an update, and rates, can leave a bucket below its predecessor.
    let highest = Number.NEGATIVE_INFINITY;
    for (const members of membersAt) {
      let count = (elements[members[0] as number] as Element).value;
      for (let more = 1; more < members.length; more++) count += (elements[members[more] as number] as Element).value;
      if (count > highest) highest = count;
      counts.push(count < highest ? highest : count);
    }
    return { labels, value: bucketQuantile(q, upperBounds, counts) };
  });
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
function bucketQuantile(q: number, upperBounds: readonly number[], counts: readonly number[]): number {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const last = upperBounds.length - 1;
  if (upperBounds[last] !== Number.POSITIVE_INFINITY || last < 1) return Number.NaN;
  const observations = counts[last] as number;
  if (observations === 0) return Number.NaN;
  const rank = q * observations;
  let index = 0;
  while (index < last && !((counts[index] as number) >= rank)) index++;
  if (index === last) return upperBounds[last - 1] as number;
  const upperBound = upperBounds[index] as number;
  if (index === 0 && upperBound <= 0) return upperBound;
  const lowerBound = index === 0 ? 0 : (upperBounds[index - 1] as number);
  const below = index === 0 ? 0 : (counts[index - 1] as number);
  return lowerBound + (upperBound - lowerBound) * ((rank - below) / ((counts[index] as number) - below));
}
