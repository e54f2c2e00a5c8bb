/** Parts that several Grove kinds share. */

import { METRIC_SPEC_SCHEMA } from "../kubernetes/embedded-schemas.ts";
import { array, dateTime, embedded, int32, object, optional, string } from "../schema/builder.ts";

export const GROVE_GROUP = "grove.io";
export const GROVE_VERSION = "v1alpha1";

/** autoscaling/v2 MetricSpec, copied as it is into generated HorizontalPodAutoscalers. */
export type MetricSpec = { readonly type: string } & Readonly<Record<string, unknown>>;

/** Bounds and metrics of a HorizontalPodAutoscaler that the operator generates. */
export const AUTO_SCALING_CONFIG = object({
  maxReplicas: int32(),
  metrics: optional(array(embedded<MetricSpec>(METRIC_SPEC_SCHEMA), { listType: "atomic" })),
  minReplicas: optional(int32()),
});

export const LAST_ERRORS = array(object({ code: string(), description: string(), observedAt: dateTime() }));
