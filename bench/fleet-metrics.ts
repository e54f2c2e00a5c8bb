/** A metrics server of its own process for a whole fleet: one series a pod for every query, in Prometheus's format over HTTP. Started by fleet.ts. */
import { createServer } from "node:http";
import { podsOf, type Role, usageOf } from "./fleet-objects.ts";

const [policies = 0] = process.argv.slice(2).map(Number);

/** Whose series a query selects: of a metric that only one role exports, or of all that have an engine. */
function rolesOf(query: string): readonly Role[] {
  // No engine sleeps.
  if (query.includes("sleep_state")) return [];
  return query.includes("dynamo_frontend") ? ["frontend"] : ["prefill", "decode"];
}

interface Kept {
  readonly madeAtMs: number;
  readonly body: Buffer;
}

/** As if all had been scraped when it was made. */
const AGES_KEPT_MS = 5_000;
/** In which nobody's usage changes by a thousandth. */
const VALUES_KEPT_MS = 60_000;
const answers = new Map<string, Kept>();

function answerTo(query: string): Buffer {
  const roles = rolesOf(query);
  const isAge = query.includes("timestamp(");
  const key = `${isAge} ${roles.join()}`;
  const known = answers.get(key);
  const madeAtMs = Date.now();
  // Nobody looks at when values were evaluated.
  if (known !== undefined && madeAtMs - known.madeAtMs < (isAge ? AGES_KEPT_MS : VALUES_KEPT_MS)) return known.body;
  const now = (madeAtMs / 1000).toFixed(3);
  const series: string[] = [];
  for (const pod of podsOf(policies)) {
    const { namespace, name, role } = pod;
    if (!roles.includes(role)) continue;
    const value = isAge ? now : `${usageOf(pod, madeAtMs)}`;
    series.push(
      `{"metric":{"namespace":"${namespace}","pod":"${name}","container":"main"},"value":[${now},"${value}"]}`,
    );
  }
  const body = Buffer.from(`{"status":"success","data":{"resultType":"vector","result":[${series.join(",")}]}}`);
  answers.set(key, { madeAtMs, body });
  return body;
}

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const url = new URL(request.url ?? "/", "http://localhost");
    const query = url.searchParams.get("query") ?? new URLSearchParams(Buffer.concat(chunks).toString()).get("query");
    response.writeHead(200, { "content-type": "application/json" });
    response.end(answerTo(query ?? ""));
  });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  process.stdout.write(`${typeof address === "object" ? address?.port : ""}\n`);
});
