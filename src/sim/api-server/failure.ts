/** The refusals of the API server, worded as a real one words them. */
import type { Resource } from "../../api/kubernetes/meta.ts";
import { ApiError } from "../../kube/api-error.ts";

type Named = Pick<Resource, "group" | "plural" | "kind">;

/** One broken field of an object. `message` is what stands after `field: `, for example `Required value`. */
export interface FieldError {
  readonly reason:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueDuplicate"
    | "FieldValueForbidden"
    | "FieldValueTooLong"
    | "FieldValueTooMany"
    | "FieldValueTypeInvalid";
  readonly field: string;
  readonly message: string;
}

/** `deployments.apps`, or the bare plural in the core group. */
const qualified = ({ group, plural }: Named): string => (group === "" ? plural : `${plural}.${group}`);

export const notFound = (resource: Named, name: string): ApiError =>
  new ApiError(404, "NotFound", `${qualified(resource)} "${name}" not found`);

export const unknownResource = (): ApiError =>
  new ApiError(404, "NotFound", "the server could not find the requested resource");

export const alreadyExists = (resource: Named, name: string): ApiError =>
  new ApiError(409, "AlreadyExists", `${qualified(resource)} "${name}" already exists`);

export const conflict = (resource: Named, name: string, why: string): ApiError =>
  new ApiError(409, "Conflict", `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`);

export const staleVersion = (resource: Named, name: string): ApiError =>
  conflict(
    resource,
    name,
    "the object has been modified; please apply your changes to the latest version and try again",
  );

export const badRequest = (message: string): ApiError => new ApiError(400, "BadRequest", message);

export const forbidden = (resource: Named, name: string, why: string, causes: ApiError["causes"] = []): ApiError =>
  new ApiError(403, "Forbidden", `${qualified(resource)} "${name}" is forbidden: ${why}`, { causes });

export const methodNotAllowed = (): ApiError =>
  new ApiError(405, "MethodNotAllowed", "the server does not allow this method on the requested resource");

export const unsupportedMediaType = (accepted: readonly string[]): ApiError =>
  new ApiError(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
  );

export const expired = (message: string): ApiError => new ApiError(410, "Expired", message);

export function invalid(resource: Named, name: string, errors: readonly FieldError[]): ApiError {
  const lines = errors.map(({ field, message }) => `${field}: ${message}`);
  const detail = lines.length === 1 ? lines[0] : `[${lines.join(", ")}]`;
  const kind = resource.group === "" ? resource.kind : `${resource.kind}.${resource.group}`;
  return new ApiError(422, "Invalid", `${kind} "${name}" is invalid: ${detail}`, { causes: errors });
}

/** Go's `%v`/`%q` of a value as field errors print it. */
export const quoted = (value: unknown): string =>
  typeof value === "string" || typeof value === "object" ? JSON.stringify(value) : String(value);

export const required = (field: string, why = ""): FieldError => ({
  reason: "FieldValueRequired",
  field,
  message: why === "" ? "Required value" : `Required value: ${why}`,
});

export const invalidValue = (field: string, value: unknown, why: string): FieldError => ({
  reason: "FieldValueInvalid",
  field,
  message: `Invalid value: ${quoted(value)}: ${why}`,
});

export const notSupported = (field: string, value: unknown, supported: readonly unknown[]): FieldError => ({
  reason: "FieldValueNotSupported",
  field,
  message: `Unsupported value: ${quoted(value)}: supported values: ${supported.map(quoted).join(", ")}`,
});

export const duplicate = (field: string, value: unknown): FieldError => ({
  reason: "FieldValueDuplicate",
  field,
  message: `Duplicate value: ${quoted(value)}`,
});

export const forbiddenField = (field: string, why: string): FieldError => ({
  reason: "FieldValueForbidden",
  field,
  message: `Forbidden: ${why}`,
});
