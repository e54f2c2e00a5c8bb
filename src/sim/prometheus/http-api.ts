/** Prometheus's HTTP API, v1: https://prometheus.io/docs/prometheus/latest/querying/api/ */
import type { IncomingMessage, ServerResponse } from "node:http";
import { formatTime, parseTime } from "../../api/kubernetes/time.ts";
import type { Clock } from "../../clock.ts";
import { PromqlError } from "../../observe/promql-ast.ts";
import { numberOf } from "../../observe/promql-literals.ts";
import { parseExpression } from "../../observe/promql-parse.ts";
import { formatValue } from "./exposition.ts";
import type { LabelSet } from "./labels.ts";
import type { PromqlEngine } from "./promql-engine.ts";
import type { Scraper, TargetHealth } from "./scraper.ts";
import type { SeriesStore, StoredSeries } from "./series-store.ts";
import { ExecutionError, type Value } from "./vector.ts";

export interface HttpApiOptions {
  readonly engine: PromqlEngine;
  readonly store: SeriesStore;
  readonly scraper: Scraper;
  readonly clock: Clock;
}

/** Bounds: Prometheus's own limit of points, and room for a long query in a POST body. */
const MAX_POINTS = 11_000;
const MAX_BODY_BYTES = 1_048_576;

class BadData extends Error {}

export function createHttpApi(options: HttpApiOptions): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    readParameters(request)
      .then((parameters) => route(pathOf(request), parameters, options))
      .then(
        (answer) => send(response, 200, answer),
        (error: unknown) => sendError(response, error),
      );
  };
}

const pathOf = (request: IncomingMessage): string => (request.url ?? "/").split("?", 1)[0] ?? "/";

async function readParameters(request: IncomingMessage): Promise<URLSearchParams> {
  const url = request.url ?? "/";
  const parameters = new URLSearchParams(url.includes("?") ? url.slice(url.indexOf("?") + 1) : "");
  if (request.method !== "POST") return parameters;
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY_BYTES) throw new BadData("request body too large");
    chunks.push(chunk);
  }
  for (const [name, value] of new URLSearchParams(Buffer.concat(chunks).toString("utf8")))
    parameters.append(name, value);
  return parameters;
}

type Answer = { readonly text: string } | { readonly data: unknown } | undefined;

function route(path: string, parameters: URLSearchParams, options: HttpApiOptions): Answer {
  const { engine, store, scraper, clock } = options;
  if (path === "/-/ready") return { text: "Prometheus Server is Ready.\n" };
  if (path === "/-/healthy") return { text: "Prometheus Server is Healthy.\n" };
  const valuesOf = /^\/api\/v1\/label\/([^/]+)\/values$/.exec(path)?.[1];
  if (valuesOf !== undefined) return { data: labelValues(store, decodeURIComponent(valuesOf), parameters) };
  switch (path) {
    case "/api/v1/query": {
      const time = parameters.get("time");
      const timeMs = time === null ? Math.round(clock.nowMs()) : parseInstant("time", time);
      return { data: instantData(engine.query(parameters.get("query") ?? "", timeMs), timeMs) };
    }
    case "/api/v1/query_range":
      return { data: rangeData(engine, parameters) };
    case "/api/v1/series":
      return { data: matching(store, parameters, true).map(({ labels }) => Object.fromEntries(labels)) };
    case "/api/v1/labels": {
      const names = new Set(matching(store, parameters, false).flatMap(({ labels }) => [...labels.keys()]));
      return { data: [...names].sort() };
    }
    case "/api/v1/targets":
      return { data: { activeTargets: scraper.health().map(targetData), droppedTargets: [] } };
    default:
      return undefined;
  }
}

function instantData(value: Value, timeMs: number): unknown {
  const at = timeMs / 1000;
  switch (value.kind) {
    case "scalar":
      return { resultType: "scalar", result: [at, formatValue(value.value)] };
    case "string":
      return { resultType: "string", result: [at, value.value] };
    case "vector":
      return {
        resultType: "vector",
        result: value.elements.map(({ labels, value: number }) => ({
          metric: metricOf(labels),
          value: [at, formatValue(number)],
        })),
      };
    case "matrix":
      return {
        resultType: "matrix",
        result: value.series.map(({ labels, times, values }) => ({
          metric: metricOf(labels),
          values: times.map((time, i) => [time / 1000, formatValue(values[i] as number)]),
        })),
      };
  }
}

