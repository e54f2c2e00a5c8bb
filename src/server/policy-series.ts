/** The series of one policy: set together, and gone together when the policy, a target or a metric is. */
import type { Counter, Gauge } from "prom-client";

type SeriesLabels = Readonly<Record<string, string>>;

export type Point =
  | { readonly gauge: Gauge; readonly labels: SeriesLabels; readonly value: number }
  | { readonly counter: Counter; readonly labels: SeriesLabels; readonly add: number };

/**
 * A policy with three targets has about 60 series; a scrape of 60,000 takes a quarter of a second in which nothing else runs.
 * Policies beyond the bound are still scaled, counted in the totals, and explained in their status.
 */
export const MAX_POLICIES_WITH_SERIES = 1_000;

export class PolicySeries {
  readonly #groups = new Map<string, Map<string, ReadonlyMap<string, Point>>>();
  readonly #left = new Set<string>();

  /** Policies with series of their own, and those past the bound. */
  get counts(): { readonly shown: number; readonly left: number } {
    return { shown: this.#groups.size, left: this.#left.size };
  }

  /** Sets the points of one group of a policy's series; those of the group's last time that are not there any more end. */
  publish(policy: string, group: string, points: readonly Point[]): void {
    const groups = this.#groupsOf(policy);
    if (groups === undefined) return;
    const next = new Map(points.map((point) => [keyOf(point), point]));
    for (const [key, point] of groups.get(group) ?? []) if (!next.has(key)) remove(point);
    for (const point of points) {
      if ("gauge" in point) point.gauge.set(point.labels, point.value);
      else point.counter.inc(point.labels, point.add);
    }
    groups.set(group, next);
  }

  forget(policy: string): void {
    for (const points of this.#groups.get(policy)?.values() ?? []) for (const point of points.values()) remove(point);
    this.#groups.delete(policy);
    this.#left.delete(policy);
  }

  #groupsOf(policy: string): Map<string, ReadonlyMap<string, Point>> | undefined {
    const known = this.#groups.get(policy);
    if (known !== undefined) return known;
    if (this.#groups.size >= MAX_POLICIES_WITH_SERIES) {
      this.#left.add(policy);
      return undefined;
    }
    this.#left.delete(policy);
    const fresh = new Map<string, ReadonlyMap<string, Point>>();
    this.#groups.set(policy, fresh);
    return fresh;
  }
}

const metricOf = (point: Point): Gauge | Counter => ("gauge" in point ? point.gauge : point.counter);
const remove = (point: Point): void => metricOf(point).remove(point.labels);
const keyOf = (point: Point): string => {
  // prom-client keeps the name to itself in its types.
  const { name } = metricOf(point) as unknown as { readonly name: string };
  return `${name} ${JSON.stringify(point.labels)}`;
};
