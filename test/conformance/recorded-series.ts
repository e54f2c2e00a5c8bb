/** What an embedded Prometheus has scraped, as samples for others. */
import { METRIC_NAME } from "../../src/sim/prometheus/labels.ts";
import type { SeriesStore, StoredSeries } from "../../src/sim/prometheus/series-store.ts";
import type { GeneratedSeries } from "./promql-samples.ts";

/**
 * All series, moved in time. Of a series with staleness markers it is the longest stretch between two of them: text cannot carry a marker, and without it
 * what comes after would be joined to what was before.
 */
export const recordedSeries = (store: SeriesStore, shiftMs = 0): readonly GeneratedSeries[] =>
  store.select([]).map(({ labels, samples }) => {
    const { [METRIC_NAME]: name = "", ...rest } = Object.fromEntries(labels);
    return { name, labels: rest, points: longestStretch(samples, shiftMs) };
  });

type Points = (readonly [number, number])[];

function longestStretch(samples: StoredSeries["samples"], shiftMs: number): Points {
  let longest: Points = [];
  let points: Points = [];
  for (let at = 0; at < samples.length; at++) {
    if (samples.isStale(at)) points = [];
    else points.push([samples.timeAt(at) + shiftMs, samples.valueAt(at)]);
    if (points.length > longest.length) longest = points;
  }
  return longest;
}
