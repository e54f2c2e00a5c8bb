/** What a PodCliqueSet's plan looks at, from caches only. */
import { parseKey } from "../../api/kubernetes/meta.ts";
import { observeDomains } from "../mnnvl/observe.ts";
import { setLevel } from "../resource-claims/levels.ts";
import { observeClaims } from "../resource-claims/observe.ts";
import { BY_SET, type Stores } from "../runtime/stores.ts";
import type { OperatorSettings } from "../settings.ts";
import { topologyNameOf } from "../topology/topology-of-set.ts";
import type { PodCliqueSetSnapshot } from "./plan.ts";

export function observePodCliqueSet(
  key: string,
  stores: Stores,
  { autoMnnvl }: Pick<OperatorSettings, "autoMnnvl">,
): PodCliqueSetSnapshot | undefined {
  const { namespace, name } = parseKey(key);
  const set = stores.set.get(namespace, name);
  if (set === undefined) return undefined;
  const topology = topologyNameOf(set.spec.template);
  const pods = stores.pod.byIndex(BY_SET, key);
  return {
    set,
    cliques: stores.clique.byIndex(BY_SET, key),
    groups: stores.group.byIndex(BY_SET, key),
    gangs: stores.gang.byIndex(BY_SET, key),
    pods,
    services: stores.service.byIndex(BY_SET, key),
    serviceAccounts: stores.serviceAccount.byIndex(BY_SET, key),
    roles: stores.role.byIndex(BY_SET, key),
    roleBindings: stores.roleBinding.byIndex(BY_SET, key),
    secrets: stores.secret.byIndex(BY_SET, key),
    autoscalers: stores.autoscaler.byIndex(BY_SET, key),
    binding: topology === undefined ? undefined : stores.binding.get(undefined, topology),
    claims: observeClaims(set, setLevel(set), stores, () => pods),
    computeDomains: autoMnnvl ? observeDomains(key, stores.computeDomain) : undefined,
  };
}
