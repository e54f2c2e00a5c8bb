/** Dynamic resource allocation: claims on devices, and the templates they are made from (resource.k8s.io/v1). */
import type { KubeObject, Resource } from "./meta.ts";

export interface ResourceClaimSpec {
  readonly devices?: { readonly requests?: readonly unknown[]; readonly [field: string]: unknown };
}

export interface ResourceClaim extends KubeObject {
  readonly spec: ResourceClaimSpec;
  readonly status?: Readonly<Record<string, unknown>>;
}

export interface ResourceClaimTemplate extends KubeObject {
  readonly spec: { readonly metadata?: Readonly<Record<string, unknown>>; readonly spec: ResourceClaimSpec };
}

const API = { group: "resource.k8s.io", version: "v1", namespaced: true } as const;

export const RESOURCE_CLAIMS: Resource<ResourceClaim> = { ...API, kind: "ResourceClaim", plural: "resourceclaims" };
export const RESOURCE_CLAIM_TEMPLATES: Resource<ResourceClaimTemplate> = {
  ...API,
  kind: "ResourceClaimTemplate",
  plural: "resourceclaimtemplates",
};
