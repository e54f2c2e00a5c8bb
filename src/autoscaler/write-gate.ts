/**
 * The write gate: the only code that writes `/scale`. Whatever the mode, the lease, a conflict or a bug upstream says, it is said here, once.
 */

import type { PolicyMode } from "../api/autoscaling/scaling-policy.ts";
import { POD_CLIQUES } from "../api/grove/pod-clique.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS } from "../api/grove/pod-clique-set.ts";
import type { Resource } from "../api/kubernetes/meta.ts";
import type { ScaleWrite } from "../decide/transition.ts";
import { ApiError, isConflict } from "../kube/api-error.ts";
import type { KubeApi } from "../kube/kube-api.ts";

export const FIELD_MANAGER = "grove-autoscaler";

/** How often a write that met a conflict is sent again while the replicas are still those that the decision saw. */
const MAX_CONFLICTS = 3;

const RESOURCES: Readonly<Record<ScaleWrite["level"], Resource>> = {
  PodClique: POD_CLIQUES,
  PodCliqueScalingGroup: POD_CLIQUE_SCALING_GROUPS,
  PodCliqueSet: POD_CLIQUE_SETS,
};

export interface GateRequest {
  readonly namespace: string;
  readonly mode: PolicyMode;
  readonly writes: readonly ScaleWrite[];
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
  | "ForeignController"
  | "Conflict"
  | "PermissionDenied"
  | "Failed";

export interface WriteGate {
  apply(request: GateRequest): Promise<GateResult>;
}

export interface WriteGateOptions {
  readonly api: KubeApi;
  /** Whether this process may write now; asked before every single write. */
  readonly isLeader: () => boolean;
}

export function createWriteGate({ api, isLeader }: WriteGateOptions): WriteGate {
  return {
    async apply({ namespace, mode, writes, minViable, otherAutoscaler }) {
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
      for (const write of writes) {
        const outcome =
          refusalOf(write, isLeader(), minViable(write), otherAutoscaler?.(write.target)) ??
          (await send(api, namespace, write));
        // A leg that failed must not be followed by the ones that counted on it.
        if ("reason" in outcome) return { written, refusal: { write, ...outcome } };
        written.push({ ...write, ...outcome });
      }
      return { written };
    },
  };
}

type Refusal = { readonly reason: GateReason; readonly message: string };

function refusalOf(write: ScaleWrite, leads: boolean, minViable: number, other?: string): Refusal | undefined {
  if (!leads) return { reason: "LeaseLost", message: "this process does not hold the lease" };
  if (other !== undefined) return { reason: "ForeignController", message: other };
  if (write.to < minViable && write.to < write.from) {
    return {
      reason: "MinimumViableSet",
      message: `${write.objectName} ${write.from}→${write.to} is below the minimum viable ${minViable}`,
    };
  }
  return undefined;
}

async function send(
  api: KubeApi,
  namespace: string,
  write: ScaleWrite,
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
    }
  }
}

function describe(error: unknown): Refusal {
  if (error instanceof ApiError && error.code === 403) return { reason: "PermissionDenied", message: error.message };
  return { reason: "Failed", message: error instanceof Error ? error.message : String(error) };
}
