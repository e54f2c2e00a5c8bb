/** The name rules of Kubernetes (RFC 1123 and friends) and the metadata checks every object passes. */
import type { ObjectMeta } from "../../api/kubernetes/meta.ts";
import { type FieldError, invalidValue, required } from "./failure.ts";
import type { KindRules } from "./kind.ts";

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const QUALIFIED =
  /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/;

export function validateName(name: string | undefined, style: KindRules["names"] = "subdomain"): FieldError[] {
  const field = "metadata.name";
  if (name === undefined || name === "") return [required(field, "name or generateName is required")];
  if (style === "path") {
    return name === "." || name === ".." || /[/%]/.test(name)
      ? [invalidValue(field, name, "may not contain '/' or '%'")]
      : [];
  }
  if (style === "subdomain") {
    if (name.length > 253) return [invalidValue(field, name, "must be no more than 253 characters")];
    return SUBDOMAIN.test(name)
      ? []
      : [
          invalidValue(
            field,
            name,
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
          ),
        ];
  }
  if (name.length > 63) return [invalidValue(field, name, "must be no more than 63 characters")];
  if (style === "service" && /^[0-9]/.test(name)) {
    return [invalidValue(field, name, "a DNS-1035 label must start with an alphabetic character")];
  }
  return LABEL.test(name)
    ? []
    : [
        invalidValue(
          field,
          name,
          "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
        ),
      ];
}

export function validateMeta(meta: ObjectMeta): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(meta.labels ?? {})) {
    if (!isQualifiedName(key))
      errors.push(
        invalidValue(
          "metadata.labels",
          key,
          "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        ),
      );
    if (typeof value !== "string" || value.length > 63 || !LABEL_VALUE.test(value)) {
      errors.push(
        invalidValue(
          "metadata.labels",
          value,
          "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        ),
      );
    }
  }
  for (const key of Object.keys(meta.annotations ?? {})) {
    if (!isQualifiedName(key.toLowerCase()))
      errors.push(
        invalidValue(
          "metadata.annotations",
          key,
          "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        ),
      );
  }
  for (const [index, owner] of (meta.ownerReferences ?? []).entries()) {
    const at = `metadata.ownerReferences[${index}]`;
    if (!owner.apiVersion)
      errors.push(invalidValue(`${at}.apiVersion`, owner.apiVersion ?? "", "version must not be empty"));
    if (!owner.kind) errors.push(invalidValue(`${at}.kind`, owner.kind ?? "", "must not be empty"));
    if (!owner.name) errors.push(invalidValue(`${at}.name`, owner.name ?? "", "must not be empty"));
    if (!owner.uid) errors.push(invalidValue(`${at}.uid`, owner.uid ?? "", "must not be empty"));
  }
  const controllers = (meta.ownerReferences ?? []).filter((owner) => owner.controller === true);
  if (controllers.length > 1) {
    errors.push(
      invalidValue(
        "metadata.ownerReferences",
        meta.ownerReferences,
        `Only one reference can have Controller set to true. Found "true" in references for ${controllers
          .map(({ kind, name }) => `${kind}/${name}`)
          .join(" and ")}`,
      ),
    );
  }
  for (const [index, finalizer] of (meta.finalizers ?? []).entries()) {
    if (!isQualifiedName(finalizer)) {
      errors.push(
        invalidValue(
          `metadata.finalizers[${index}]`,
          finalizer,
          "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        ),
      );
    }
  }
  return errors;
}

function isQualifiedName(text: string): boolean {
  const name = text.slice(text.lastIndexOf("/") + 1);
  return name.length <= 63 && QUALIFIED.test(text);
}
