/**
 * The structural schema of a kind in compiled form: what normalising, validating, merging and field ownership walk along.
 * Comes from a CRD's `openAPIV3Schema` or from Kubernetes' own OpenAPI for built-in kinds.
 */
import { type CelRule, compileRules } from "./cel.ts";
import { isObject, type JsonObject } from "./json.ts";

export type SchemaType =
  | "object"
  | "array"
  | "string"
  | "integer"
  | "number"
  | "boolean"
  | "intOrString"
  | "quantity"
  | "any";

export interface Schema {
  readonly type: SchemaType;
  readonly format: string | undefined;
  readonly description: string | undefined;
  readonly nullable: boolean;
  readonly defaultValue: unknown;
  readonly properties: ReadonlyMap<string, Schema>;
  /** Properties with a default somewhere directly below: only these need a visit when absent. */
  readonly defaulted: readonly string[];
  /** Schema of the values of a map; undefined for a struct. */
  readonly additional: Schema | undefined;
  readonly items: Schema | undefined;
  readonly preserveUnknown: boolean;
  /** `x-kubernetes-embedded-resource`. */
  readonly embedded: boolean;
  readonly required: readonly string[];
  readonly enumValues: readonly unknown[] | undefined;
  readonly pattern: { readonly text: string; readonly regexp: RegExp } | undefined;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly exclusiveMinimum: boolean;
  readonly exclusiveMaximum: boolean;
  readonly multipleOf: number | undefined;
  readonly minLength: number | undefined;
  readonly maxLength: number | undefined;
  readonly minItems: number | undefined;
  readonly maxItems: number | undefined;
  readonly minProperties: number | undefined;
  readonly maxProperties: number | undefined;
  readonly allOf: readonly Schema[];
  readonly anyOf: readonly Schema[];
  readonly oneOf: readonly Schema[];
  readonly not: Schema | undefined;
  /** Has any of the four above. */
  readonly isCombined: boolean;
  readonly listType: "atomic" | "set" | "map";
  readonly listMapKeys: readonly string[];
  readonly atomicMap: boolean;
  /** Strategic merge: how lists of this schema merge. */
  readonly patchMergeKey: string | undefined;
  readonly patchMerges: boolean;
  readonly rules: readonly CelRule[];
  /** Whether normalising has to look below: false for plain scalars. */
  readonly hasRulesBelow: boolean;
}

export interface CompileOptions {
  /** Resolves `$ref`. */
  readonly definition?: (reference: string) => Schema;
}

