/**
 * The write gate: the only code that writes `/scale`. Whatever the mode, the lease, a conflict or a bug upstream says, it is said here, once.
 */

import type { PolicyMode } from "../api/autoscaling/scaling-policy.ts";
import { POD_CLIQUES } from "../api/grove/pod-clique.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS } from "../api/grove/pod-clique-set.ts";
import type { Resource } from "../api/kubernetes/meta.ts";
import type { Clock } from "../clock.ts";
import type { ScaleWrite } from "../decide/transition.ts";
import { ApiError, isConflict } from "../kube/api-error.ts";
import type { KubeApi } from "../kube/kube-api.ts";
import type { Random } from "../random.ts";
import { ActionRate, type ActionRateOptions } from "./action-rate.ts";

export const FIELD_MANAGER = "grove-autoscaler";

/** How often a write that met a conflict is sent again while the replicas are still those that the decision saw. */
const MAX_CONFLICTS = 3;
/** Most of a wait before such a retry: what moved the version is often about to move it again. */
const CONFLICT_JITTER_MS = 100;

const RESOURCES: Readonly<Record<ScaleWrite["level"], Resource>> = {
  PodClique: POD_CLIQUES,
  PodCliqueScalingGroup: POD_CLIQUE_SCALING_GROUPS,
  PodCliqueSet: POD_CLIQUE_SETS,
};

export interface GateRequest {
  readonly namespace: string;
  readonly mode: PolicyMode;
  readonly writes: readonly ScaleWrite[];
  /** Monotonic ms: the next decision is due, so that what is not written by then is that one's. Absent: no end. */
  readonly staleAtMs?: number;
  /** Least replicas of an object of this target; nothing is written below it. */
  readonly minViable: (write: ScaleWrite) => number;
  /** Another controller that scales this target, and how to remove it; nothing is written beside it. */
  readonly otherAutoscaler?: (target: string) => string | undefined;
}

export interface DoneWrite extends ScaleWrite {
  /** Of the object after the write: a cache that is behind it has not seen the write. */
  readonly writtenVersion: string;
}

export interface GateResult {
  /** In order; a write that was refused ends the list. */
  readonly written: readonly DoneWrite[];
  readonly refusal?: { readonly write?: ScaleWrite; readonly reason: GateReason; readonly message: string };
}

export type GateReason =
  | "Advisory"
  | "Shadow"
  | "Paused"
  | "LeaseLost"
  | "MinimumViableSet"
  | "RateLimited"
  | "TooOld"
  | "ForeignController"
  | "Conflict"
  | "PermissionDenied"
  | "Failed";

export interface WriteGate {
  apply(request: GateRequest): Promise<GateResult>;
}

export interface WriteGateOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  /** Whether this process may write now; asked before every single request. */
  readonly isLeader: () => boolean;
  readonly rate?: ActionRateOptions;
}

export function createWriteGate({ api, clock, random, isLeader, rate: rateOptions }: WriteGateOptions): WriteGate {
  const rate = new ActionRate(clock, rateOptions);
  return {
    async apply({ namespace, mode, writes, staleAtMs = Number.POSITIVE_INFINITY, minViable, otherAutoscaler }) {
      const written: DoneWrite[] = [];
      if (writes.length === 0) return { written };
      if (mode === "Advisory")
        return {
          written,
          refusal: { reason: "Advisory", message: "mode is Advisory: decisions are shown and not written" },
        };
      if (mode === "Shadow")
        return {
          written,
          refusal: { reason: "Shadow", message: "mode is Shadow: decisions are compared and not written" },
        };
      if (mode === "Paused") return { written, refusal: { reason: "Paused", message: "mode is Paused" } };
      const mayNot = (): Refusal | undefined => {
        if (!isLeader()) return { reason: "LeaseLost", message: "this process does not hold the lease" };
        if (clock.monotonicMs() >= staleAtMs)
          return { reason: "TooOld", message: "the next decision is due: this one is not written any more" };
        return undefined;
      };
      for (const write of writes) {
        const outcome =
          mayNot() ??
          ownedBy(otherAutoscaler?.(write.target)) ??
          belowFloor(write, minViable(write)) ??
          rateLimit(namespace) ??
          (await send(namespace, write, mayNot));
        // A leg that failed must not be followed by the ones that counted on it.
        if ("reason" in outcome) return { written, refusal: { write, ...outcome } };
        written.push({ ...write, ...outcome });
      }
      return { written };
    },
  };

  function rateLimit(namespace: string): Refusal | undefined {
    const limit = rate.take(namespace);
    return limit === undefined ? undefined : { reason: "RateLimited", message: limit };
  }

  async function send(
    namespace: string,
    write: ScaleWrite,
    mayNot: () => Refusal | undefined,
  ): Promise<Refusal | { readonly writtenVersion: string }> {
    const resource = RESOURCES[write.level];
    const key = { namespace, name: write.objectName };
    let { resourceVersion } = write;
    for (let conflicts = 0; ; conflicts++) {
      try {
        const { metadata } = await api.setScale(resource, key, write.to, {
          resourceVersion,
          fieldManager: FIELD_MANAGER,
        });
        return { writtenVersion: metadata.resourceVersion ?? "" };
      } catch (error) {
        if (!isConflict(error)) return describe(error);
        if (conflicts >= MAX_CONFLICTS)
          return { reason: "Conflict", message: `${write.objectName} kept changing; decided anew` };
        await clock.sleep(CONFLICT_JITTER_MS * random.next());
        const fresh = await api.getScale(resource, key).catch((failure: unknown) => failure);
        if (fresh instanceof Error) return describe(fresh);
        const { spec, metadata } = fresh as Awaited<ReturnType<KubeApi["getScale"]>>;
        // Status changes move the version all the time; only another value of replicas makes the decision stale.
        if (spec.replicas !== write.from) {
          return {
            reason: "ForeignController",
            message: `${write.objectName} was changed to ${spec.replicas} meanwhile; decided anew`,
          };
        }
        resourceVersion = metadata.resourceVersion ?? resourceVersion;
        // The wait and the look may have outlived the lease or the decision.
        const refusal = mayNot();
        if (refusal !== undefined) return refusal;
      }
    }
  }
}

type Refusal = { readonly reason: GateReason; readonly message: string };

const ownedBy = (other: string | undefined): Refusal | undefined =>
  other === undefined ? undefined : { reason: "ForeignController", message: other };

function belowFloor(write: ScaleWrite, minViable: number): Refusal | undefined {
  if (write.to >= minViable || write.to >= write.from) return undefined;
  return {
    reason: "MinimumViableSet",
    message: `${write.objectName} ${write.from}→${write.to} is below the minimum viable ${minViable}`,
  };
}

function describe(error: unknown): Refusal {
  if (error instanceof ApiError && error.code === 403) return { reason: "PermissionDenied", message: error.message };
  return { reason: "Failed", message: error instanceof Error ? error.message : String(error) };
}
