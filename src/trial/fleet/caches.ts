/** A fleet as the autoscaler's caches would show it: what an observation asks of informers, answered without any. */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import type { ConfigMap } from "../../api/kubernetes/core.ts";
import { noTemplates } from "../../autoscaler/gpu-cost.ts";
import { BY_OBJECT, BY_SET } from "../../autoscaler/informers.ts";
import type { ObservedCaches } from "../../autoscaler/observe.ts";
import type { Fleet, FleetObject } from "./fleet.ts";

export function cachesOf(fleet: Fleet, configMaps: readonly ConfigMap[]): ObservedCaches {
  const scaled = (level: FleetObject["level"], name: string): FleetObject | undefined => {
    const object = fleet.objectByName(name);
    return object?.level === level ? object : undefined;
  };
  return {
    groups: {
      get: (namespace, name) => asObject<PodCliqueScalingGroup>(namespace, scaled("PodCliqueScalingGroup", name)),
    },
    cliques: { get: (namespace, name) => asObject<PodClique>(namespace, scaled("PodClique", name)) },
    pods: {
      byIndex(index, key) {
        if (index === BY_OBJECT) return fleet.podsOfObject(key.slice(key.indexOf("/") + 1));
        return index === BY_SET ? fleet.allPods() : [];
      },
    },
    overrides: { byIndex: () => [] },
    configMaps: {
      get: (namespace, name) =>
        configMaps.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace),
      hasSynced: () => true,
      failure: () => undefined,
    },
    templateGpus: noTemplates,
  };
}

/** The set as it is now: its template never changes in a trial. */
export const setNow = (set: PodCliqueSet, fleet: Fleet): PodCliqueSet => ({
  ...set,
  metadata: { ...set.metadata, resourceVersion: String(fleet.setVersion) },
  spec: { ...set.spec, replicas: fleet.setReplicas },
  status: { ...set.status, availableReplicas: fleet.availableSetReplicas } as NonNullable<PodCliqueSet["status"]>,
});

/** Of an object with a `/scale` an observation reads its name, its version and its replicas. */
function asObject<T extends PodClique | PodCliqueScalingGroup>(
  namespace: string | undefined,
  object: FleetObject | undefined,
): T | undefined {
  if (object === undefined) return undefined;
  const { name, version, replicas } = object;
  return {
    metadata: { name, namespace, resourceVersion: String(version) },
    spec: { replicas },
  } as unknown as T;
}
