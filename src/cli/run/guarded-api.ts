/** A KubeApi that can be closed for writes, so that a stop neither cuts a write off nor lets a new one out. */
import type { KubeApi } from "../../kube/kube-api.ts";

export interface GuardedApi {
  readonly api: KubeApi;
  /** From now on writes are refused. Resolves when those in flight have their answers. */
  close(): Promise<void>;
}

export class WritesClosedError extends Error {
  constructor() {
    super("the service is stopping: nothing is written any more");
    this.name = "WritesClosedError";
  }
}

export function guardWrites(api: KubeApi): GuardedApi {
  const inFlight = new Set<Promise<unknown>>();
  let isClosed = false;
  const write = <T>(send: () => Promise<T>): Promise<T> => {
    if (isClosed) return Promise.reject(new WritesClosedError());
    const sent = send();
    inFlight.add(sent);
    const done = (): void => void inFlight.delete(sent);
    sent.then(done, done);
    return sent;
  };
  return {
    api: {
      get: (...args) => api.get(...args),
      list: (...args) => api.list(...args),
      watch: (...args) => api.watch(...args),
      getScale: (...args) => api.getScale(...args),
      create: (...args) => write(() => api.create(...args)),
      update: (...args) => write(() => api.update(...args)),
      patch: (...args) => write(() => api.patch(...args)),
      delete: (...args) => write(() => api.delete(...args)),
      deleteCollection: (...args) => write(() => api.deleteCollection(...args)),
      setScale: (...args) => write(() => api.setScale(...args)),
      createSubresource: (...args) => write(() => api.createSubresource(...args)),
    },
    async close() {
      isClosed = true;
      await Promise.allSettled(inFlight);
    },
  };
}