function rangeData(engine: PromqlEngine, parameters: URLSearchParams): unknown {
  const startMs = parseInstant("start", parameters.get("start") ?? "");
  const endMs = parseInstant("end", parameters.get("end") ?? "");
  const stepMs = parseStep(parameters.get("step") ?? "");
  if (endMs < startMs) throw new BadData('invalid parameter "end": end timestamp must not be before start time');
  if (stepMs <= 0) {
    throw new BadData(
      'invalid parameter "step": zero or negative query resolution step widths are not accepted. Try a positive integer',
    );
  }
  if ((endMs - startMs) / stepMs > MAX_POINTS) {
    throw new BadData(
      "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
    );
  }
  const query = parameters.get("query") ?? "";
  const result = engine.queryRange(query, { startMs, endMs, stepMs }).map(({ labels, points }) => ({
    metric: metricOf(labels),
    values: points.map(([timeMs, value]) => [timeMs / 1000, formatValue(value)]),
  }));
  return { resultType: "matrix", result };
}

const metricOf = (labels: LabelSet): Record<string, string> => Object.fromEntries(labels);

/** Series that one of the `match[]` selectors finds; all of them when there is none and that is allowed. */
function matching(store: SeriesStore, parameters: URLSearchParams, required: boolean): readonly StoredSeries[] {
  const texts = parameters.getAll("match[]");
  if (texts.length === 0) {
    if (required) throw new BadData("no match[] parameter provided");
    return store.select([]);
  }
  const found = new Map<string, StoredSeries>();
  for (const text of texts) {
    const expr = parseExpression(text);
    if (expr.kind !== "vector") throw new BadData(`invalid parameter "match[]": ${text} is not a series selector`);
    for (const series of store.select(expr.selector.matchers)) found.set(series.labels.key, series);
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, series]) => series);
}

function labelValues(store: SeriesStore, name: string, parameters: URLSearchParams): string[] {
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) throw new BadData(`invalid label name: ${JSON.stringify(name)}`);
  if (!parameters.has("match[]")) return store.labelValues(name);
  const values = new Set(matching(store, parameters, false).map(({ labels }) => labels.get(name) ?? ""));
  values.delete("");
  return [...values].sort();
}

function targetData({ labels, discoveredLabels, lastScrapeMs, lastDurationSeconds, lastError }: TargetHealth): unknown {
  const { __scheme__ = "http", __address__ = "embedded", __metrics_path__ = "/metrics" } = discoveredLabels;
  const scrapeUrl = `${__scheme__}://${__address__}${__metrics_path__}`;
  return {
    discoveredLabels,
    labels: metricOf(labels),
    scrapePool: labels.get("job") ?? "embedded",
    scrapeUrl,
    globalUrl: scrapeUrl,
    lastError,
    lastScrape: formatTime(lastScrapeMs),
    lastScrapeDuration: lastDurationSeconds,
    health: lastError === "" ? "up" : "down",
  };
}

function parseInstant(name: string, text: string): number {
  const seconds = text === "" ? Number.NaN : Number(text);
  const ms = Number.isNaN(seconds) ? parseTime(text) : seconds * 1000;
  if (Number.isNaN(ms)) {
    throw new BadData(`invalid parameter "${name}": cannot parse "${text}" to a valid timestamp`);
  }
  return Math.round(ms);
}

function parseStep(text: string): number {
  try {
    return Math.round(numberOf(text, 0) * 1000);
  } catch {
    throw new BadData(`invalid parameter "step": cannot parse "${text}" to a valid duration`);
  }
}

function send(response: ServerResponse, status: number, answer: Answer): void {
  if (answer === undefined) {
    response.writeHead(404, { "content-type": "text/plain" }).end("404 page not found\n");
  } else if ("text" in answer) {
    response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(answer.text);
  } else {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify({ status: "success", data: answer.data }));
  }
}

function sendError(response: ServerResponse, error: unknown): void {
  const [status, errorType] =
    error instanceof PromqlError || error instanceof BadData
      ? [400, "bad_data"]
      : error instanceof ExecutionError
        ? error.kind === "bad-data"
          ? [400, "bad_data"]
          : [422, "execution"]
        : [500, "internal"];
  response.writeHead(status as number, { "content-type": "application/json" });
  const message = error instanceof Error ? error.message : String(error);
  const text =
    error instanceof PromqlError
      ? `invalid parameter "query": 1:${error.position + 1}: parse error: ${message}`
      : message;
  response.end(JSON.stringify({ status: "error", errorType, error: text }));
}
