/**
 * The cluster of a test: our own control plane, or any cluster by `GROVE_E2E_KUBECONFIG` (an administrator's). What the test makes is in a namespace of
 * its own and, where it has none, carries that name; the simulated kubelets and scheduler see nothing else.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { POD_CLIQUE_SETS } from "../../src/api/grove/pod-clique-set.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  LEASES,
  NAMESPACES,
  NODES,
  PODS,
  SERVICE_ACCOUNTS,
} from "../../src/api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../../src/api/kubernetes/meta.ts";
import { formatMicroTime } from "../../src/api/kubernetes/time.ts";
import { type Clock, wallClock } from "../../src/clock.ts";
import { createKubeClient } from "../../src/kube/client.ts";
import { type KubeCredentials, loadCredentials } from "../../src/kube/credentials.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import { createNodes } from "../../src/sim/kubelet/create-nodes.ts";
import { missingParts, startControlPlane } from "./control-plane/control-plane.ts";
import { eventually } from "./eventually.ts";

/** The label of the nodes of one test. */
export const NODE_LABEL = "grove.io/e2e";

const GIVEN = process.env["GROVE_E2E_KUBECONFIG"];
const FIELD_MANAGER = "grove-e2e";
/** Kubelets renew every 10 s; a node is given up after 50 s. */
const HEARTBEAT_MS = 10_000;

export const missingCluster = (): string | undefined => (GIVEN === undefined ? missingParts() : undefined);

export interface Cluster {
  readonly api: KubeApi;
  readonly credentials: KubeCredentials;
  readonly kubeconfigPath: string;
  stop(): Promise<void>;
}

export async function openCluster(): Promise<Cluster> {
  const controlPlane = GIVEN === undefined ? await startControlPlane() : undefined;
  const kubeconfigPath = controlPlane?.kubeconfigPath ?? GIVEN ?? "";
  const clock = wallClock();
  const credentials = await loadCredentials({ kubeconfig: kubeconfigPath }, clock);
  return {
    api: createKubeClient({ credentials, clock, userAgent: FIELD_MANAGER }),
    credentials,
    kubeconfigPath,
    async stop() {
      await credentials.dispatcher.destroy();
      await controlPlane?.stop();
    },
  };
}

const resource = (group: string, kind: string, plural: string, namespaced = false): Resource => ({
  group,
  version: "v1",
  kind,
  plural,
  namespaced,
});
const RBAC = "rbac.authorization.k8s.io";
/** Of the manifests, what a service that runs outside the cluster needs. */
const APPLIED: readonly Resource[] = [
  CUSTOM_RESOURCE_DEFINITIONS,
  NAMESPACES,
  SERVICE_ACCOUNTS,
  resource(RBAC, "ClusterRole", "clusterroles"),
  resource(RBAC, "ClusterRoleBinding", "clusterrolebindings"),
  resource(RBAC, "Role", "roles", true),
  resource(RBAC, "RoleBinding", "rolebindings", true),
];

/** Applies the definitions and access objects under a folder, namespaces first. @returns what was applied */
export async function applyFolder(api: KubeApi, folder: string): Promise<readonly KubeObject[]> {
  const objects = readdirSync(folder)
    .filter((name) => name.endsWith(".yaml"))
    .flatMap((name) => parseAllDocuments(readFileSync(join(folder, name), "utf8")))
    .map((document) => document.toJS() as KubeObject);
  const rank = ({ kind }: KubeObject): number => APPLIED.findIndex((one) => one.kind === kind);
  const applied = objects.filter((object) => rank(object) >= 0).sort((a, b) => rank(a) - rank(b));
  for (const object of applied) {
    const kind = APPLIED[rank(object)] as Resource;
    const { namespace, name } = object.metadata;
    const key = kind.namespaced ? { namespace: namespace ?? "default", name } : { name };
    await api.patch(kind, key, object, { type: "apply", fieldManager: FIELD_MANAGER, force: true });
  }
  await eventually("all kinds to be served", async () => {
    const names = applied
      .filter(({ kind }) => kind === "CustomResourceDefinition")
      .map(({ metadata }) => metadata.name);
    const all = (await api.list(CUSTOM_RESOURCE_DEFINITIONS)).items.filter(({ metadata }) =>
      names.includes(metadata.name),
    );
    return all.every(({ status }) => conditionOf(status?.conditions, "Established")?.status === "True");
  });
  return applied;
}

