/** The MetricsSource port over the Prometheus HTTP API. */
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import axios, { type AxiosInstance, isAxiosError } from "axios";
import { type Labels, MetricsError, type MetricsSource, type Sample, type Series } from "./metrics-source.ts";

/** 100,000 pods × about 100 bytes a sample; a query that returns more is a mistake, not a signal. */
const MAX_RESPONSE_BYTES = 16 * 1024 * 1024;
const DEFAULT_TIMEOUT_MS = 10_000;
/** Queries that run at the same time; Prometheus's own default limit is 20. */
const MAX_SOCKETS = 8;

export interface PrometheusClientOptions {
  /** `http://prometheus.monitoring:9090`, with a path prefix if there is one. */
  readonly url: string;
  /** A function is asked before each query: tokens in files rotate. */
  readonly bearerToken?: string | (() => Promise<string>);
  readonly timeoutMs?: number;
  /** Extra headers, e.g. `X-Scope-OrgID` of Mimir. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface Answer {
  readonly status: "success" | "error";
  readonly data?: { readonly resultType: string; readonly result: unknown };
  readonly errorType?: string;
  readonly error?: string;
}

export function createPrometheusClient({
  url,
  bearerToken,
  timeoutMs = DEFAULT_TIMEOUT_MS,
  headers = {},
}: PrometheusClientOptions): MetricsSource {
  const http = axios.create({
    baseURL: url.replace(/\/+$/, ""),
    timeout: timeoutMs,
    adapter: "http",
    proxy: false,
    // An answer that points elsewhere is not followed: the policy's author does not choose where our credentials go.
    maxRedirects: 0,
    maxContentLength: MAX_RESPONSE_BYTES,
    httpAgent: new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS }),
    httpsAgent: new HttpsAgent({ keepAlive: true, maxSockets: MAX_SOCKETS }),
    headers: { ...headers },
    validateStatus: () => true,
    responseType: "json",
  });
  if (bearerToken !== undefined) {
    http.interceptors.request.use(async (request) => {
      const token = typeof bearerToken === "string" ? bearerToken : await bearerToken();
      request.headers.set("Authorization", `Bearer ${token}`);
      return request;
    });
  }
  return {
    async query(promql, { timeSeconds, signal } = {}) {
      const params = { query: promql, ...(timeSeconds === undefined ? {} : { time: String(timeSeconds) }) };
      return readInstant(await ask(http, "/api/v1/query", params, signal));
    },
    async queryRange(promql, { startSeconds, endSeconds, stepSeconds, signal }) {
      const params = { query: promql, start: String(startSeconds), end: String(endSeconds), step: String(stepSeconds) };
      return readMatrix(await ask(http, "/api/v1/query_range", params, signal));
    },
  };
}

async function ask(
  http: AxiosInstance,
  path: string,
  params: Readonly<Record<string, string>>,
  signal?: AbortSignal,
): Promise<NonNullable<Answer["data"]>> {
  let answer: Answer;
  let status: number;
  try {
    // POST: a grouped query may be longer than a URL may be.
    const response = await http.post<Answer>(path, new URLSearchParams(params), signal === undefined ? {} : { signal });
    answer = response.data;
    status = response.status;
  } catch (error) {
    throw toMetricsError(error);
  }
  if (answer?.status === "success" && answer.data !== undefined) return answer.data;
  if (answer?.errorType === "bad_data") throw new MetricsError("QueryInvalid", answer.error ?? "bad_data");
  throw new MetricsError(
    status >= 500 && answer?.status === undefined ? "Unreachable" : "Failed",
    answer?.error ?? `HTTP ${status}`,
  );
}

function toMetricsError(error: unknown): MetricsError {
  if (!isAxiosError(error)) return new MetricsError("Failed", String(error));
  if (error.message.startsWith("maxContentLength")) {
    return new MetricsError("TooLarge", `the answer has more than ${MAX_RESPONSE_BYTES} bytes`);
  }
  return new MetricsError("Unreachable", error.code === undefined ? error.message : `${error.code}: ${error.message}`);
}

type Point = readonly [number, string];

function readInstant({ resultType, result }: NonNullable<Answer["data"]>): readonly Sample[] {
  switch (resultType) {
    case "vector":
      return (result as readonly { metric: Labels; value: Point }[]).map(({ metric, value }) => ({
        labels: metric,
        ...readPoint(value),
      }));
    case "scalar":
      return [{ labels: {}, ...readPoint(result as Point) }];
    default:
      throw new MetricsError("QueryInvalid", `the query gives a ${resultType}, not a vector or a scalar`);
  }
}

function readMatrix({ resultType, result }: NonNullable<Answer["data"]>): readonly Series[] {
  if (resultType !== "matrix") throw new MetricsError("QueryInvalid", `the range query gives a ${resultType}`);
  return (result as readonly { metric: Labels; values: readonly Point[] }[]).map(({ metric, values }) => ({
    labels: metric,
    points: values.map(([atSeconds, text]) => [atSeconds, readNumber(text)] as const),
  }));
}

const readPoint = ([timestampSeconds, text]: Point): { timestampSeconds: number; value: number } => ({
  timestampSeconds,
  value: readNumber(text),
});

/** Prometheus writes `NaN`, `+Inf` and `-Inf`. */
function readNumber(text: string): number {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  return text === "" ? Number.NaN : Number(text);
}
