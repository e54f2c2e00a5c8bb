/** The MetricsSource port over the Prometheus HTTP API. */
import { Agent as HttpAgent } from "node:http";
import { type AgentOptions, Agent as HttpsAgent } from "node:https";
import type { Readable } from "node:stream";
import axios, { isAxiosError } from "axios";
import { type Labels, MetricsError, type MetricsSource, type Sample, type Series } from "./metrics-source.ts";
import { createVectorReader, readNumber } from "./read-vector.ts";
import { BodyTooLargeError, ResponseBuffers } from "./response-body.ts";

/** 100,000 pods × about 100 bytes a sample; a query that returns more is a mistake, not a signal. */
const MAX_RESPONSE_BYTES = 16 * 1024 * 1024;
/** As many again: each is an object of ours for as long as a tick lasts. */
const MAX_SERIES = 200_000;
const DEFAULT_TIMEOUT_MS = 10_000;
/** Queries that run at the same time; Prometheus's own default limit is 20. */
const MAX_SOCKETS = 8;

export interface PrometheusClientOptions {
  /** `http://prometheus.monitoring:9090`, with a path prefix if there is one. */
  readonly url: string;
  /** A function is asked before each query: tokens in files rotate. */
  readonly bearerToken?: string | (() => Promise<string>);
  /** Asked before each query as well; not together with a bearer token. */
  readonly basicAuth?: { readonly username: string; readonly password: string | (() => Promise<string>) };
  readonly tls?: TlsOptions;
  readonly timeoutMs?: number;
  /** A larger answer is refused while it arrives. */
  readonly maxResponseBytes?: number;
  /** An answer of more series is refused. */
  readonly maxSeries?: number;
  /** Extra headers, e.g. `X-Scope-OrgID` of Mimir. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Contents of PEM files, not their names. */
export interface TlsOptions {
  /** In place of the public authorities. */
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  /** Name in the server's certificate, where it is not that of the URL. */
  readonly serverName?: string;
  /** Takes any certificate: anybody on the way can answer in the server's place. */
  readonly insecureSkipVerify?: boolean;
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
  basicAuth,
  tls = {},
  timeoutMs = DEFAULT_TIMEOUT_MS,
  maxResponseBytes = MAX_RESPONSE_BYTES,
  maxSeries = MAX_SERIES,
  headers = {},
}: PrometheusClientOptions): MetricsSource {
  const http = axios.create({
    baseURL: url.replace(/\/+$/, ""),
    timeout: timeoutMs,
    adapter: "http",
    proxy: false,
    // An answer that points elsewhere is not followed: the policy's author does not choose where our credentials go.
    maxRedirects: 0,
    httpAgent: new HttpAgent({ keepAlive: true, maxSockets: MAX_SOCKETS }),
    httpsAgent: new HttpsAgent({ keepAlive: true, maxSockets: MAX_SOCKETS, ...agentTls(tls) }),
    headers: { ...headers },
    validateStatus: () => true,
    // Read here, not by axios: an answer of a whole fleet is read from its bytes.
    responseType: "stream",
  });
  const authorization = authorizationOf(bearerToken, basicAuth);
  if (authorization !== undefined) {
    http.interceptors.request.use(async (request) => {
      request.headers.set("Authorization", await authorization());
      return request;
    });
  }
  const vectors = createVectorReader();
  const buffers = new ResponseBuffers();

  /** @throws MetricsError when there is no answer, one that is too large, or one that `read` can make nothing of */
  async function post<T>(
    path: string,
    params: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
    read: (response: Response) => T,
  ): Promise<T> {
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      // POST: a grouped query may be longer than a URL may be.
      const { status, data } = await http.post<Readable>(
        path,
        new URLSearchParams(params),
        signal === undefined ? {} : { signal },
      );
      const body = await buffers.read(data, {
        maxBytes: maxResponseBytes,
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
      try {
        return read({ status, body: body.bytes });
      } finally {
        body.release();
      }
    } catch (error) {
      throw toMetricsError(error, { maxResponseBytes, timeoutMs });
    }
  }

  return {
    query(promql, { timeSeconds, signal } = {}) {
      const params = { query: promql, ...(timeSeconds === undefined ? {} : { time: String(timeSeconds) }) };
      return post("/api/v1/query", params, signal, (response) => {
        const samples = vectors.read(promql, response.body);
        if (samples === undefined) return readInstant(dataOf(response, maxSeries));
        checkSeries(samples.length, maxSeries);
        return samples;
      });
    },
    queryRange(promql, { startSeconds, endSeconds, stepSeconds, signal }) {
      const params = { query: promql, start: String(startSeconds), end: String(endSeconds), step: String(stepSeconds) };
      return post("/api/v1/query_range", params, signal, (response) => readMatrix(dataOf(response, maxSeries)));
    },
  };
}

type Secret = string | (() => Promise<string>);
const secret = async (from: Secret): Promise<string> => (typeof from === "string" ? from : from());

function authorizationOf(
  bearerToken: Secret | undefined,
  basicAuth: PrometheusClientOptions["basicAuth"],
): (() => Promise<string>) | undefined {
  if (bearerToken !== undefined) return async () => `Bearer ${await secret(bearerToken)}`;
  if (basicAuth === undefined) return undefined;
  return async () => {
    const pair = `${basicAuth.username}:${await secret(basicAuth.password)}`;
    return `Basic ${Buffer.from(pair, "utf8").toString("base64")}`;
  };
}

const agentTls = ({ ca, certificate, key, serverName, insecureSkipVerify }: TlsOptions): AgentOptions => ({
  ...(ca === undefined ? {} : { ca }),
  ...(certificate === undefined ? {} : { cert: certificate }),
  ...(key === undefined ? {} : { key }),
  ...(serverName === undefined ? {} : { servername: serverName }),
  ...(insecureSkipVerify === true ? { rejectUnauthorized: false } : {}),
});

interface Response {
  readonly status: number;
  /** Used again afterwards. */
  readonly body: Buffer;
}

/** @throws MetricsError when the answer says so, or says nothing that can be read */
function dataOf({ status, body }: Response, maxSeries: number): NonNullable<Answer["data"]> {
  const answer = parseAnswer(body);
  if (answer?.status === "success" && answer.data !== undefined) {
    const { result } = answer.data;
    if (Array.isArray(result)) checkSeries(result.length, maxSeries);
    return answer.data;
  }
  if (answer?.errorType === "bad_data") throw new MetricsError("QueryInvalid", answer.error ?? "bad_data");
  throw new MetricsError(
    status >= 500 && answer?.status === undefined ? "Unreachable" : "Failed",
    answer?.error ?? `HTTP ${status}`,
    REFUSALS.has(status),
  );
}

/** Forbidden, as by a proxy that shows each namespace to its own; and a query that is carried out only in part, since it loads too much. */
const REFUSALS: ReadonlySet<number> = new Set([400, 403, 404, 422]);

/** A gateway's page of HTML is no answer. */
function parseAnswer(body: Buffer): Answer | undefined {
  try {
    return JSON.parse(body.toString("utf8")) as Answer | undefined;
  } catch {
    return undefined;
  }
}

function checkSeries(count: number, maxSeries: number): void {
  if (count > maxSeries) throw new MetricsError("TooLarge", `the answer has ${count} series, more than ${maxSeries}`);
}

function toMetricsError(
  error: unknown,
  { maxResponseBytes, timeoutMs }: { readonly maxResponseBytes: number; readonly timeoutMs: number },
): MetricsError {
  if (error instanceof MetricsError) return error;
  if (error instanceof BodyTooLargeError)
    return new MetricsError("TooLarge", `the answer has more than ${maxResponseBytes} bytes`);
  if (error instanceof DOMException && error.name === "TimeoutError")
    return new MetricsError("Unreachable", `ECONNABORTED: the answer did not end within ${timeoutMs} ms`);
  const code = (error as NodeJS.ErrnoException | undefined)?.code;
  const message = error instanceof Error ? error.message : String(error);
  if (!isAxiosError(error) && code === undefined) return new MetricsError("Failed", message);
  return new MetricsError("Unreachable", code === undefined ? message : `${code}: ${message}`);
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
