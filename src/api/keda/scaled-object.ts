/** KEDA's ScaledObject, as far as we read it: whom it scales. https://keda.sh/docs/latest/reference/scaledobject-spec/ */
import type { KubeObject, Resource } from "../kubernetes/meta.ts";

export interface KedaScaledObject extends KubeObject {
  /** KEDA takes a Deployment where the kind is left out. */
  readonly spec: {
    readonly scaleTargetRef?: { readonly apiVersion?: string; readonly kind?: string; readonly name: string };
  };
}

export const KEDA_SCALED_OBJECTS: Resource<KedaScaledObject> = {
  group: "keda.sh",
  version: "v1alpha1",
  kind: "ScaledObject",
  plural: "scaledobjects",
  namespaced: true,
};
