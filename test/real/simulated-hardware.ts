/**
 * What a real cluster has and this machine has not: GPU nodes, kubelets, a gang scheduler and engines, as clients of a real API server; and a real
 * Prometheus that finds and scrapes the engines.
 */
import { wallClock } from "../../src/clock.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import { systemRandom } from "../../src/random.ts";
import { createDataPlane, type DataPlane } from "../../src/sim/engines/data-plane.ts";
import { startKubelet } from "../../src/sim/kubelet/kubelet.ts";
import { startScheduler } from "../../src/sim/scheduler/scheduler.ts";
import { openEngineDoor } from "../../src/sim/world.ts";
import { keepNodes, onlyOf } from "./cluster.ts";
import { startRealPrometheus } from "./real-processes.ts";

export interface Hardware {
  readonly dataPlane: DataPlane;
  readonly prometheusUrl: string;
  stop(): Promise<void>;
}

export interface HardwareOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly nodes: number;
  /** Multiplies the measured start-up times of the engines. */
  readonly startupScale: number;
}

export async function startHardware({ api, namespace, nodes, startupScale }: HardwareOptions): Promise<Hardware> {
  const clock = wallClock();
  const stopping = new AbortController();
  const { signal } = stopping;
  const dataPlane = createDataPlane({ clock });
  const door = await openEngineDoor();
  door.serve(dataPlane);
  const shared = { api: onlyOf(api, namespace), clock, random: systemRandom(), signal };
  startKubelet({ ...shared, dataPlane, startupScale });
  startScheduler(shared);
  await keepNodes(api, { clock, signal, namespace, count: nodes });
  const prometheus = await startRealPrometheus(
    [
      "global: {scrape_interval: 1s, scrape_timeout: 1s}",
      "scrape_configs:",
      "- job_name: engines",
      `  http_sd_configs: [{url: "${door.url}/targets", refresh_interval: 1s}]`,
    ].join("\n"),
  );
  return {
    dataPlane,
    prometheusUrl: prometheus.url,
    async stop() {
      stopping.abort();
      await prometheus.stop();
      await door.close();
    },
  };
}
