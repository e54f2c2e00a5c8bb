/** OpenAPI documents: enough for kubectl's apply, edit, explain and server-side validation. */
import openapi from "../../../api/kubernetes/openapi.json" with { type: "json" };
import { isObject, type JsonObject } from "../json.ts";
import type { Kind } from "../kind.ts";

const META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** `/openapi/v3`: one document per group version. The hash lets clients cache. */
export function openapiIndex(kinds: readonly Kind[], hash: string): JsonObject {
  const paths: Record<string, JsonObject> = {};
  for (const { apiVersion } of kinds) {
    const place = prefix(apiVersion).slice(1);
    paths[place] = { serverRelativeURL: `/openapi/v3/${place}?hash=${hash}` };
  }
  return { paths };
}

/** `/openapi/v3/apis/G/V`. @param customSchema the `openAPIV3Schema` of a custom kind */
export function openapiDocument(
  kinds: readonly Kind[],
  apiVersion: string,
  customSchema: (kind: Kind) => JsonObject,
): JsonObject | undefined {
  const served = kinds.filter((kind) => kind.apiVersion === apiVersion);
  if (served.length === 0) return undefined;
  const schemas = served.some(({ isCustom }) => !isCustom) ? { ...definitions() } : { ...reachable(META) };
  const paths: Record<string, JsonObject> = {};
  for (const kind of served) {
    if (kind.isCustom) schemas[definitionName(kind)] = customDefinition(kind, customSchema(kind));
    Object.assign(paths, pathsOf(kind));
  }
  const document = { openapi: "3.0.0", info: INFO, paths, components: { schemas } };
  return rewriteReferences(document) as JsonObject;
}

/** `/openapi/v2`. */
export function swaggerDocument(kinds: readonly Kind[], customSchema: (kind: Kind) => JsonObject): JsonObject {
  const all: Record<string, unknown> = { ...definitions() };
  const paths: Record<string, JsonObject> = {};
  for (const kind of kinds) {
    if (kind.isCustom) all[definitionName(kind)] = customDefinition(kind, customSchema(kind));
    Object.assign(paths, pathsOf(kind));
  }
  return { swagger: "2.0", info: INFO, paths, definitions: all };
}

const INFO = { title: "Kubernetes", version: "v1.35.4" };

const definitions = (): Record<string, unknown> => openapi.definitions as unknown as Record<string, unknown>;

function reachable(name: string, found: Record<string, unknown> = {}): Record<string, unknown> {
  if (found[name] !== undefined) return found;
  found[name] = definitions()[name];
  for (const [, reference = ""] of JSON.stringify(found[name]).matchAll(/"#\/definitions\/([^"]+)"/g))
    reachable(reference, found);
  return found;
}

/** `com.example.v1.Widget`. */
const definitionName = ({ resource: { group, version, kind } }: Kind): string =>
  `${group.split(".").reverse().join(".")}.${version}.${kind}`;

function customDefinition(kind: Kind, schema: JsonObject): JsonObject {
  const properties = isObject(schema["properties"]) ? schema["properties"] : {};
  return {
    ...schema,
    type: "object",
    properties: {
      apiVersion: {
        type: "string",
        description: "APIVersion defines the versioned schema of this representation of an object.",
      },
      kind: {
        type: "string",
        description: "Kind is a string value representing the REST resource this object represents.",
      },
      ...properties,
      metadata: { $ref: `#/definitions/${META}` },
    },
    "x-kubernetes-group-version-kind": [gvk(kind)],
  };
}

const gvk = ({ resource: { group, version, kind } }: Kind): JsonObject => ({ group, version, kind });

const prefix = (apiVersion: string): string =>
  apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;

function pathsOf(kind: Kind): Record<string, JsonObject> {
  const { plural, namespaced } = kind.resource;
  const base = prefix(kind.apiVersion);
  const about = { "x-kubernetes-group-version-kind": gvk(kind), responses: { "200": { description: "OK" } } };
  const writing = {
    ...about,
    parameters: ["dryRun", "fieldManager", "fieldValidation"].map((name) => ({
      name,
      in: "query",
      schema: { type: "string" },
    })),
  };
  const get = { ...about, "x-kubernetes-action": "get" };
  const collection = {
    get: { ...about, "x-kubernetes-action": "list" },
    post: { ...writing, "x-kubernetes-action": "post" },
  };
  const one = {
    get,
    put: { ...writing, "x-kubernetes-action": "put" },
    patch: { ...writing, "x-kubernetes-action": "patch" },
    delete: { ...about, "x-kubernetes-action": "delete" },
  };
  const place = namespaced ? `${base}/namespaces/{namespace}/${plural}` : `${base}/${plural}`;
  return {
    [`${base}/${plural}`]: collection,
    [place]: collection,
    [`${place}/{name}`]: one,
  };
}

function rewriteReferences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(rewriteReferences);
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([field, child]) => [
      field,
      field === "$ref" && typeof child === "string"
        ? child.replace("#/definitions/", "#/components/schemas/")
        : rewriteReferences(child),
    ]),
  );
}
