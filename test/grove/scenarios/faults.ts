/** Faults between the operator and the API server, switched on and off by a test. */
import type { Resource } from "../../../src/api/kubernetes/meta.ts";
import type { Clock } from "../../../src/clock.ts";
import { ApiError } from "../../../src/kube/api-error.ts";
import type { KubeApi } from "../../../src/kube/kube-api.ts";

export interface OperatorWrite {
  readonly verb: "create" | "update" | "patch" | "delete";
  readonly plural: string;
  readonly subresource?: string;
}

export interface FaultsOptions {
  readonly clock: Clock;
  /** Ends all watches and forgets history. */
  breakWatches(): void;
  /** Stops the operator at once, as `kill -9` does, and starts another after a while. */
  restartOperator(): void;
}

export interface Faults {
  /** Writes of the operator so far, Events left out. */
  writeCount(): number;
  /** The operator dies right after its k-th write from now on was carried out, before it learns of it; k ≥ 1. */
  crashAfterWrite(k: number): void;
  /** The k-th write from now on is refused with this error, and not carried out; k ≥ 1. */
  failWrite(k: number, error?: ApiError): void;
  /** Refuses with a conflict each write that this says so of. */
  conflictOn(matches: (write: OperatorWrite) => boolean): void;
  /** Every request of the operator takes this long. */
  slowDown(delayMs: number): void;
  breakWatches(): void;
  /** The operator dies now, and another comes after a while. */
  restartOperator(): void;
  /** No more faults. */
  clear(): void;
}

export interface FaultInjector extends Faults {
  /** The API as one operator process sees it; nothing it does counts after the signal. */
  throughFaults(api: KubeApi, signal: AbortSignal): KubeApi;
}

export function createFaults({ clock, breakWatches, restartOperator }: FaultsOptions): FaultInjector {
  let writes = 0;
  let crashAt = 0;
  let failAt = 0;
  let failure: ApiError | undefined;
  let conflicts: (write: OperatorWrite) => boolean = () => false;
  let delayMs = 0;

  const isEvent = ({ plural }: Resource): boolean => plural === "events";

  return {
    writeCount: () => writes,
    crashAfterWrite(k) {
      crashAt = writes + k;
    },
    failWrite(k, error = new ApiError(500, "InternalError", "injected")) {
      failAt = writes + k;
      failure = error;
    },
    conflictOn(matches) {
      conflicts = matches;
    },
    slowDown(ms) {
      delayMs = ms;
    },
    breakWatches,
    restartOperator,
    clear() {
      crashAt = 0;
      failAt = 0;
      delayMs = 0;
      conflicts = () => false;
    },
    throughFaults(api, signal) {
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
        if (isEvent(resource)) return send();
        writes++;
        const mine = writes;
        if (conflicts({ verb, plural: resource.plural, ...(subresource !== undefined && { subresource }) })) {
          throw new ApiError(409, "Conflict", "the object has been modified (injected)");
        }
        if (mine === failAt && failure !== undefined) throw failure;
        const answer = await send();
        if (mine === crashAt) restartOperator();
        signal.throwIfAborted();
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
