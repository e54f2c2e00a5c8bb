/** The account with which init containers watch the pods of their gang (grove.md 2.1, 4.2). */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import {
  ROLE_BINDINGS,
  ROLES,
  type Role,
  type RoleBinding,
  SECRETS,
  SERVICE_ACCOUNTS,
  type Secret,
  type ServiceAccount,
} from "../../api/kubernetes/core.ts";
import { apiVersionOf, type ObjectMeta } from "../../api/kubernetes/meta.ts";
import { type Component, componentLabels } from "../labels.ts";
import { roleName, serviceAccountName, tokenSecretName } from "../names.ts";
import { ownedBy } from "../ownership.ts";

const SERVICE_ACCOUNT_ANNOTATION = "kubernetes.io/service-account.name";

export function serviceAccount(set: PodCliqueSet): ServiceAccount {
  return {
    apiVersion: apiVersionOf(SERVICE_ACCOUNTS),
    kind: SERVICE_ACCOUNTS.kind,
    metadata: metadata(set, serviceAccountName(set.metadata.name), "pod-service-account"),
    automountServiceAccountToken: true,
  };
}

export function podRole(set: PodCliqueSet): Role {
  return {
    apiVersion: apiVersionOf(ROLES),
    kind: ROLES.kind,
    metadata: metadata(set, roleName(set.metadata.name), "pod-role"),
    rules: [{ apiGroups: [""], resources: ["pods", "pods/status"], verbs: ["get", "list", "watch"] }],
  };
}

export function podRoleBinding(set: PodCliqueSet): RoleBinding {
  const { name, namespace = "default" } = set.metadata;
  return {
    apiVersion: apiVersionOf(ROLE_BINDINGS),
    kind: ROLE_BINDINGS.kind,
    metadata: metadata(set, roleName(name), "pod-role-binding"),
    roleRef: { apiGroup: ROLES.group, kind: ROLES.kind, name: roleName(name) },
    subjects: [{ kind: SERVICE_ACCOUNTS.kind, name: serviceAccountName(name), namespace }],
  };
}

export function tokenSecret(set: PodCliqueSet): Secret {
  const { name } = set.metadata;
  return {
    apiVersion: apiVersionOf(SECRETS),
    kind: SECRETS.kind,
    metadata: {
      ...metadata(set, tokenSecretName(name), "pod-sa-token-secret"),
      annotations: { [SERVICE_ACCOUNT_ANNOTATION]: serviceAccountName(name) },
    },
    type: "kubernetes.io/service-account-token",
  };
}

/** The token controller has filled the secret in. */
export const hasToken = (secret: Secret | undefined): boolean => (secret?.data?.["token"] ?? "") !== "";

function metadata(set: PodCliqueSet, name: string, component: Component): ObjectMeta {
  return {
    name,
    ...(set.metadata.namespace !== undefined && { namespace: set.metadata.namespace }),
    labels: componentLabels(set.metadata.name, component, name),
    ownerReferences: ownedBy(set),
  };
}
