/**
 * The MetricsSource port: instant and range PromQL.
 *
 * Adapters: `prometheus-client.ts` (the HTTP API, through axios) and the embedded Prometheus (direct calls).
 */

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  /** Evaluation time of an instant query, in seconds since the epoch, by the clock of the metrics server. */
  readonly timestampSeconds: number;
  /** May be NaN or infinite: the caller classifies. */
  readonly value: number;
}

/** What an instant query gives: an array of samples, or what makes each sample when it is looked at. */
export interface SampleVector {
  readonly length: number;
  at(index: number): Sample | undefined;
  [Symbol.iterator](): Iterator<Sample>;
  /** Label sets in the order of the samples, where the source keeps them apart: the same array is the same series. */
  readonly labels?: readonly Labels[];
}

export interface Series {
  readonly labels: Labels;
  /** `[seconds since the epoch, value]`, by time. */
  readonly points: readonly (readonly [number, number])[];
}

/** Why a query gave nothing: the reason goes into the `MetricsAvailable` condition. */
export class MetricsError extends Error {
  readonly kind: "Unreachable" | "QueryInvalid" | "TooLarge" | "Failed";
  /** The server refuses this question and may answer another one: it asks for too much, or for what is not ours to see. */
  readonly isRefusal: boolean;
  constructor(kind: MetricsError["kind"], message: string, isRefusal = kind === "QueryInvalid" || kind === "TooLarge") {
    super(message);
    this.name = "MetricsError";
    this.kind = kind;
    this.isRefusal = isRefusal;
  }
}

export interface MetricsSource {
  /** A scalar result comes back as one sample without labels. Rejects with {@link MetricsError}. */
  query(
    promql: string,
    options?: { readonly timeSeconds?: number; readonly signal?: AbortSignal },
  ): Promise<SampleVector>;
  queryRange(
    promql: string,
    range: {
      readonly startSeconds: number;
      readonly endSeconds: number;
      readonly stepSeconds: number;
      readonly signal?: AbortSignal;
    },
  ): Promise<readonly Series[]>;
}
