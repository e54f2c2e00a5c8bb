/**
 * One declaration per field gives its TypeScript type, its place in the CRD's structural schema and its default.
 *
 *     const Budget = object({ capacity: int32({ minimum: 0 }), reserve: defaulted(int32({ minimum: 0 }), 0) });
 *     type Budget = Infer<typeof Budget>;       // { readonly capacity: number; readonly reserve: number }
 *     type BudgetInput = InferInput<typeof Budget>; // reserve may be left out
 */
import type { StructuralSchema, ValidationRule } from "./structural-schema.ts";

/** How a field behaves when it is left out: an error, absent, or filled in. */
export type Presence = "required" | "optional" | "defaulted";

/** `Out` is the type after defaulting, `In` what a client may send. */
export interface Schema<Out, In = Out, P extends Presence = "required"> {
  readonly json: StructuralSchema;
  readonly presence: P;
  /** Whether the key is listed in the parent's `required`. */
  readonly required: boolean;
  /** Never set; carries the types. */
  readonly types?: { readonly out: Out; readonly in: In };
}

type AnySchema = Schema<unknown, unknown, Presence>;
type Fields = Readonly<Record<string, AnySchema>>;

export type Infer<S> = S extends Schema<infer Out, infer _In, Presence> ? Out : never;
export type InferInput<S> = S extends Schema<infer _Out, infer In, Presence> ? In : never;

type KeysWhere<F extends Fields, P extends Presence> = {
  [K in keyof F]: F[K]["presence"] extends P ? K : never;
}[keyof F];
type Flat<T> = { [K in keyof T]: T[K] };
type OutOf<F extends Fields> = Flat<
  { readonly [K in KeysWhere<F, "required" | "defaulted">]: Infer<F[K]> } & {
    readonly [K in KeysWhere<F, "optional">]?: Infer<F[K]>;
  }
>;
type InOf<F extends Fields> = Flat<
  { readonly [K in KeysWhere<F, "required">]: InferInput<F[K]> } & {
    readonly [K in KeysWhere<F, "optional" | "defaulted">]?: InferInput<F[K]>;
  }
>;

interface Common {
  readonly description?: string;
  readonly rules?: readonly ValidationRule[];
}

interface TextOptions extends Common {
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

interface NumberOptions extends Common {
  readonly minimum?: number;
  readonly maximum?: number;
}

export const string = (options: TextOptions = {}): Schema<string> => field({ type: "string" }, options);
export const dateTime = (options: Common = {}): Schema<string> =>
  field({ type: "string", format: "date-time" }, options);
export const boolean = (options: Common = {}): Schema<boolean> => field({ type: "boolean" }, options);
export const number = (options: NumberOptions = {}): Schema<number> => field({ type: "number" }, options);
export const int32 = (options: NumberOptions = {}): Schema<number> =>
  field({ type: "integer", format: "int32" }, options);
export const int64 = (options: NumberOptions = {}): Schema<number> =>
  field({ type: "integer", format: "int64" }, options);

export function literals<const V extends string>(values: readonly V[], options: Common = {}): Schema<V> {
  return field({ type: "string", enum: values }, options);
}

/** A number or text, such as a Kubernetes quantity. */
export function intOrString(options: TextOptions = {}): Schema<string | number> {
  return field({ anyOf: [{ type: "integer" }, { type: "string" }], "x-kubernetes-int-or-string": true }, options);
}

/** A type whose schema is data, such as a PodSpec; `T` is the hand-written interface for it. */
export const embedded = <T>(json: StructuralSchema, options: Common = {}): Schema<T> => field(json, options);

export function object<const F extends Fields>(fields: F, options: Common = {}): Schema<OutOf<F>, InOf<F>> {
  const entries = Object.entries(fields);
  const required = entries.filter(([, schema]) => schema.required).map(([name]) => name);
  const properties = Object.fromEntries(entries.map(([name, schema]) => [name, schema.json]));
  return field({ type: "object", properties, ...(required.length > 0 && { required }) }, options);
}

interface ArrayOptions extends Common {
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly listType?: "atomic" | "set" | "map";
  readonly mapKeys?: readonly string[];
}

export function array<Out, In>(
  items: Schema<Out, In>,
  { listType, mapKeys, ...options }: ArrayOptions = {},
): Schema<readonly Out[], readonly In[]> {
  const list = {
    ...(listType !== undefined && { "x-kubernetes-list-type": listType }),
    ...(mapKeys !== undefined && { "x-kubernetes-list-map-keys": mapKeys }),
  };
  return field({ type: "array", items: items.json, ...list }, options);
}

export function record<Out, In>(
  values: Schema<Out, In>,
  options: Common & { readonly maxProperties?: number } = {},
): Schema<Readonly<Record<string, Out>>, Readonly<Record<string, In>>> {
  return field({ type: "object", additionalProperties: values.json }, options);
}

export function optional<Out, In>(schema: Schema<Out, In>): Schema<Out, In, "optional"> {
  return { ...retyped(schema), presence: "optional", required: false };
}

/**
 * Filled in by the API server when it is left out. For objects `{}` is enough: the defaults inside follow.
 * `listed: true` also lists the key as required, as controller-gen does for fields that are always written.
 */
export function defaulted<Out, In>(
  schema: Schema<Out, In>,
  value: In,
  { listed = false }: { readonly listed?: boolean } = {},
): Schema<Out, In, "defaulted"> {
  const { json } = retyped(schema);
  return { json: { ...json, default: value }, presence: "defaulted", required: listed };
}

/** Filled in by admission (`src/api/admission.ts`) when it is left out, because the value depends on other fields. */
export function derived<Out, In>(schema: Schema<Out, In>): Schema<Out, In, "defaulted"> {
  return { ...retyped(schema), presence: "defaulted", required: false };
}

function field<Out, In>(
  json: StructuralSchema,
  { rules, ...facets }: Common & Partial<StructuralSchema>,
): Schema<Out, In> {
  return {
    json: { ...json, ...facets, ...(rules !== undefined && { "x-kubernetes-validations": rules }) },
    presence: "required",
    required: true,
  };
}

const retyped = ({ json }: { readonly json: StructuralSchema }): { readonly json: StructuralSchema } => ({ json });
