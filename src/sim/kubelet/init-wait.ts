/** What Grove's `grove-initc` init container waits for, and whether it is there. Pure. */
import { isPodReady, type Pod } from "../../api/kubernetes/core.ts";

const INIT_CONTAINER = "grove-initc";
const CLIQUE_LABEL = "grove.io/podclique";
export const GANG_LABEL = "grove.io/podgang";

export interface Parent {
  /** Full name of the PodClique. */
  readonly clique: string;
  readonly minReady: number;
}

/** The arguments `--podcliques=<name>:<count>` (or `-p`) of the init container; none when the pod has no such one. */
export function parentsOf(pod: Pod): readonly Parent[] {
  const container = pod.spec.initContainers?.find(({ name }) => name === INIT_CONTAINER);
  const args = container?.args ?? [];
  const values = args.flatMap((arg, index) => {
    const inline = /^(?:--podcliques|-p)=(.*)$/.exec(arg)?.[1];
    if (inline !== undefined) return inline.split(",");
    return arg === "--podcliques" || arg === "-p" ? (args[index + 1] ?? "").split(",") : [];
  });
  return values.map((value) => {
    const colon = value.lastIndexOf(":");
    return { clique: value.slice(0, colon), minReady: Number(value.slice(colon + 1)) };
  });
}

/**
 * Are enough pods of every parent ready? Membership is by label, never by a prefix of the name: clique `a` must not
 * count the pods of clique `a-b`.
 */
export function parentsAreReady(parents: readonly Parent[], gangPods: readonly Pod[]): boolean {
  return parents.every(({ clique, minReady }) => {
    const ready = gangPods.filter((pod) => pod.metadata.labels?.[CLIQUE_LABEL] === clique && isPodReady(pod));
    return ready.length >= minReady;
  });
}
