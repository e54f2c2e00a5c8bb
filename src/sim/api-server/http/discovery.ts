/** Discovery: the legacy lists and the aggregated documents (KEP-3352) that kubectl and client-go ask for. */

import type { JsonObject } from "../json.ts";
import type { Kind } from "../kind.ts";

const VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
const SUBRESOURCE_VERBS: Readonly<Record<string, readonly string[]>> = {
  status: ["get", "patch", "update"],
  scale: ["get", "patch", "update"],
  finalize: ["update"],
  log: ["get"],
  ephemeralcontainers: ["get", "patch", "update"],
};

interface Listed {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly singular?: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  /** Kind of a subresource that is not the kind of its resource. */
  readonly responseKind?: { readonly group: string; readonly version: string; readonly kind: string };
}

const REVIEWS: Readonly<Record<string, readonly Listed[]>> = {
  "authentication.k8s.io/v1": [
    {
      name: "selfsubjectreviews",
      kind: "SelfSubjectReview",
      namespaced: false,
      verbs: ["create"],
      singular: "selfsubjectreview",
    },
    { name: "tokenreviews", kind: "TokenReview", namespaced: false, verbs: ["create"], singular: "tokenreview" },
  ],
  "authorization.k8s.io/v1": [
    {
      name: "selfsubjectaccessreviews",
      kind: "SelfSubjectAccessReview",
      namespaced: false,
      verbs: ["create"],
      singular: "selfsubjectaccessreview",
    },
  ],
};

/** `/api/v1` and `/apis/G/V`. @returns undefined for a group version that is not served */
export function resourceList(kinds: readonly Kind[], apiVersion: string): JsonObject | undefined {
  const resources = listedIn(kinds, apiVersion);
  if (resources.length === 0) return undefined;
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: apiVersion,
    resources: resources.map(({ name, kind, namespaced, verbs, singular, shortNames, categories, responseKind }) => ({
      name,
      singularName: singular ?? "",
      namespaced,
      ...(responseKind && { group: responseKind.group, version: responseKind.version }),
      kind: responseKind?.kind ?? kind,
      verbs,
      ...(shortNames?.length && { shortNames }),
      ...(categories?.length && { categories }),
    })),
  };
}

/** `/api`. */
export const coreVersions = (host: string): JsonObject => ({
  kind: "APIVersions",
  versions: ["v1"],
  serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: host }],
});

/** `/apis`. */
export function groupList(kinds: readonly Kind[]): JsonObject {
  return { kind: "APIGroupList", apiVersion: "v1", groups: groupNames(kinds).map((name) => groupEntry(kinds, name)) };
}

/** `/apis/G`. */
export function group(kinds: readonly Kind[], name: string): JsonObject | undefined {
  if (!groupNames(kinds).includes(name)) return undefined;
  return { kind: "APIGroup", apiVersion: "v1", ...groupEntry(kinds, name) };
}

/** The whole of `/api` or `/apis` in one document. */
export function aggregated(kinds: readonly Kind[], isCore: boolean): JsonObject {
  const groups = isCore ? [""] : groupNames(kinds);
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: "apidiscovery.k8s.io/v2",
    metadata: {},
    items: groups.map((name) => ({
      metadata: { name },
      versions: versionsOf(kinds, name).map((version) => ({
        version,
        freshness: "Current",
        resources: aggregatedResources(kinds, name === "" ? version : `${name}/${version}`),
      })),
    })),
  };
}

function aggregatedResources(kinds: readonly Kind[], apiVersion: string): JsonObject[] {
  const all = listedIn(kinds, apiVersion);
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  return all
    .filter(({ name }) => !name.includes("/"))
    .map((listed) => ({
      resource: listed.name,
      responseKind: { group, version, kind: listed.kind },
      scope: listed.namespaced ? "Namespaced" : "Cluster",
      singularResource: listed.singular,
      verbs: listed.verbs,
      ...(listed.shortNames?.length && { shortNames: listed.shortNames }),
      ...(listed.categories?.length && { categories: listed.categories }),
      subresources: all
        .filter(({ name }) => name.startsWith(`${listed.name}/`))
        .map(({ name, kind, verbs, responseKind }) => ({
          subresource: name.slice(name.indexOf("/") + 1),
          responseKind: responseKind ?? { group, version, kind },
          verbs,
        })),
    }));
}

function listedIn(kinds: readonly Kind[], apiVersion: string): Listed[] {
  const own = kinds.filter((kind) => kind.apiVersion === apiVersion).flatMap(listed);
  return [...own, ...(REVIEWS[apiVersion] ?? [])].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function listed(kind: Kind): Listed[] {
  const { plural, namespaced } = kind.resource;
  return [
    {
      name: plural,
      kind: kind.resource.kind,
      namespaced,
      verbs: VERBS,
      singular: kind.singular,
      shortNames: kind.shortNames,
      categories: kind.categories,
    },
    ...kind.subresources.map((name) => ({
      name: `${plural}/${name}`,
      kind: kind.resource.kind,
      namespaced,
      verbs: SUBRESOURCE_VERBS[name] ?? ["create"],
      ...(SUBRESOURCE_KINDS[name] && { responseKind: SUBRESOURCE_KINDS[name] }),
    })),
  ];
}

const SUBRESOURCE_KINDS: Readonly<Record<string, NonNullable<Listed["responseKind"]>>> = {
  scale: { group: "autoscaling", version: "v1", kind: "Scale" },
  eviction: { group: "policy", version: "v1", kind: "Eviction" },
  token: { group: "authentication.k8s.io", version: "v1", kind: "TokenRequest" },
  binding: { group: "", version: "v1", kind: "Binding" },
};

function groupEntry(kinds: readonly Kind[], name: string): JsonObject {
  const versions = versionsOf(kinds, name).map((version) => ({ groupVersion: `${name}/${version}`, version }));
  return { name, versions, preferredVersion: versions[0] };
}

function groupNames(kinds: readonly Kind[]): string[] {
  const names = new Set(kinds.map(({ resource }) => resource.group).filter((name) => name !== ""));
  for (const apiVersion of Object.keys(REVIEWS)) names.add(apiVersion.slice(0, apiVersion.indexOf("/")));
  return [...names].sort();
}

/** Most stable first, then newest. */
function versionsOf(kinds: readonly Kind[], name: string): string[] {
  const versions = new Set(
    kinds.filter(({ resource }) => resource.group === name).map(({ resource }) => resource.version),
  );
  for (const apiVersion of Object.keys(REVIEWS)) if (apiVersion.startsWith(`${name}/`)) versions.add("v1");
  return [...versions].sort((a, b) => rank(b) - rank(a));
}

function rank(version: string): number {
  const [, major = "0", stage, minor = "0"] = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version) ?? [];
  return (stage === undefined ? 2e6 : stage === "beta" ? 1e6 : 0) + Number(major) * 1000 + Number(minor);
}
