/** ComputeDomain of NVIDIA's DRA driver: nodes whose GPUs share one multi-node NVLink fabric (grove.md 8.7). */
import type { KubeObject, Resource } from "../kubernetes/meta.ts";

export interface ComputeDomain extends KubeObject {
  /** Immutable. 0 nodes: as many as pods come. */
  readonly spec: {
    readonly numNodes: number;
    readonly channel: { readonly resourceClaimTemplate: { readonly name: string }; readonly [field: string]: unknown };
  };
  readonly status?: Readonly<Record<string, unknown>>;
}

export const COMPUTE_DOMAINS: Resource<ComputeDomain> = {
  group: "resource.nvidia.com",
  version: "v1beta1",
  kind: "ComputeDomain",
  plural: "computedomains",
  namespaced: true,
};
