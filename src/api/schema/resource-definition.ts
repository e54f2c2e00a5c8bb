/** One kind of ours: its Resource, its object schema, and the CustomResourceDefinition that serves it. */
import type { CustomResourceDefinition } from "../kubernetes/core.ts";
import type { KubeObject, Resource } from "../kubernetes/meta.ts";
import { type Infer, type InferInput, optional, type Presence, type Schema } from "./builder.ts";
import type { StructuralSchema, ValidationRule } from "./structural-schema.ts";

type PrinterColumn = NonNullable<
  CustomResourceDefinition["spec"]["versions"][number]["additionalPrinterColumns"]
>[number];

export interface ResourceDefinition<T extends KubeObject = KubeObject> {
  readonly resource: Resource<T>;
  readonly shortNames: readonly string[];
  readonly categories?: readonly string[];
  /** Schema of the whole object: `apiVersion`, `kind`, `metadata`, `spec`, `status`. */
  readonly schema: StructuralSchema;
  readonly printerColumns: readonly PrinterColumn[];
  readonly scale?: {
    readonly specReplicasPath: string;
    readonly statusReplicasPath: string;
    readonly labelSelectorPath: string;
  };
}

type AnySchema = Schema<unknown, unknown, Presence>;

/** An object as it is stored, after defaulting. */
export type ObjectOf<Spec, Status> = KubeObject & { readonly spec: Infer<Spec>; readonly status?: Infer<Status> };
/** An object as a client may send it. */
export type ObjectInputOf<Spec> = KubeObject & { readonly spec: InferInput<Spec> };

export function objectSchema(
  description: string,
  spec: AnySchema,
  status: Schema<unknown>,
  rules?: readonly ValidationRule[],
): StructuralSchema {
  return {
    description,
    type: "object",
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { type: "object" },
      spec: spec.json,
      status: optional(status).json,
    },
    required: ["spec"],
    ...(rules !== undefined && { "x-kubernetes-validations": rules }),
  };
}

export const column = (
  name: string,
  type: PrinterColumn["type"],
  jsonPath: string,
  options: { readonly priority?: number } = {},
): PrinterColumn => ({ name, type, jsonPath, ...options });

export const AGE_COLUMN = column("Age", "date", ".metadata.creationTimestamp");

export function customResourceDefinition(definition: ResourceDefinition): CustomResourceDefinition {
  const { resource, shortNames, categories, schema, printerColumns, scale } = definition;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${resource.plural}.${resource.group}` },
    spec: {
      group: resource.group,
      scope: resource.namespaced ? "Namespaced" : "Cluster",
      names: {
        kind: resource.kind,
        listKind: `${resource.kind}List`,
        plural: resource.plural,
        singular: resource.kind.toLowerCase(),
        shortNames,
        ...(categories !== undefined && { categories }),
      },
      versions: [
        {
          name: resource.version,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schema as Readonly<Record<string, unknown>> },
          subresources: { status: {}, ...(scale !== undefined && { scale }) },
          additionalPrinterColumns: printerColumns,
        },
      ],
    },
  };
}
