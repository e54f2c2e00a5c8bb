/** What the plan of a ClusterTopologyBinding looks at, from caches only. */
import { enabledBackends } from "../backends/registry.ts";
import type { Stores } from "../runtime/stores.ts";
import type { OperatorSettings } from "../settings.ts";
import { type BindingSnapshot, type LiveTopology, referenceOf } from "./plan.ts";

export function observeBinding(name: string, stores: Stores, settings: OperatorSettings): BindingSnapshot | undefined {
  const binding = stores.binding.get(undefined, name);
  if (binding === undefined) return undefined;
  return {
    binding,
    topologies: enabledBackends(settings).flatMap(
      ({ name: schedulerName, topologyObject }): readonly LiveTopology[] => {
        if (topologyObject === undefined) return [];
        const store = stores[topologyObject.of];
        const reference = referenceOf(binding, schedulerName);
        return [
          {
            schedulerName,
            topologyObject,
            isKnown: store.hasSynced(),
            live: store.get(undefined, reference ?? name),
            ...(reference !== undefined && { reference }),
          },
        ];
      },
    ),
  };
}
