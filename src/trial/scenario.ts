/** What is tried: a serving system, what it runs on, its traffic, and what goes wrong. Plain data but for the arrivals. */

import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { WholeProfile } from "../api/autoscaling/whole-profile.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import type { ConfigMap } from "../api/kubernetes/core.ts";
import type { EngineProfile } from "../sim/engines/profiles.ts";
import type { Routing } from "../sim/engines/routing.ts";
import type { GeneratedArrival } from "../sim/traffic/generate.ts";
import type { GpuPoolShape } from "./fleet/gpu-pool.ts";
import type { StartUpModel } from "./fleet/start-up.ts";

export interface Scenario {
  readonly name: string;
  /** With its defaults. */
  readonly policy: ScalingPolicy;
  /** With its defaults; the target of the policy. */
  readonly set: PodCliqueSet;
  /** Those that the policy refers to. */
  readonly configMaps: readonly ConfigMap[];
  /** How fast one engine is: what planners that take a profile, and oracles, may know. */
  readonly profile: WholeProfile;
  /** Beside the built-in ones; the annotation `sim.grove.io/profile` of a clique names one. */
  readonly profiles: Readonly<Record<string, EngineProfile>>;
  readonly pool: GpuPoolShape;
  /** GiB/s of all pods that load at the same time. */
  readonly storageGiBPerSecond: number;
  /** Of a clique of the template. */
  readonly startUpOf: (clique: string) => StartUpModel;
  /** From the moment the set is available for the first time. */
  readonly arrivals: readonly GeneratedArrival[];
  /** Of the arrivals' time: before it the system settles, after it requests end. */
  readonly window: { readonly startMs: number; readonly endMs: number };
  readonly scrapeIntervalMs: number;
  /** Share of the scrapes of each target that fail, in [0, 1). Default 0. */
  readonly scrapeLossRatio?: number;
  /** Engines keep prompt blocks and reuse them; only traces with blocks have any to share. Default false. */
  readonly prefixCaching?: boolean;
  /** Default `least-loaded`. */
  readonly routing?: Routing;
  /** A client gives up when it has no first token by then. */
  readonly firstTokenTimeoutMs: number;
  readonly faults: readonly Fault[];
}

/** Of the arrivals' time. */
export type Fault =
  /** Every scrape fails. */
  | { readonly kind: "ScrapesFail"; readonly fromMs: number; readonly toMs: number }
  /** One ready replica's exporter answers nothing, numbers that are none, or always the same. */
  | {
      readonly kind: "ExporterFails";
      readonly how: "drop" | "nan" | "freeze";
      readonly ref: string;
      readonly fromMs: number;
      readonly toMs: number;
    }
  /** The autoscaler starts anew: a peer without its memory, ours from its checkpoint. */
  | { readonly kind: "Restart"; readonly atMs: number }
  /** No gang fits any more. */
  | { readonly kind: "NoRoom"; readonly fromMs: number; readonly toMs: number }
  /** So much of the nodes is lost, with what runs on them. */
  | { readonly kind: "NodeLoss"; readonly ratio: number; readonly fromMs: number; readonly toMs: number }
  /** Containers of one ready replica die and start again. */
  | { readonly kind: "Crash"; readonly ref: string; readonly atMs: number };
