/** What a plan asks for. Plans are pure; `runtime/act.ts` is the only place that carries actions out. */
import type { KubeObject } from "../api/kubernetes/meta.ts";
import type { KindName, Kinds } from "./kinds.ts";

/** Events on the reconciled object when an action worked or failed (grove.md 8.6). */
export interface ActionEvents {
  readonly success?: string;
  readonly failure?: string;
}

interface Common {
  /** Goes into `lastErrors` when the action fails. */
  readonly errorCode: string;
  readonly events?: ActionEvents;
}

export interface JsonPatchOperation {
  readonly op: "add" | "remove" | "replace" | "test";
  readonly path: string;
  readonly value?: unknown;
}

export type Create = {
  [K in KindName]: Common & { readonly kind: "create"; readonly of: K; readonly object: Kinds[K] };
}[KindName];
export type Delete = {
  [K in KindName]: Common & { readonly kind: "delete"; readonly of: K; readonly object: Kinds[K] };
}[KindName];
export type Patch = {
  [K in KindName]: Common & {
    readonly kind: "patch";
    readonly of: K;
    readonly object: Kinds[K];
    /** A merge patch, or JSON patch operations. */
    readonly patch: Readonly<Record<string, unknown>> | readonly JsonPatchOperation[];
    readonly subresource?: "status";
  };
}[KindName];

export type Action = Create | Delete | Patch;

/** Deletes many objects of one kind with one request, to be used for what goes anyway; see `runtime/act.ts`. */
export interface Sweep {
  readonly of: KindName;
  readonly namespace: string;
  readonly labelSelector: string;
  /** The objects that the selector is meant to find. */
  readonly objects: readonly KubeObject[];
}

/** Actions of one stage are independent of one another; a failed stage ends the pass. */
export interface Stage {
  readonly actions: readonly Action[];
  /** After the actions. */
  readonly sweeps?: readonly Sweep[];
  /** In batches of 1, 2, 4, …: a template that cannot work fails once instead of a thousand times. */
  readonly slowStart?: boolean;
}

/** What makes a plan impossible until somebody changes something. */
export interface Problem {
  readonly code: string;
  readonly description: string;
}

/** An event on another object than the reconciled one, or on a whole of actions. */
export interface Announcement {
  readonly regarding: KubeObject;
  readonly success: string;
  readonly failure: string;
  readonly message: string;
}

export interface Plan {
  readonly stages: readonly Stage[];
  /** Goes into `lastErrors`; the key comes back with growing delays. */
  readonly problem?: Problem;
  /** Made once all stages are through, or the first has failed. */
  readonly announcements?: readonly Announcement[];
  /** Something is not there yet: `observedGeneration` stays behind and the key comes back. */
  readonly waitingFor?: string;
  /** Time alone will change what is to be done: look again after this time, without an event. */
  readonly lookAgainMs?: number;
}
