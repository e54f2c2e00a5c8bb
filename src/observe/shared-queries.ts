/** One query for many policies: the same text within one tick goes to the server once. */
import type { Clock } from "../clock.ts";
import type { MetricsSource, Sample } from "./metrics-source.ts";

export interface SharedQueriesOptions {
  readonly source: MetricsSource;
  readonly clock: Clock;
  /** How old an answer may be to be shared; less than a scrape interval. */
  readonly maxAgeMs?: number;
}

export interface SharedAnswer {
  readonly samples: readonly Sample[];
  /** By `namespace/pod`, for samples that carry a pod; built once per answer. */
  readonly byPod: ReadonlyMap<string, readonly Sample[]>;
}

export interface SharedQueries {
  query(promql: string): Promise<SharedAnswer>;
}

const MAX_AGE_MS = 5_000;

export function shareQueries({ source, clock, maxAgeMs = MAX_AGE_MS }: SharedQueriesOptions): SharedQueries {
  const answers = new Map<string, { readonly atMs: number; readonly answer: Promise<SharedAnswer> }>();
  return {
    query(promql) {
      const now = clock.monotonicMs();
      for (const [text, { atMs }] of answers) {
        // In insertion order, so the first one that is fresh ends the sweep.
        if (now - atMs <= maxAgeMs) break;
        answers.delete(text);
      }
      const known = answers.get(promql);
      if (known !== undefined) return known.answer;
      const answer = source.query(promql).then((samples) => ({ samples, byPod: groupByPod(samples) }));
      answers.set(promql, { atMs: now, answer });
      // A failure is shared within its tick too: a server that is down is not asked once per policy. The caller handles it.
      answer.catch(() => undefined);
      return answer;
    },
  };
}

function groupByPod(samples: readonly Sample[]): ReadonlyMap<string, readonly Sample[]> {
  const byPod = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = podKeyOf(sample);
    if (key === undefined) continue;
    const bucket = byPod.get(key);
    if (bucket === undefined) byPod.set(key, [sample]);
    else bucket.push(sample);
  }
  return byPod;
}

/** `exported_*` wins: with `honorLabels: false` the bare labels are the exporter's own pod. */
function podKeyOf({ labels }: Pick<Sample, "labels">): string | undefined {
  const pod = labels["exported_pod"] ?? labels["pod"];
  const namespace = labels["exported_namespace"] ?? labels["namespace"];
  return pod === undefined || pod === "" || namespace === undefined ? undefined : `${namespace}/${pod}`;
}
