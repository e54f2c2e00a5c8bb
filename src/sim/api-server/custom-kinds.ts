/** CustomResourceDefinitions: what is checked before one is accepted, and the kinds it puts in service. */
import type { CustomResourceDefinition } from "../../api/kubernetes/core.ts";
import { ageOf } from "../../api/kubernetes/human-duration.ts";
import { apiVersionOf } from "../../api/kubernetes/meta.ts";
import { CREATED_COLUMN, NAME_COLUMN } from "./builtin-columns.ts";
import { builtinSchema } from "./builtin-schema.ts";
import { type FieldError, invalidValue, required } from "./failure.ts";
import { isObject, type JsonObject } from "./json.ts";
import { jsonPathValues } from "./json-path.ts";
import type { Column, Kind, ScalePaths } from "./kind.ts";
import { ANYTHING, compileDefinition, type Schema } from "./schema.ts";
import { validateSchema } from "./validate.ts";

type Version = CustomResourceDefinition["spec"]["versions"][number];

/** One kind per served version; all share one collection. */
export function customKinds(crd: CustomResourceDefinition): Kind[] {
  return crd.spec.versions.filter(({ served }) => served).map((version) => customKind(crd, version));
}

/** `status.acceptedNames` and friends follow from the names; absent ones are derived. */
export function withNameDefaults(crd: CustomResourceDefinition): CustomResourceDefinition {
  const names = crd.spec?.names;
  if (names?.kind === undefined) return crd;
  return {
    ...crd,
    spec: {
      ...crd.spec,
      names: {
        ...names,
        singular: names.singular ?? names.kind.toLowerCase(),
        listKind: names.listKind ?? `${names.kind}List`,
      },
      conversion: (crd.spec as unknown as JsonObject)["conversion"] ?? { strategy: "None" },
    } as CustomResourceDefinition["spec"],
  };
}

/** Schemas without an error. */
const foundRight = new WeakSet<JsonObject>();

export function validateCustomResourceDefinition(
  crd: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
): FieldError[] {
  const { spec, metadata } = crd;
  const errors: FieldError[] = [];
  if (!spec?.group) errors.push(required("spec.group"));
  if (!spec?.names?.kind) errors.push(required("spec.names.kind"));
  if (!spec?.names?.plural) errors.push(required("spec.names.plural"));
  if (spec?.scope !== "Namespaced" && spec?.scope !== "Cluster") {
    errors.push({
      reason: "FieldValueNotSupported",
      field: "spec.scope",
      message: `Unsupported value: ${JSON.stringify(spec?.scope ?? "")}: supported values: "Cluster", "Namespaced"`,
    });
  }
  if (errors.length > 0) return errors;
  const name = `${spec.names.plural}.${spec.group}`;
  if (metadata.name !== name) {
    errors.push(invalidValue("metadata.name", metadata.name, `must be spec.names.plural+"."+spec.group`));
  }
  if (old !== undefined && (old.spec.scope !== spec.scope || old.spec.names.kind !== spec.names.kind)) {
    errors.push(invalidValue("spec", spec.names.kind, "scope and kind are immutable"));
  }
  if (spec.versions.filter(({ storage }) => storage).length !== 1) {
    errors.push(invalidValue("spec.versions", "versions", "must have exactly one version marked as storage version"));
  }
  for (const [index, version] of spec.versions.entries()) {
    const at = `spec.versions[${index}]`;
    const source = version.schema?.openAPIV3Schema;
    if (source === undefined) {
      errors.push(required(`${at}.schema.openAPIV3Schema`, "schemas are required"));
      continue;
    }
    if (!foundRight.has(source)) errors.push(...structuralErrors(source, `${at}.schema.openAPIV3Schema`, true));
    if (errors.length > 0) continue;
    try {
      if (!foundRight.has(source))
        errors.push(...defaultErrors(compileDefinition(source), `${at}.schema.openAPIV3Schema`));
      if (errors.length === 0) foundRight.add(source);
      for (const { jsonPath } of version.additionalPrinterColumns ?? []) jsonPathValues(jsonPath, {});
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      const [, field = "", why = text] = /^openAPIV3Schema(.*?): (.*)$/s.exec(text) ?? [];
      errors.push({ reason: "FieldValueInvalid", field: `${at}.schema.openAPIV3Schema${field}`, message: why });
    }
  }
  return errors;
}

