/** What a URL path of the API addresses. */
export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

/** `/api/v1/…` and `/apis/GROUP/VERSION/…` down to a resource; undefined for every other path. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const parts = path
    .split("/")
    .filter((part) => part !== "")
    .map(decodeURIComponent);
  const isCore = parts[0] === "api";
  if (!isCore && parts[0] !== "apis") return undefined;
  const group = isCore ? "" : parts[1];
  const version = isCore ? parts[1] : parts[2];
  const rest = parts.slice(isCore ? 2 : 3);
  const [first, second, third] = rest;
  if (group === undefined || version === undefined || first === undefined) return undefined;
  const place = { group, version };
  const isInNamespace = first === "namespaces" && second !== undefined && third !== undefined;
  if (isInNamespace && !(isCore && NAMESPACE_SUBRESOURCES.has(third))) {
    return { ...place, namespace: second, plural: third, name: rest[3], subresource: rest[4] };
  }
  return { ...place, namespace: undefined, plural: first, name: second, subresource: third };
}

const NAMESPACE_SUBRESOURCES = new Set(["status", "finalize"]);
