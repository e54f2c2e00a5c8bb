/** Scrapes over HTTP what would otherwise be asked directly: the adapter behind the demo's switch. */
import { Pool } from "undici";
import type { ScrapeTarget } from "./scraper.ts";

/** Bound of one exposition: a busy engine exposes about 10 kB. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;

export interface HttpTargets {
  /** The same targets with the same labels, each read from `origin` under its `__metrics_path__`. */
  targets(): readonly ScrapeTarget[];
  close(): Promise<void>;
}

export function targetsOverHttp(discover: () => readonly ScrapeTarget[], origin: string): HttpTargets {
  const pool = new Pool(origin, { connections: 8 });
  const read = async (path: string): Promise<string> => {
    const { statusCode, body } = await pool.request({ path, method: "GET", headers: { accept: "text/plain" } });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`server returned HTTP status ${statusCode}`);
    if (text.length > MAX_BODY_BYTES) throw new Error("exposition is too large");
    return text;
  };
  return {
    targets: () =>
      discover().map(({ labels }) => ({
        labels: { ...labels, __address__: new URL(origin).host },
        scrape: () => read(labels["__metrics_path__"] ?? "/metrics"),
      })),
    close: () => pool.close(),
  };
}
