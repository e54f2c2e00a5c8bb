/** Whether somebody leads: who holds a Lease, and whether he still renews it. */
import { LEASES, type Lease } from "../../api/kubernetes/core.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import { ApiError, isNotFound } from "../../kube/api-error.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { sinceText } from "../get/columns.ts";

export type LeaseState =
  | { readonly kind: "held"; readonly text: string }
  | { readonly kind: "lapsed"; readonly text: string; readonly namespace: string }
  | { readonly kind: "missing"; readonly text: string }
  | { readonly kind: "unreadable"; readonly text: string };

export interface LeaseQuestion {
  readonly api: KubeApi;
  readonly name: string;
  /** Absent: wherever it is; who may not look everywhere gets it from `usualNamespace`. */
  readonly namespace?: string;
  readonly usualNamespace: string;
  readonly nowMs: number;
}

/** An answer takes a moment, and clocks are set to the second. */
const SLACK_MS = 2_000;

export async function leaseState(question: LeaseQuestion): Promise<LeaseState> {
  const { name, namespace, nowMs } = question;
  const where = namespace === undefined ? "in no namespace" : `not in namespace ${namespace}`;
  let leases: readonly Lease[];
  try {
    leases = await find(question);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { kind: "unreadable", text: `Lease ${name} cannot be read: ${error.message}` };
  }
  if (leases.length === 0) return { kind: "missing", text: `there is no Lease ${name}, ${where}` };
  const states = leases.map((lease) => stateOf(lease, nowMs));
  return states.find(({ kind }) => kind === "held") ?? (states[0] as LeaseState);
}

async function find({ api, name, namespace, usualNamespace }: LeaseQuestion): Promise<readonly Lease[]> {
  if (namespace === undefined) {
    try {
      return (await api.list(LEASES, { fieldSelector: `metadata.name=${name}` })).items;
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== 403) throw error;
    }
  }
  try {
    return [await api.get(LEASES, { namespace: namespace ?? usualNamespace, name })];
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

function stateOf({ metadata, spec }: Lease, nowMs: number): LeaseState {
  const { namespace = "default", name } = metadata;
  const lease = `Lease ${namespace}/${name}`;
  const { holderIdentity = "", renewTime, leaseDurationSeconds = 15 } = spec ?? {};
  if (holderIdentity === "" || renewTime === undefined)
    return { kind: "lapsed", namespace, text: `nobody holds ${lease}: its last holder gave it back` };
  const ageMs = nowMs - parseTime(renewTime);
  const age = sinceText(renewTime, nowMs);
  if (ageMs > leaseDurationSeconds * 1000 + SLACK_MS)
    return { kind: "lapsed", namespace, text: `${holderIdentity} holds ${lease} and has not renewed it for ${age}` };
  return { kind: "held", text: `${holderIdentity} leads, renewed ${age} ago (${lease})` };
}
