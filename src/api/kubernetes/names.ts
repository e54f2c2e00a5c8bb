/** Syntax of Kubernetes names, labels and annotations (apimachinery `util/validation`). */

const DNS_SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/u;
const DNS_LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/u;
const QUALIFIED_NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/u;
const ENV_NAME = /^[-._a-zA-Z][-._a-zA-Z0-9]*$/u;

export const isDnsSubdomain = (name: string): boolean => name.length <= 253 && DNS_SUBDOMAIN.test(name);
export const isDnsLabel = (name: string): boolean => name.length <= 63 && DNS_LABEL.test(name);
export const isEnvName = (name: string): boolean => ENV_NAME.test(name) && name !== "." && !name.startsWith("..");

/** `name` or `prefix/name`: the syntax of label and annotation keys. */
export function isQualifiedName(key: string): boolean {
  const slash = key.indexOf("/");
  const name = key.slice(slash + 1);
  if (slash !== -1 && !isDnsSubdomain(key.slice(0, slash))) return false;
  return name.length <= 63 && QUALIFIED_NAME.test(name);
}

export const isLabelValue = (value: string): boolean =>
  value === "" || (value.length <= 63 && QUALIFIED_NAME.test(value));
