/** The types of Kubernetes itself, from its published OpenAPI. */
import openapi from "../../api/kubernetes/openapi.json" with { type: "json" };
import type { JsonObject } from "./json.ts";
import { compileSchema, type Schema } from "./schema.ts";

const compiled = new Map<string, Schema>();

/** Kubernetes' OpenAPI definition of a type, compiled. The served types have no cycles: CRD schemas are opaque here. */
export function builtinSchema(name: string): Schema {
  let schema = compiled.get(name);
  if (schema === undefined) {
    const source = (openapi.definitions as unknown as Readonly<Record<string, JsonObject>>)[name];
    if (source === undefined) throw new Error(`no OpenAPI definition of ${name}`);
    schema = compileSchema(
      name.endsWith(".Quantity")
        ? { ...source, format: "quantity" }
        : name.endsWith(".FieldsV1") || name.endsWith(".RawExtension") || name.endsWith(".JSON")
          ? {}
          : source,
      { definition: (reference) => builtinSchema(reference.slice("#/definitions/".length)) },
      name,
    );
    compiled.set(name, schema);
  }
  return schema;
}
