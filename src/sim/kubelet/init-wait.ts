/** What Grove's `grove-initc` init container waits for. Pure. */
import { INIT_CONTAINER, parseParentArguments, type StartupParent } from "../../api/grove/startup-parents.ts";
import type { Pod } from "../../api/kubernetes/core.ts";

export const GANG_LABEL = "grove.io/podgang";

/** None when the pod has no such container. */
export function parentsOf(pod: Pod): readonly StartupParent[] {
  const container = pod.spec.initContainers?.find(({ name }) => name === INIT_CONTAINER);
  return parseParentArguments(container?.args ?? []);
}