/** A token of a service account, as the kubelet would mount it. */
export async function requestToken(api: KubeApi, namespace: string, name: string): Promise<string> {
  const request: KubeObject & { readonly spec: object } = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: { name },
    spec: { expirationSeconds: 3_600 },
  };
  const answer = await api.createSubresource(SERVICE_ACCOUNTS, { namespace, name }, "token", request);
  return (answer as unknown as { readonly status: { readonly token: string } }).status.token;
}

/** The API as the simulated kubelets and scheduler of one test see it: one namespace and its nodes. */
export function onlyOf(api: KubeApi, namespace: string): KubeApi {
  const scope = ({ namespaced, plural }: Resource) =>
    namespaced ? { namespace } : plural === NODES.plural ? { labelSelector: `${NODE_LABEL}=${namespace}` } : {};
  return {
    ...api,
    list: (kind, options) => api.list(kind, { ...options, ...scope(kind) }),
    watch: (kind, options) => api.watch(kind, { ...options, ...scope(kind) }),
  };
}

export interface NodesOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly namespace: string;
  readonly count: number;
}

/** GPU nodes for the pods of one namespace, kept alive by heartbeats until the signal. Resolves when pods may come. */
export async function keepNodes(api: KubeApi, { clock, signal, namespace, count }: NodesOptions): Promise<void> {
  const nodes = await createNodes(api, {
    clock,
    count,
    namePrefix: namespace,
    labels: { [NODE_LABEL]: namespace },
    taints: [{ key: NODE_LABEL, value: namespace, effect: "NoSchedule" }],
  });
  await keepAlive(api, { clock, signal, namespace, nodeNames: nodes.map(({ metadata }) => metadata.name) });
}

export interface KeepAliveOptions extends Omit<NodesOptions, "count"> {
  readonly nodeNames: readonly string[];
}

/** Heartbeats of the nodes labelled with the namespace, until the signal. Resolves when pods may come. */
export async function keepAlive(
  api: KubeApi,
  { clock, signal, namespace, nodeNames }: KeepAliveOptions,
): Promise<void> {
  const beat = async (): Promise<void> => {
    const renewTime = formatMicroTime(clock.nowMs());
    for (const name of nodeNames) {
      const key = { namespace: "kube-node-lease", name };
      const lease = {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: key,
        spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime },
      };
      await api.patch(LEASES, key, lease, { type: "apply", fieldManager: FIELD_MANAGER, force: true });
    }
  };
  await beat();
  void (async () => {
    while (!signal.aborted) {
      await clock.sleep(HEARTBEAT_MS, signal).catch(() => undefined);
      // A beat that fails is followed by the next one.
      if (!signal.aborted) await beat().catch(() => undefined);
    }
  })();
  await eventually("the node controller to find the nodes ready", async () => {
    const { items } = await api.list(NODES, { labelSelector: `${NODE_LABEL}=${namespace}` });
    return items.every(({ spec }) => (spec?.taints ?? []).every(({ key }) => !key.startsWith("node.kubernetes.io/")));
  });
}

/**
 * Takes away what a test made, so that a cluster of somebody else's is left as it was; ours goes as a whole. To be called while operator and kubelets are
 * still at work: a set has a finalizer, and pods drain.
 */
export async function removeTraces(api: KubeApi, namespace: string): Promise<void> {
  if (GIVEN === undefined) return;
  for (const { metadata } of (await api.list(POD_CLIQUE_SETS, { namespace })).items) {
    await api.delete(POD_CLIQUE_SETS, { namespace, name: metadata.name });
  }
  await eventually("the sets and pods to go", async () => {
    const left = await Promise.all([POD_CLIQUE_SETS, PODS].map((kind: Resource) => api.list(kind, { namespace })));
    return left.every(({ items }) => items.length === 0);
  });
  const { items } = await api.list(NODES, { labelSelector: `${NODE_LABEL}=${namespace}` });
  for (const { metadata } of items) {
    await api.delete(NODES, { name: metadata.name });
    await api.delete(LEASES, { namespace: "kube-node-lease", name: metadata.name });
  }
  await api.delete(NAMESPACES, { name: namespace });
}
