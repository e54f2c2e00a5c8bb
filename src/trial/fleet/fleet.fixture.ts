/** A small set on a small cluster: cliques a and b of one GPU a pod, a group of two pods of two GPUs. */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { defaultPodCliqueSet } from "../../api/grove/pod-clique-set-defaults.ts";
import { VirtualClock } from "../../clock.ts";
import { seededRandom } from "../../random.ts";
import { createDataPlane, type DataPlane } from "../../sim/engines/data-plane.ts";
import { Fleet, type FleetObject } from "./fleet.ts";
import type { GpuPoolShape } from "./gpu-pool.ts";

export const START_MS = 60_000;
/** Of the worker pods of the group. */
export const SLOW_START_MS = 90_000;
export const GRACE_SECONDS = 20;

export interface SmallFleet {
  readonly clock: VirtualClock;
  readonly fleet: Fleet;
  readonly dataPlane: DataPlane;
  object(ref: string, setIndex?: number): FleetObject;
  /** Of the last count, by target: ready, starting, pending. */
  now(): Readonly<Record<string, readonly [ready: number, starting: number, pending: number]>>;
}

const TARGETS = ["a", "b", "group"];

export function smallFleet(
  pool: Partial<GpuPoolShape> = {},
  options: { readonly seed?: number; readonly setReplicas?: number; readonly pendingTimeoutMs?: number } = {},
): SmallFleet {
  const clock = new VirtualClock();
  const dataPlane = createDataPlane({ clock, profiles: {}, firstTokenTimeoutMs: 120_000 });
  const clique = (name: string, role: string, gpus: number) => ({
    name,
    annotations: { "sim.grove.io/role": role },
    spec: {
      roleName: name,
      replicas: 1,
      minAvailable: 1,
      podSpec: {
        terminationGracePeriodSeconds: GRACE_SECONDS,
        containers: [{ name: "engine", resources: { limits: { "nvidia.com/gpu": String(gpus) } } }],
      },
    },
  });
  const set = defaultPodCliqueSet({
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { name: "small", namespace: "serving" },
    spec: {
      replicas: options.setReplicas ?? 1,
      template: {
        cliques: [
          clique("a", "aggregated", 1),
          clique("b", "aggregated", 1),
          clique("leader", "aggregated", 2),
          clique("worker", "aggregated", 2),
        ],
        podCliqueScalingGroups: [{ name: "group", cliqueNames: ["leader", "worker"], replicas: 1, minAvailable: 1 }],
      },
    },
  } as unknown as PodCliqueSet);
  const fleet = new Fleet({
    clock,
    random: seededRandom(options.seed ?? 1),
    dataPlane,
    set,
    pool: { nodes: 2, gpusPerNode: 8, nodesPerRack: 2, ...pool },
    startUpOf: (name) => ({
      fixedMedianMs: name === "worker" ? SLOW_START_MS : START_MS,
      fixedSpreadP90: 1,
      weightsGiB: 0,
      podGiBPerSecond: 1,
    }),
    storageGiBPerSecond: 16,
    targets: TARGETS,
    pendingTimeoutMs: options.pendingTimeoutMs ?? 300_000,
  });
  return {
    clock,
    fleet,
    dataPlane,
    object(ref, setIndex = 0) {
      const object = fleet.object(ref, setIndex);
      if (object === undefined) throw new Error(`no ${ref} in set replica ${setIndex}`);
      return object;
    },
    now() {
      const last = fleet.counts.at(-1);
      return Object.fromEntries(
        TARGETS.map((name, at) => [
          name,
          [last?.ready[at] ?? -1, last?.starting[at] ?? -1, last?.pending[at] ?? -1] as const,
        ]),
      );
    },
  };
}
