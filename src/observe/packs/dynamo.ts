/**
 * Dynamo. A worker passes the metrics of its engine through and adds a few; the client's view and the router's backlog are in the frontends.
 *
 * A frontend target is read by the frontends' own pods. A target of workers is read by its engines, with what only the frontends of the same set know
 * on top (what waits in the router) or in place of what the engines do not say.
 */
import { firstOf, gauge, latency, rate, type SignalQuery, spread, type Term } from "../signal-query.ts";
import { SGLANG } from "./sglang.ts";
import type { LoadSignal, SignalOptions, SignalPack } from "./signal-pack.ts";
import { TRTLLM } from "./trtllm.ts";
import { VLLM } from "./vllm.ts";

const isWorker = ({ role }: SignalOptions): boolean => role === "prefill" || role === "decode" || role === "aggregated";

/** The engine that the worker runs, whichever it is. */
function engines(
  signal: Exclude<LoadSignal, "promptSpread"> | "kvCacheDemand" | "busyRatio",
  options: SignalOptions,
): SignalQuery {
  const [vllm, ...others]: readonly [SignalQuery, ...SignalQuery[]] = [
    VLLM[signal](options),
    SGLANG[signal](options),
    TRTLLM[signal](options),
  ];
  const all = [vllm, ...others];
  const idle = all.flatMap(({ idleQuery }) => idleQuery ?? []);
  return { ...vllm, ...firstOf(...all), ...(idle.length === 0 ? {} : { idleQuery: idle.join(" or ") }) };
}

const KV_USAGE = gauge("avg", "dynamo_component_gpu_cache_usage_percent");
/** Last: some engines leave it at 0. */
const OLD_KV_USAGE = gauge("avg", "dynamo_component_kvstats_gpu_cache_usage_percent");

const withFallback = (own: SignalQuery, ...more: readonly Term[]): SignalQuery => ({
  ...own,
  ...firstOf(own, ...more),
});
const withFirst = (term: Term, own: SignalQuery, ...more: readonly Term[]): SignalQuery => ({
  ...own,
  ...firstOf(term, own, ...more),
});

/** The newer counter sees requests arrive, the older one sees them end. */
const ARRIVALS = firstOf(rate("dynamo_frontend_requests_started_total"), rate("dynamo_frontend_requests_total"));
const IN_FRONT = gauge("sum", "dynamo_frontend_inflight_requests");

/** An aggregated worker may be named either way. */
const workerTypes = ({ role }: SignalOptions): string =>
  role === "prefill" ? 'worker_type="prefill"' : 'worker_type!="prefill"';
const routerQueue = (options: SignalOptions): Term =>
  gauge("sum", `dynamo_frontend_router_queue_pending_requests{${workerTypes(options)}}`);

const frontendLatency = (name: string, { quantile }: SignalOptions): SignalQuery =>
  latency([`dynamo_frontend_${name}_seconds`], quantile);

function latencyOf(
  signal: "timeToFirstToken" | "interTokenLatency",
  name: string,
  options: SignalOptions,
): SignalQuery {
  const client = frontendLatency(name, options);
  return isWorker(options) ? { ...engines(signal, options), ofSet: { ...client, how: "same" } } : client;
}

export const DYNAMO = {
  requestsPerSecond: (options) =>
    isWorker(options)
      ? { ...engines("requestsPerSecond", options), ofSet: { ...ARRIVALS, how: "share" } }
      : { ...ARRIVALS, perReplica: "sum" },
  promptTokensPerSecond: (options) =>
    isWorker(options)
      ? engines("promptTokensPerSecond", options)
      : { ...rate("dynamo_frontend_input_sequence_tokens_sum"), perReplica: "sum" },
  promptSpread: (options) => {
    const asked = spread(["dynamo_frontend_input_sequence_tokens"]);
    if (!isWorker(options)) return asked;
    const own = spread(["vllm:request_prompt_tokens", "sglang:prompt_tokens_histogram"]);
    return { ...VLLM.promptSpread(), ...own, ofSet: { ...asked, how: "same" } };
  },
  computedPromptTokensPerSecond: (options) => engines("computedPromptTokensPerSecond", options),
  prefixCacheHitRatio: (options) => engines("prefixCacheHitRatio", options),
  generationTokensPerSecond: (options) =>
    isWorker(options)
      ? engines("generationTokensPerSecond", options)
      : {
          ...firstOf(rate("dynamo_frontend_output_tokens_total"), rate("dynamo_frontend_output_sequence_tokens_sum")),
          perReplica: "sum",
        },
  runningRequests: (options) =>
    isWorker(options)
      ? withFallback(
          engines("runningRequests", options),
          // Other endpoints, such as loading an adapter, have series too. Contains what waits.
          gauge("sum", 'dynamo_component_inflight_requests{dynamo_endpoint="generate"}'),
        )
      : { ...IN_FRONT, perReplica: "sum" },
  waitingRequests: (options) =>
    isWorker(options)
      ? { ...engines("waitingRequests", options), ofSet: { ...routerQueue(options), how: "add" } }
      : { ...gauge("sum", "dynamo_frontend_router_queue_pending_requests"), perReplica: "sum" },
  kvCacheUsage: (options) => withFirst(KV_USAGE, engines("kvCacheUsage", options), OLD_KV_USAGE),
  // What SGLang has queued for its cache is in none of Dynamo's own gauges.
  kvCacheDemand: (options) => withFallback(engines("kvCacheDemand", options), KV_USAGE, OLD_KV_USAGE),
  kvCacheTokens: (options) => engines("kvCacheTokens", options),
  timeToFirstToken: (options) => latencyOf("timeToFirstToken", "time_to_first_token", options),
  interTokenLatency: (options) => latencyOf("interTokenLatency", "inter_token_latency", options),
  // What a client waits for says nothing of how long one worker holds its request: the frontend's is of frontends alone.
  requestDuration: (options) =>
    isWorker(options) ? engines("requestDuration", options) : frontendLatency("request_duration", options),
  busyRatio: (options) => engines("busyRatio", options),
} satisfies SignalPack;
