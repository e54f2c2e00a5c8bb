/** Faults between the operators and the API server, switched on and off by a test. */
import type { Resource } from "../../../src/api/kubernetes/meta.ts";
import type { Clock } from "../../../src/clock.ts";
import { ApiError } from "../../../src/kube/api-error.ts";
import type { KubeApi } from "../../../src/kube/kube-api.ts";
import type { Random } from "../../../src/random.ts";
import { delayedWatch } from "./delayed-watch.ts";

export interface OperatorWrite {
  readonly verb: "create" | "update" | "patch" | "delete";
  readonly plural: string;
  readonly subresource?: string;
}

export interface FaultsOptions {
  readonly clock: Clock;
  /** Ends all watches and forgets history. */
  breakWatches(): void;
}

/** What a write may meet, each as a probability. */
export interface WriteRisks {
  /** Refused with 500, 409, 429 or 503, and not carried out. */
  readonly refused: number;
  /** Carried out, and the answer is an error: a timeout on the way back. */
  readonly answerLost: number;
  /** Carried out, and the operator dies before it learns of it. */
  readonly crash: number;
}

export interface Faults {
  /** Writes of the operators so far, Events and Leases left out. */
  writeCount(): number;
  /** The operator dies right after its k-th write from now on was carried out, before it learns of it; k ≥ 1. */
  crashAfterWrite(k: number): void;
  /** The k-th write from now on is refused with this error, and not carried out; k ≥ 1. */
  failWrite(k: number, error?: ApiError): void;
  /** Refuses with this error, a conflict when absent, each write that this says so of. */
  refuse(matches: (write: OperatorWrite) => boolean, error?: ApiError): void;
  /** Carries out each write that this says so of, and loses the answer. */
  loseAnswers(matches: (write: OperatorWrite) => boolean): void;
  /** Every write takes its chances. */
  endanger(random: Random, risks: WriteRisks): void;
  /** Every request of the operators takes this long. */
  slowDown(delayMs: number): void;
  /** Every watch event comes so much later. */
  delayEvents(delayMs: number): void;
  breakWatches(): void;
  /** No more faults. */
  clear(): void;
}

/** One operator process. */
export interface OperatorProcess {
  /** Nothing it does counts after this. */
  readonly signal: AbortSignal;
  /** Stops it at once, as `kill -9` does, and starts another after a while. */
  crash(): void;
}

export interface FaultInjector extends Faults {
  /** The API as one operator process sees it. */
  throughFaults(api: KubeApi, process: OperatorProcess): KubeApi;
}

const NOBODY = (): boolean => false;
const LOST = new ApiError(504, "Timeout", "the request did not complete in time (injected)");
const REFUSALS = [
  new ApiError(500, "InternalError", "injected"),
  new ApiError(409, "Conflict", "the object has been modified (injected)"),
  new ApiError(429, "TooManyRequests", "too many requests (injected)", { retryAfterSeconds: 1 }),
  new ApiError(503, "ServiceUnavailable", "injected"),
];

export function createFaults({ clock, breakWatches }: FaultsOptions): FaultInjector {
  let writes = 0;
  let crashAt = 0;
  let failAt = 0;
  let failure: ApiError | undefined;
  let isRefused: (write: OperatorWrite) => boolean = NOBODY;
  let refusal: ApiError | undefined;
  let isLost: (write: OperatorWrite) => boolean = NOBODY;
  let danger: { readonly random: Random; readonly risks: WriteRisks } | undefined;
  let delayMs = 0;
  let eventDelayMs = 0;

  const isUncounted = ({ plural }: Resource): boolean => plural === "events" || plural === "leases";
  const strikes = (risk: keyof WriteRisks): boolean =>
    danger !== undefined && danger.random.next() < danger.risks[risk];
  const anyRefusal = (): ApiError | undefined => REFUSALS[Math.floor((danger?.random.next() ?? 0) * REFUSALS.length)];

  return {
    writeCount: () => writes,
    crashAfterWrite(k) {
      crashAt = writes + k;
    },
    failWrite(k, error = new ApiError(500, "InternalError", "injected")) {
      failAt = writes + k;
      failure = error;
    },
    refuse(matches, error = REFUSALS[1]) {
      isRefused = matches;
      refusal = error;
    },
    loseAnswers(matches) {
      isLost = matches;
    },
    endanger(random, risks) {
      danger = { random, risks };
    },
    slowDown(ms) {
      delayMs = ms;
    },
    delayEvents(ms) {
      eventDelayMs = ms;
    },
    breakWatches,
    clear() {
      crashAt = 0;
      failAt = 0;
      delayMs = 0;
      eventDelayMs = 0;
      isRefused = NOBODY;
      isLost = NOBODY;
      danger = undefined;
    },
    throughFaults(api, { signal, crash }) {
      const alive = async (): Promise<void> => {
        if (delayMs > 0) await clock.sleep(delayMs, signal);
        signal.throwIfAborted();
      };
      const write = async <T>(
        verb: OperatorWrite["verb"],
        resource: Resource,
        subresource: string | undefined,
        send: () => Promise<T>,
      ): Promise<T> => {
        await alive();
        if (isUncounted(resource)) return send();
        writes++;
        const mine = writes;
        const what = { verb, plural: resource.plural, ...(subresource !== undefined && { subresource }) };
        if (isRefused(what)) throw refusal;
        if (mine === failAt && failure !== undefined) throw failure;
        if (strikes("refused")) throw anyRefusal();
        const answer = await send();
        if (mine === crashAt || strikes("crash")) crash();
        signal.throwIfAborted();
        if (isLost(what) || strikes("answerLost")) throw LOST;
        return answer;
      };
      return {
        ...api,
        async get(resource, key) {
          await alive();
          return api.get(resource, key);
        },
        async list(resource, options) {
          await alive();
          return api.list(resource, options);
        },
        watch: (resource, options) => delayedWatch(api.watch(resource, options), clock, () => eventDelayMs),
        create: (resource, object, options) =>
          write("create", resource, undefined, () => api.create(resource, object, options)),
        update: (resource, object, options) =>
          write("update", resource, options?.subresource, () => api.update(resource, object, options)),
        patch: (resource, key, patch, options) =>
          write("patch", resource, options.subresource, () => api.patch(resource, key, patch, options)),
        delete: (resource, key, options) =>
          write("delete", resource, undefined, () => api.delete(resource, key, options)),
        deleteCollection: (resource, selection, options) =>
          write("delete", resource, undefined, () => api.deleteCollection(resource, selection, options)),
        createSubresource: (resource, key, subresource, body) =>
          write("create", resource, subresource, () => api.createSubresource(resource, key, subresource, body)),
        setScale: (resource, key, replicas, options) =>
          write("update", resource, "scale", () => api.setScale(resource, key, replicas, options)),
      };
    },
  };
}
