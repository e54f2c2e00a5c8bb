/** Kubelets and a gang scheduler that behaves as KAI does, for the scenario nodes. */
import type { Clock } from "../../../src/clock.ts";
import type { KubeApi } from "../../../src/kube/kube-api.ts";
import type { Random } from "../../../src/random.ts";
import { createDataPlane } from "../../../src/sim/engines/data-plane.ts";
import { type Kubelet, startKubelet } from "../../../src/sim/kubelet/kubelet.ts";
import { startScheduler } from "../../../src/sim/scheduler/scheduler.ts";
import { KAI, UNSCHEDULABLE } from "./cluster-view.ts";

export interface HardwareOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  /** How long the scheduler waits for the rest of a burst of changes. */
  readonly batchMs?: number;
}

/** From a bound pod to a ready one. */
const STARTUP = { medianMs: 100, p90Ms: 100 };

export function startHardware(options: HardwareOptions): Kubelet {
  startScheduler({
    ...options,
    schedulerNames: new Set([KAI]),
    component: KAI,
    misfitReason: UNSCHEDULABLE,
  });
  return startKubelet({
    ...options,
    dataPlane: createDataPlane({ clock: options.clock }),
    startup: { aggregated: STARTUP, prefill: STARTUP, decode: STARTUP, frontend: STARTUP },
  });
}
