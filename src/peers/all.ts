/** Every autoscaler that a trial can run against ours, in the order of reports. */
import { HPA, HPA_EXTERNAL } from "./hpa/hpa.ts";
import type { PeerDefinition } from "./peer.ts";

export const PEERS: readonly PeerDefinition[] = [HPA, HPA_EXTERNAL];