/** Structural schema: every field has a type (apiextensions v1). */
function structuralErrors(source: JsonObject, path: string, isRoot: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const free =
    source["x-kubernetes-int-or-string"] === true ||
    source["x-kubernetes-preserve-unknown-fields"] === true ||
    source["$ref"] !== undefined;
  if (source["type"] === undefined && (isRoot || !free)) {
    errors.push(
      required(
        `${path}.type`,
        isRoot ? "must not be empty at the root" : "must not be empty for specified object fields",
      ),
    );
  }
  if (isRoot && source["type"] !== undefined && source["type"] !== "object") {
    errors.push(invalidValue(`${path}.type`, source["type"], "must be object at the root"));
  }
  if (source["type"] === "array" && !isObject(source["items"]))
    errors.push(required(`${path}.items`, "must be specified"));
  const properties = isObject(source["properties"]) ? source["properties"] : {};
  for (const [name, child] of Object.entries(properties)) {
    if (isObject(child)) errors.push(...structuralErrors(child, `${path}.properties[${name}]`, false));
  }
  if (isObject(source["items"])) errors.push(...structuralErrors(source["items"], `${path}.items`, false));
  const additional = source["additionalProperties"];
  if (isObject(additional)) errors.push(...structuralErrors(additional, `${path}.additionalProperties`, false));
  return errors;
}

/** Defaults must themselves be valid. */
function defaultErrors(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (schema.defaultValue !== undefined)
    errors.push(...validateSchema(schema, schema.defaultValue, undefined, `${path}.default`));
  for (const [name, child] of schema.properties) errors.push(...defaultErrors(child, `${path}.properties[${name}]`));
  if (schema.items !== undefined) errors.push(...defaultErrors(schema.items, `${path}.items`));
  if (schema.additional !== undefined) errors.push(...defaultErrors(schema.additional, `${path}.additionalProperties`));
  return errors;
}

function customKind(crd: CustomResourceDefinition, version: Version): Kind {
  const { group, names, scope } = crd.spec;
  const resource = {
    group,
    version: version.name,
    kind: names.kind,
    plural: names.plural,
    namespaced: scope === "Namespaced",
  };
  const subresources = [
    ...(version.subresources?.status === undefined ? [] : ["status"]),
    ...(version.subresources?.scale === undefined ? [] : ["scale"]),
  ];
  const selectable = (version as unknown as JsonObject)["selectableFields"];
  return {
    resource,
    collection: `${group}/${names.plural}`,
    apiVersion: apiVersionOf(resource),
    singular: names.singular ?? names.kind.toLowerCase(),
    listKind: names.listKind ?? `${names.kind}List`,
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    isCustom: true,
    schema: withMetadata(compileDefinition(version.schema?.openAPIV3Schema ?? {})),
    subresources,
    scale: scalePaths(version),
    hasGeneration: true,
    allowsUnconditionalUpdate: false,
    returnsDeleted: false,
    selectableFields: Array.isArray(selectable)
      ? selectable.filter(isObject).map(({ jsonPath }) => String(jsonPath).replace(/^\./, ""))
      : [],
    columns: version.additionalPrinterColumns?.length
      ? [NAME_COLUMN, ...version.additionalPrinterColumns.map(printerColumn)]
      : [NAME_COLUMN, CREATED_COLUMN],
    rules: {},
  };
}

/** A CRD says nothing of identity and metadata: they are as in every object. */
function withMetadata(schema: Schema): Schema {
  const text: Schema = { ...ANYTHING, type: "string", preserveUnknown: false };
  const properties = new Map(schema.properties);
  properties.set("apiVersion", text);
  properties.set("kind", text);
  properties.set("metadata", builtinSchema("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"));
  return { ...schema, properties };
}

function scalePaths(version: Version): ScalePaths | undefined {
  const scale = version.subresources?.scale;
  if (scale === undefined) return undefined;
  const fields = (path: string): string[] => path.replace(/^\./, "").split(".");
  return {
    replicas: fields(scale.specReplicasPath),
    statusReplicas: fields(scale.statusReplicasPath),
    selector: scale.labelSelectorPath === undefined ? undefined : fields(scale.labelSelectorPath),
  };
}

function printerColumn(source: NonNullable<Version["additionalPrinterColumns"]>[number]): Column {
  const { name, type, jsonPath, priority, description, format } = source;
  return {
    name,
    type,
    description: description ?? `Custom resource definition column (in JSONPath format): ${jsonPath}`,
    ...(priority !== undefined && { priority }),
    ...(format !== undefined && { format }),
    cell: (object, nowMs) => {
      const values = jsonPathValues(jsonPath, object);
      const [value] = values;
      if (value === undefined) return null;
      if (type === "date") return ageOf(value, nowMs);
      if (type === "integer" || type === "number") return typeof value === "number" ? value : null;
      if (type === "boolean") return typeof value === "boolean" ? value : null;
      return values.map((item) => (typeof item === "object" ? JSON.stringify(item) : String(item))).join(",");
    },
  };
}
