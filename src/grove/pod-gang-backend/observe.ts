/** What the plan of a PodGang's scheduler objects looks at, from caches only. */
import { parseKey } from "../../api/kubernetes/meta.ts";
import { enabledBackends } from "../backends/registry.ts";
import { labelOf, PART_OF, TOPOLOGY_NAME_ANNOTATION } from "../labels.ts";
import { isOwnedBy } from "../ownership.ts";
import type { Stores } from "../runtime/stores.ts";
import type { OperatorSettings } from "../settings.ts";
import type { GangBackendSnapshot, LiveGangObject } from "./plan.ts";

export function observeGangBackend(
  key: string,
  stores: Stores,
  settings: OperatorSettings,
): GangBackendSnapshot | undefined {
  const { namespace, name } = parseKey(key);
  const gang = stores.gang.get(namespace, name);
  if (gang === undefined) return undefined;
  const set = stores.set.get(namespace, labelOf(gang, PART_OF) ?? "");
  const topology = gang.metadata.annotations?.[TOPOLOGY_NAME_ANNOTATION];
  return {
    gang,
    set: set !== undefined && isOwnedBy(gang, set) ? set : undefined,
    binding: topology === undefined ? undefined : stores.binding.get(undefined, topology),
    live: enabledBackends(settings).flatMap(({ gangObject }): readonly LiveGangObject[] => {
      if (gangObject === undefined) return [];
      const { of } = gangObject;
      return [{ of, isKnown: stores[of].hasSynced(), object: stores[of].get(namespace, name) }];
    }),
  };
}
