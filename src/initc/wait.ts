/** Waits until all parent cliques of a pod's gang have their minimum of ready pods at the same time (grove.md 4.2). */
import { missingParents, type StartupParent } from "../api/grove/startup-parents.ts";
import { PODS } from "../api/kubernetes/core.ts";
import type { Clock } from "../clock.ts";
import { startInformer } from "../kube/informer.ts";
import type { KubeApi } from "../kube/kube-api.ts";
import type { Logger } from "../log.ts";
import type { Random } from "../random.ts";

export interface WaitOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Ends the wait with an error. */
  readonly signal: AbortSignal;
  readonly namespace: string;
  /** Name of the gang, as in the pods' label. */
  readonly gang: string;
  readonly parents: readonly StartupParent[];
}

export async function waitForParents(options: WaitOptions): Promise<void> {
  const { log, namespace, gang, parents, signal } = options;
  if (parents.length === 0) return;
  const life = new AbortController();
  const pods = startInformer({
    ...options,
    signal: AbortSignal.any([life.signal, signal]),
    resource: PODS,
    scope: { namespace, labelSelector: `grove.io/podgang=${gang}` },
  });
  let said = "";
  try {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        const missing = missingParents(parents, pods.list());
        if (missing.length === 0) resolve();
        else if (said !== missing.join()) log.info({ gang, missing }, "waiting for parent cliques");
        said = missing.join();
      };
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      if (signal.aborted) reject(signal.reason);
      pods.onChange(look);
      pods.synced.then(look, reject);
    });
  } finally {
    life.abort();
  }
}
