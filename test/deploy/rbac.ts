/** Kubernetes' RBAC over the shipped roles, asked for every call of the product. */
import type { KubeObject, Resource } from "../../src/api/kubernetes/meta.ts";
import { ApiError } from "../../src/kube/api-error.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import type { Manifest, Rule } from "./manifests.ts";

export interface Ask {
  readonly verb: string;
  readonly group: string;
  /** `podcliques`, `podcliques/scale`. */
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

interface Grant {
  readonly role: string;
  /** Of a Role; absent for a ClusterRole. */
  readonly namespace?: string;
  readonly rule: Rule;
}

export interface Rbac {
  readonly denied: readonly Ask[];
  /** Every single permission of the roles that no call used, as `role verb resource.group`. */
  unused(): readonly string[];
  allows(ask: Ask): boolean;
  /** The same API, with 403 for what the roles do not grant. */
  guard(api: KubeApi): KubeApi;
}

export function rbacOf(manifests: readonly Manifest[], account: string): Rbac {
  const grants = grantsOf(manifests, account);
  const permissions = new Map<string, boolean>(
    grants.flatMap((grant) => permissionsOf(grant).map((one): [string, boolean] => [one, false])),
  );
  const denied: Ask[] = [];

  const allows = (ask: Ask): boolean => {
    const granting = grants.filter((grant) => covers(grant, ask));
    for (const { role } of granting) permissions.set(permission(role, ask.verb, ask.resource, ask.group), true);
    if (granting.length === 0) denied.push(ask);
    return granting.length > 0;
  };
  const check = (verb: string, resource: Resource, namespace?: string, name?: string, subresource?: string): void => {
    const plural = subresource === undefined ? resource.plural : `${resource.plural}/${subresource}`;
    if (!allows({ verb, group: resource.group, resource: plural, namespace, name })) {
      throw new ApiError(403, "Forbidden", `cannot ${verb} ${plural}.${resource.group} "${name ?? ""}"`);
    }
  };
  const nameOf = ({ metadata: { name, namespace } }: KubeObject) => ({ name, namespace });
  return {
    denied,
    unused: () => [...permissions].filter(([, used]) => !used).map(([text]) => text),
    allows,
    guard: (api) => ({
      async get(resource, key) {
        check("get", resource, key.namespace, key.name);
        return api.get(resource, key);
      },
      async list(resource, options) {
        check("list", resource, options?.namespace, selectedName(options));
        return api.list(resource, options);
      },
      watch(resource, options) {
        check("watch", resource, options.namespace, selectedName(options));
        return api.watch(resource, options);
      },
      async create(resource, object, options) {
        // The name of an object that is created is not known to the authorizer.
        check("create", resource, object.metadata.namespace);
        return api.create(resource, object, options);
      },
      async update(resource, object, options) {
        const { name, namespace } = nameOf(object);
        check("update", resource, namespace, name, options?.subresource);
        return api.update(resource, object, options);
      },
      async patch(resource, key, patch, options) {
        check("patch", resource, key.namespace, key.name, options.subresource);
        return api.patch(resource, key, patch, options);
      },
      async delete(resource, key, options) {
        check("delete", resource, key.namespace, key.name);
        return api.delete(resource, key, options);
      },
      async deleteCollection(resource, selection, options) {
        check("deletecollection", resource, selection.namespace, "");
        return api.deleteCollection(resource, selection, options);
      },
      async getScale(resource, key) {
        check("get", resource, key.namespace, key.name, "scale");
        return api.getScale(resource, key);
      },
      async setScale(resource, key, replicas, options) {
        // The client for real servers sends a merge patch.
        check("patch", resource, key.namespace, key.name, "scale");
        return api.setScale(resource, key, replicas, options);
      },
      async createSubresource(resource, key, subresource, body) {
        check("create", resource, key.namespace, key.name, subresource);
        return api.createSubresource(resource, key, subresource, body);
      },
    }),
  };
}

/** A list of the one object of a name is authorized as that object. */
const selectedName = (options?: { readonly fieldSelector?: string }): string | undefined =>
  /^metadata\.name=([^,]+)$/.exec(options?.fieldSelector ?? "")?.[1];

function grantsOf(manifests: readonly Manifest[], account: string): readonly Grant[] {
  const bindings = manifests.filter(
    ({ kind, subjects }) => kind.endsWith("RoleBinding") && subjects?.some(({ name }) => name === account),
  );
  return bindings.flatMap(({ kind, metadata, roleRef }) => {
    const role = manifests.find((one) => one.kind === roleRef?.kind && one.metadata.name === roleRef.name);
    if (role === undefined) throw new Error(`${kind} ${metadata.name} refers to no role`);
    return (role.rules ?? []).map((rule) => ({
      role: role.metadata.name,
      rule,
      ...(kind === "RoleBinding" && metadata.namespace !== undefined ? { namespace: metadata.namespace } : {}),
    }));
  });
}

const covers = ({ namespace, rule }: Grant, ask: Ask): boolean =>
  (namespace === undefined || namespace === ask.namespace) &&
  rule.apiGroups.includes(ask.group) &&
  rule.resources.includes(ask.resource) &&
  rule.verbs.includes(ask.verb) &&
  (rule.resourceNames === undefined || (ask.name !== undefined && rule.resourceNames.includes(ask.name)));

const permissionsOf = ({ role, rule }: Grant): readonly string[] =>
  rule.apiGroups.flatMap((group) =>
    rule.resources.flatMap((resource) => rule.verbs.map((verb) => permission(role, verb, resource, group))),
  );

const permission = (role: string, verb: string, resource: string, group: string): string =>
  `${role}: ${verb} ${resource}${group === "" ? "" : `.${group}`}`;
