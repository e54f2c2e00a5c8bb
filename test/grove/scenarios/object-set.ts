/** What a set has brought about, without what differs from run to run: random names, addresses, nodes, uids, times. */
import { isTerminating, PODS, type Pod, SERVICES, type Service } from "../../../src/api/kubernetes/core.ts";
import type { KubeObject } from "../../../src/api/kubernetes/meta.ts";
import { POD_GANGS, type PodGang } from "../../../src/api/scheduler/pod-gang.ts";
import type { ScenarioWorld } from "./scenario-world.ts";
import { listInstalled, MANAGED_KINDS } from "./world-actions.ts";

/** By `Kind/name`; pods by hostname, so that a hostname that is taken twice shows as `Pod/x #2`. */
export type ObjectSet = Readonly<Record<string, unknown>>;

export async function objectSet({ api, namespace }: ScenarioWorld): Promise<ObjectSet> {
  const managed = { namespace, labelSelector: "app.kubernetes.io/managed-by=grove-operator" };
  const lists = await Promise.all(MANAGED_KINDS.map((kind) => listInstalled(api, kind, managed)));
  const objects = lists.flat();
  const pods = objects.filter(({ kind }) => kind === PODS.kind);
  const hostnames = new Map(pods.map((pod) => [pod.metadata.name, nameOf(pod)]));
  const set: Record<string, unknown> = {};
  for (const object of objects.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))) {
    let key = `${object.kind}/${nameOf(object)}`;
    for (let count = 2; key in set; count++) key = `${object.kind}/${nameOf(object)} #${count}`;
    set[key] = stable(object, hostnames);
  }
  return set;
}

const nameOf = (object: KubeObject): string =>
  (object.kind === PODS.kind ? (object as Pod).spec.hostname : undefined) ?? object.metadata.name;

function stable(object: KubeObject, hostnames: ReadonlyMap<string, string>): unknown {
  const { metadata, status: _, data: __, secrets: ___, ...rest } = object as KubeObject & Record<string, unknown>;
  const { labels, annotations, ownerReferences = [], finalizers = [] } = metadata;
  return {
    ...rest,
    ...specOf(object, hostnames),
    labels,
    // The token controller notes the uid of the account.
    annotations: Object.fromEntries(
      Object.entries(annotations ?? {}).filter(([key]) => key !== "kubernetes.io/service-account.uid"),
    ),
    owners: ownerReferences.map(({ kind, name }) => `${kind}/${name}`),
    finalizers,
    terminating: isTerminating(object),
  };
}

function specOf(object: KubeObject, hostnames: ReadonlyMap<string, string>): object {
  if (object.kind === PODS.kind) {
    const { nodeName: _, ...spec } = (object as Pod).spec;
    return { spec: JSON.parse(JSON.stringify(spec).replaceAll(/kube-api-access-\w{5}/gu, "kube-api-access")) };
  }
  if (object.kind === SERVICES.kind) {
    const { clusterIP: _, clusterIPs: __, ...spec } = (object as Service).spec;
    return { spec };
  }
  if (object.kind !== POD_GANGS.kind) return {};
  const { spec } = object as PodGang;
  const podgroups = spec.podgroups.map((group) => ({
    ...group,
    podReferences: group.podReferences.map(({ name }) => hostnames.get(name) ?? `unknown ${name}`).sort(),
  }));
  return { spec: { ...spec, podgroups } };
}
