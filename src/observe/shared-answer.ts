/** An answer as its readers need it: by pod, and by namespace with the pods in order. Both are kept from one answer to the next of the same query. */
import type { Labels, Sample, SampleVector } from "./metrics-source.ts";

/** Samples that carry a pod, by `namespace/pod`. */
export interface SamplesByPod {
  has(pod: string): boolean;
  /** In the order of the answer; empty for a pod without one. */
  get(pod: string): readonly Sample[];
  /** Pods. */
  readonly size: number;
  /** Of the pod that has most. */
  readonly mostOfOnePod: number;
  /** Samples that carry no pod. */
  readonly podless: number;
}

export interface SharedAnswer {
  readonly samples: SampleVector;
  /** Monotonic. Readers come later, and what they read is older by that much. */
  readonly askedAtMs: number;
  readonly byPod: SamplesByPod;
  /** Where the samples of a namespace are, by the name of the pod in the query's own labels. */
  readonly ofNamespace: (namespace: string) => readonly SamplePlace[];
}

export interface SamplePlace {
  readonly pod: string;
  /** Index in `samples`. */
  readonly at: number;
}

/** @param previous answer to the same query: where it has the same series, its indexes serve again */
export function answerOf(samples: SampleVector, askedAtMs: number, previous?: SharedAnswer): SharedAnswer {
  const series = knownSeries(samples, previous) ?? new Series(samples);
  const answer: SharedAnswer = {
    samples,
    askedAtMs,
    byPod: new PodSamples(samples, series),
    ofNamespace: (namespace) => series.byNamespace.get(namespace) ?? [],
  };
  seriesOf.set(answer, series);
  const first = samples.at(0)?.labels;
  if (first !== undefined) seriesFrom.set(first, series);
  return answer;
}

const seriesOf = new WeakMap<SharedAnswer, Series>();
/** By the first label set: answers to several queries about the same pods have the same series. */
const seriesFrom = new WeakMap<Labels, Series>();

function knownSeries(samples: SampleVector, previous: SharedAnswer | undefined): Series | undefined {
  const first = samples.at(0)?.labels;
  const candidates = [
    previous === undefined ? undefined : seriesOf.get(previous),
    first === undefined ? undefined : seriesFrom.get(first),
  ];
  return candidates.find((series) => series?.isOf(samples) === true);
}

class PodSamples implements SamplesByPod {
  readonly samples: SampleVector;
  readonly series: Series;

  constructor(samples: SampleVector, series: Series) {
    this.samples = samples;
    this.series = series;
  }

  has(pod: string): boolean {
    return this.series.byPod.has(pod);
  }

  get(pod: string): readonly Sample[] {
    const places = this.series.byPod.get(pod);
    if (places === undefined) return [];
    return typeof places === "number"
      ? [this.samples.at(places) as Sample]
      : places.map((place) => this.samples.at(place) as Sample);
  }

  get size(): number {
    return this.series.byPod.size;
  }

  get mostOfOnePod(): number {
    let most = 0;
    for (const places of this.series.byPod.values())
      most = Math.max(most, typeof places === "number" ? 1 : places.length);
    return most;
  }

  get podless(): number {
    let withPod = 0;
    for (const places of this.series.byPod.values()) withPod += typeof places === "number" ? 1 : places.length;
    return this.samples.length - withPod;
  }
}

/** Label sets in the order of an answer, and the indexes over them, made when first asked for. */
class Series {
  readonly #labels: readonly Labels[];
  #byPod: ReadonlyMap<string, number | readonly number[]> | undefined;
  #byNamespace: ReadonlyMap<string, readonly SamplePlace[]> | undefined;

  constructor(samples: SampleVector) {
    this.#labels = samples.labels ?? Array.from(samples, ({ labels }) => labels);
  }

  /** By identity: a source that makes its label sets anew is indexed anew. */
  isOf(samples: SampleVector): boolean {
    const labels = this.#labels;
    if (samples.labels === labels) return true;
    if (samples.length !== labels.length) return false;
    let at = 0;
    for (const sample of samples) if (sample.labels !== labels[at++]) return false;
    return true;
  }

  get byPod(): ReadonlyMap<string, number | readonly number[]> {
    this.#byPod ??= indexByPod(this.#labels);
    return this.#byPod;
  }

  get byNamespace(): ReadonlyMap<string, readonly SamplePlace[]> {
    this.#byNamespace ??= indexByNamespace(this.#labels);
    return this.#byNamespace;
  }
}

function indexByPod(all: readonly Labels[]): ReadonlyMap<string, number | readonly number[]> {
  const byPod = new Map<string, number | number[]>();
  all.forEach((labels, at) => {
    const key = podKeyOf(labels);
    if (key === undefined) return;
    const known = byPod.get(key);
    if (known === undefined) byPod.set(key, at);
    else if (typeof known === "number") byPod.set(key, [known, at]);
    else known.push(at);
  });
  return byPod;
}

function indexByNamespace(all: readonly Labels[]): ReadonlyMap<string, readonly SamplePlace[]> {
  const index = new Map<string, SamplePlace[]>();
  all.forEach((labels, at) => {
    const namespace = labels["namespace"] ?? "";
    const place = { pod: labels["pod"] ?? "", at };
    const bucket = index.get(namespace);
    if (bucket === undefined) index.set(namespace, [place]);
    else bucket.push(place);
  });
  for (const bucket of index.values()) bucket.sort((a, b) => (a.pod < b.pod ? -1 : a.pod > b.pod ? 1 : 0));
  return index;
}

/** `exported_*` wins: with `honorLabels: false` the bare labels are the exporter's own pod. */
function podKeyOf(labels: Labels): string | undefined {
  const pod = labels["exported_pod"] ?? labels["pod"];
  const namespace = labels["exported_namespace"] ?? labels["namespace"];
  return pod === undefined || pod === "" || namespace === undefined ? undefined : `${namespace}/${pod}`;
}
