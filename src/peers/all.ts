/** Every autoscaler that a trial can run against ours, in the order of reports. */
import { HPA, HPA_EXTERNAL } from "./hpa/hpa.ts";
import { KEDA, KEDA_PRODUCTION_STACK } from "./keda/keda.ts";
import { KPA } from "./knative/kpa.ts";
import type { PeerDefinition } from "./peer.ts";

export const PEERS: readonly PeerDefinition[] = [HPA, HPA_EXTERNAL, KEDA, KEDA_PRODUCTION_STACK, KPA];
