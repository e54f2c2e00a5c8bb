import type { ReplicaLife } from "../record.ts";
import { isInside, type Window } from "./window.ts";

/** Requests that were in flight when their replica was killed, by why it was. */
export interface InFlightLosses {
  /** It had been told to go. */
  readonly onScaleIn: number;
  /** A node or an engine failed. */
  readonly onFailure: number;
}

export function inFlightLosses(lives: readonly ReplicaLife[], window: Window): InFlightLosses {
  let onScaleIn = 0;
  let onFailure = 0;
  for (const { goneMs, stoppedMs, lostRequests } of lives) {
    if (!isInside(goneMs, window)) continue;
    if (Number.isNaN(stoppedMs)) onFailure += lostRequests;
    else onScaleIn += lostRequests;
  }
  return { onScaleIn, onFailure };
}
