/** Serves the simulated exporters over HTTP, so that a real Prometheus can scrape them. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { ScrapeTarget } from "../prometheus/scraper.ts";

export interface MetricsHttpSource {
  /** By `namespace/name`. */
  podMetrics(key: string): string | undefined;
  nodeMetrics(nodeName: string): string | undefined;
  targets(): readonly ScrapeTarget[];
}

/**
 * `/pods/<namespace>/<pod>/metrics`, `/nodes/<node>/metrics`, and `/targets` for
 * https://prometheus.io/docs/prometheus/latest/http_sd/: every target is this server under its own metrics path.
 */
export function createMetricsHttpHandler(
  source: MetricsHttpSource,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
    if (path === "/targets") {
      const host = request.headers.host ?? "localhost";
      const document = source.targets().map(({ labels }) => ({ targets: [host], labels }));
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(document));
      return;
    }
    const [, kind, ...names] = path.split("/").map(decodeURIComponent);
    const last = names.pop();
    const text =
      last !== "metrics"
        ? undefined
        : kind === "pods" && names.length === 2
          ? source.podMetrics(names.join("/"))
          : kind === "nodes" && names.length === 1
            ? source.nodeMetrics(names[0] ?? "")
            : undefined;
    if (text === undefined) response.writeHead(404, { "content-type": "text/plain" }).end("not found\n");
    else response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text);
  };
}
