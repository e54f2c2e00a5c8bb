/** Every autoscaler that a trial can run against ours, in the order of reports. */
import { AIBRIX_APA, AIBRIX_APA_FIXED } from "./aibrix/apa.ts";
import { DYNAMO_LOAD, DYNAMO_LOAD_LATENCY, DYNAMO_SLA, DYNAMO_SLA_LOAD } from "./dynamo/current.ts";
import { DYNAMO_LOAD_V1 } from "./dynamo/load-v1.ts";
import { DYNAMO_SLA_V1 } from "./dynamo/sla-v1.ts";
import { HETEROSCALE } from "./heteroscale.ts";
import { HPA, HPA_EXTERNAL } from "./hpa/hpa.ts";
import { KEDA, KEDA_PRODUCTION_STACK } from "./keda/keda.ts";
import { KPA } from "./knative/kpa.ts";
import { KTHENA } from "./kthena/kthena.ts";
import type { PeerDefinition } from "./peer.ts";
import { RAY_SERVE } from "./ray-serve.ts";
import { WVA_V1 } from "./wva/saturation-v1.ts";
import { WVA_V2 } from "./wva/saturation-v2.ts";

export const PEERS: readonly PeerDefinition[] = [
  HPA,
  HPA_EXTERNAL,
  KEDA,
  KEDA_PRODUCTION_STACK,
  KPA,
  AIBRIX_APA,
  AIBRIX_APA_FIXED,
  WVA_V1,
  WVA_V2,
  DYNAMO_LOAD_V1,
  DYNAMO_LOAD,
  DYNAMO_LOAD_LATENCY,
  DYNAMO_SLA_LOAD,
  DYNAMO_SLA_V1,
  DYNAMO_SLA,
  KTHENA,
  HETEROSCALE,
  RAY_SERVE,
];