/** @throws Error when a CEL rule does not compile; the message starts with the path of the rule */
export function compileSchema(source: JsonObject, options: CompileOptions = {}, path = "openAPIV3Schema"): Schema {
  const reference = source["$ref"];
  if (typeof reference === "string" && options.definition !== undefined) {
    return referenced(options.definition(reference), source);
  }
  const properties = new Map<string, Schema>();
  for (const [name, child] of Object.entries(objectOf(source["properties"]))) {
    properties.set(name, lazy(child, options, `${path}.properties[${name}]`));
  }
  const embedded = source["x-kubernetes-embedded-resource"] === true;
  const additional = isObject(source["additionalProperties"])
    ? compileSchema(source["additionalProperties"], options, `${path}.additionalProperties`)
    : undefined;
  const items = isObject(source["items"]) ? compileSchema(source["items"], options, `${path}.items`) : undefined;
  const many = (field: string): Schema[] => {
    const list = source[field];
    return Array.isArray(list)
      ? list.filter(isObject).map((child, index) => compileSchema(child, options, `${path}.${field}[${index}]`))
      : [];
  };
  const schema: Omit<Schema, "rules" | "hasRulesBelow"> = {
    type: typeOf(source),
    format: textOf(source["format"]),
    description: textOf(source["description"]),
    nullable: source["nullable"] === true,
    defaultValue: source["default"],
    properties,
    defaulted: [...properties].filter(([, child]) => child.defaultValue !== undefined).map(([name]) => name),
    additional,
    items,
    preserveUnknown:
      source["x-kubernetes-preserve-unknown-fields"] === true ||
      source["additionalProperties"] === true ||
      (options.definition !== undefined &&
        typeOf(source) === "object" &&
        properties.size === 0 &&
        additional === undefined),
    embedded,
    required: Array.isArray(source["required"]) ? (source["required"] as string[]) : [],
    enumValues: Array.isArray(source["enum"]) ? source["enum"] : undefined,
    pattern: typeof source["pattern"] === "string" ? patternOf(source["pattern"]) : undefined,
    minimum: numberOf(source["minimum"]),
    maximum: numberOf(source["maximum"]),
    exclusiveMinimum: source["exclusiveMinimum"] === true,
    exclusiveMaximum: source["exclusiveMaximum"] === true,
    multipleOf: numberOf(source["multipleOf"]),
    minLength: numberOf(source["minLength"]),
    maxLength: numberOf(source["maxLength"]),
    minItems: numberOf(source["minItems"]),
    maxItems: numberOf(source["maxItems"]),
    minProperties: numberOf(source["minProperties"]),
    maxProperties: numberOf(source["maxProperties"]),
    allOf: many("allOf"),
    anyOf: many("anyOf"),
    oneOf: many("oneOf"),
    not: isObject(source["not"]) ? compileSchema(source["not"], options, `${path}.not`) : undefined,
    isCombined: ["allOf", "anyOf", "oneOf", "not"].some((field) => source[field] !== undefined),
    listType: listTypeOf(source),
    listMapKeys: (source["x-kubernetes-list-map-keys"] as string[] | undefined) ?? [],
    atomicMap: source["x-kubernetes-map-type"] === "atomic",
    patchMergeKey: textOf(source["x-kubernetes-patch-merge-key"]),
    patchMerges: textOf(source["x-kubernetes-patch-strategy"])?.split(",").includes("merge") === true,
  };
  const rules = compileRules(source["x-kubernetes-validations"], source, path);
  const children = [...(options.definition === undefined ? properties.values() : []), additional, items];
  return {
    ...schema,
    rules,
    hasRulesBelow: rules.length > 0 || children.some((child) => child?.hasRulesBelow === true),
  };
}

const compiled = new WeakMap<JsonObject, Schema>();

/**
 * The schema of a CRD, compiled once for each source: the same object is checked, served, and installed in one world after the other.
 * @throws as {@link compileSchema}
 */
export function compileDefinition(source: JsonObject): Schema {
  const known = compiled.get(source);
  if (known !== undefined) return known;
  const schema = compileSchema(source);
  compiled.set(source, schema);
  return schema;
}

/** The schema of one field of an object, {@link ANYTHING} where the schema does not say. */
export const fieldSchema = (schema: Schema, field: string): Schema =>
  schema.properties.get(field) ?? schema.additional ?? ANYTHING;

/** What a `$ref` points at, with what stands beside the reference (`default`, merge extensions) laid over it. */
function referenced(target: Schema, source: JsonObject): Schema {
  if (source["default"] === undefined) return target;
  return Object.create(target, { defaultValue: { value: source["default"], enumerable: true } }) as Schema;
}

function lazy(child: unknown, options: CompileOptions, path: string): Schema {
  return compileSchema(isObject(child) ? child : {}, options, path);
}

/** Go allows escapes, as in `\-`, that Unicode mode here refuses. */
function patternOf(text: string): NonNullable<Schema["pattern"]> {
  try {
    return { text, regexp: new RegExp(text, "u") };
  } catch {
    return { text, regexp: new RegExp(text) };
  }
}

function typeOf(source: JsonObject): SchemaType {
  if (source["x-kubernetes-int-or-string"] === true || source["format"] === "int-or-string") return "intOrString";
  if (source["format"] === "quantity") return "quantity";
  const type = source["type"];
  if (type === undefined || type === "") return isObject(source["properties"]) ? "object" : "any";
  return type as SchemaType;
}

function listTypeOf(source: JsonObject): Schema["listType"] {
  const type = source["x-kubernetes-list-type"];
  return type === "map" || type === "set" ? type : "atomic";
}

const objectOf = (value: unknown): JsonObject => (isObject(value) ? value : {});
const textOf = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const numberOf = (value: unknown): number | undefined => (typeof value === "number" ? value : undefined);

/** A schema that keeps everything and knows nothing: embedded objects, raw extensions. */
export const ANYTHING: Schema = compileSchema({ "x-kubernetes-preserve-unknown-fields": true });
