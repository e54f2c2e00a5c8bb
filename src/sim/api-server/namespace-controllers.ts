/** The small controllers every namespace relies on: its deletion, its default ServiceAccount, and token Secrets. */
import { NAMESPACES, SECRETS, SERVICE_ACCOUNTS } from "../../api/kubernetes/core.ts";
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import { type Core, SYSTEM_REQUEST } from "./core.ts";
import { deleteObject } from "./deletion.ts";
import type { StoredObject } from "./json.ts";
import { serviceAccountToken } from "./pod-subresources.ts";
import { createObject, updateObject } from "./writes.ts";

export interface NamespaceControllerOptions {
  /** PEM text for `ca.crt` in token Secrets. */
  readonly caCertificate: string;
  /** How late token Secrets are filled in; at once when absent. */
  readonly tokenDelayMs?: number;
}

/** Starts them. Work runs in a microtask after the change that asked for it. */
export function startNamespaceControllers(
  core: Core,
  { caCertificate, tokenDelayMs = 0 }: NamespaceControllerOptions,
): void {
  const { store, kinds, clock } = core;
  const later = (work: () => void): void => queueMicrotask(work);

  store.onChange(({ collection, type, object }) => {
    const { namespace, name, deletionTimestamp } = object.metadata;
    if (collection === "/namespaces") {
      if (type === "DELETED") return;
      if (deletionTimestamp === undefined) later(() => addDefaultAccount(name));
      else later(() => emptyNamespace(name));
      return;
    }
    if (namespace === undefined) return;
    if (type === "DELETED") {
      if (store.get("/namespaces", { name: namespace })?.metadata.deletionTimestamp !== undefined) {
        later(() => emptyNamespace(namespace));
      } else if (collection === "/serviceaccounts" && name === "default") later(() => addDefaultAccount(namespace));
    } else if (collection === "/secrets" && object["type"] === TOKEN_TYPE) {
      fillTokenInTime(namespace, name);
    } else if (collection === "/serviceaccounts" && type === "ADDED") {
      later(() => {
        for (const secret of store.list("/secrets", namespace)) {
          if (secret["type"] === TOKEN_TYPE) fillTokenInTime(namespace, secret.metadata.name);
        }
      });
    }
  });

  function addDefaultAccount(namespace: string): void {
    const found = store.get("/namespaces", { name: namespace });
    if (found === undefined || found.metadata.deletionTimestamp !== undefined) return;
    if (store.get("/serviceaccounts", { namespace, name: "default" }) !== undefined) return;
    const kind = kinds.find(SERVICE_ACCOUNTS)!;
    createObject(core, kind, namespace, { metadata: { name: "default" } } as StoredObject, SYSTEM_REQUEST);
  }

  /** Deletes everything in the namespace; the namespace itself goes when nothing is left. */
  function emptyNamespace(name: string): void {
    const namespace = store.get("/namespaces", { name });
    if (namespace?.metadata.deletionTimestamp === undefined) return;
    let left = 0;
    const seen = new Set<string>();
    for (const kind of kinds.all()) {
      if (!kind.resource.namespaced || seen.has(kind.collection)) continue;
      seen.add(kind.collection);
      for (const { metadata } of store.list(kind.collection, name)) {
        if (metadata.deletionTimestamp === undefined) {
          deleteObject(core, kind, { namespace: name, name: metadata.name }, {}, SYSTEM_REQUEST);
        }
        if (store.get(kind.collection, { namespace: name, name: metadata.name }) !== undefined) left++;
      }
    }
    if (left === 0 && (namespace.metadata.finalizers ?? []).length === 0) store.remove("/namespaces", namespace);
  }

  function fillTokenInTime(namespace: string, name: string): void {
    if (tokenDelayMs === 0) later(() => fillToken(namespace, name));
    else clock.setTimer(tokenDelayMs, () => fillToken(namespace, name));
  }

  function fillToken(namespace: string, name: string): void {
    const secret = store.get("/secrets", { namespace, name }) as (StoredObject & KubeObject) | undefined;
    const accountName = secret?.metadata.annotations?.[ACCOUNT_ANNOTATION];
    const data = (secret?.["data"] ?? {}) as Readonly<Record<string, string>>;
    if (secret === undefined || accountName === undefined || data["token"] !== undefined) return;
    const account = store.get("/serviceaccounts", { namespace, name: accountName });
    if (account === undefined) return;
    const text = (value: string): string => Buffer.from(value).toString("base64");
    const filled: StoredObject = {
      ...secret,
      metadata: {
        ...secret.metadata,
        annotations: { ...secret.metadata.annotations, "kubernetes.io/service-account.uid": account.metadata.uid! },
      },
      data: {
        ...data,
        "ca.crt": text(caCertificate),
        namespace: text(namespace),
        token: text(serviceAccountToken(core, account)),
      },
    };
    updateObject(core, kinds.find(SECRETS)!, { namespace, name }, filled, SYSTEM_REQUEST);
  }
}

/** The namespaces a fresh cluster has. */
export function createInitialNamespaces(core: Core): void {
  const kind = core.kinds.find(NAMESPACES)!;
  for (const name of ["default", "kube-system", "kube-public", "kube-node-lease"]) {
    createObject(core, kind, undefined, { metadata: { name } } as StoredObject, SYSTEM_REQUEST);
  }
}

const TOKEN_TYPE = "kubernetes.io/service-account-token";
const ACCOUNT_ANNOTATION = "kubernetes.io/service-account.name";
