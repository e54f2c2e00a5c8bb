/** What the controller runtime counts. The prom-client adapter is in `server/metrics.ts`. */
export interface RuntimeMetrics {
  /** A reconcile begins; `ended` follows whatever becomes of it. */
  started(controller: string): void;
  ended(controller: string): void;
  reconciled(
    controller: string,
    result: "success" | "error" | "requeue" | "requeue_after",
    durationSeconds: number,
  ): void;
  queueDepth(controller: string, depth: number): void;
  queueRetry(controller: string): void;
  request(verb: string, resource: string, code: number | "error", durationSeconds: number): void;
  rateLimiterWait(durationSeconds: number): void;
  watchRestarted(resource: string, cause: "timeout" | "error" | "expired"): void;
  leader(isLeader: boolean): void;
}

export const noRuntimeMetrics: RuntimeMetrics = {
  started: () => undefined,
  ended: () => undefined,
  reconciled: () => undefined,
  queueDepth: () => undefined,
  queueRetry: () => undefined,
  request: () => undefined,
  rateLimiterWait: () => undefined,
  watchRestarted: () => undefined,
  leader: () => undefined,
};
