/**
 * Schemas of Kubernetes types that our kinds embed. They are data: the field lists that controller-gen v0.17.3 puts
 * into the Grove CRDs (ai-dynamo/grove at fcc3b3bb, Kubernetes 1.34 types), without descriptions. The interfaces for
 * them are in `core.ts`.
 */
import type { StructuralSchema } from "../schema/structural-schema.ts";
import metricSpec from "./metric-spec.schema.json" with { type: "json" };
import podSpec from "./pod-spec.schema.json" with { type: "json" };
import resourceClaimTemplateSpec from "./resource-claim-template-spec.schema.json" with { type: "json" };

/** core/v1 PodSpec. */
export const POD_SPEC_SCHEMA = podSpec as unknown as StructuralSchema;
/** autoscaling/v2 MetricSpec. */
export const METRIC_SPEC_SCHEMA = metricSpec as unknown as StructuralSchema;
/** resource.k8s.io/v1 ResourceClaimTemplateSpec. */
export const RESOURCE_CLAIM_TEMPLATE_SPEC_SCHEMA = resourceClaimTemplateSpec as unknown as StructuralSchema;
