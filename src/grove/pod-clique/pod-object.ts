/** Pods as a PodClique makes them, complete on creation: nothing is patched in afterwards but the gate out. */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { PODS, type Pod, type PodSpec } from "../../api/kubernetes/core.ts";
import { apiVersionOf } from "../../api/kubernetes/meta.ts";
import { preparePod } from "../backends/prepare-pod.ts";
import { cliqueEnvironment, withEnvironment } from "../environment.ts";
import { labelOf, managedLabels, PART_OF, POD_CLIQUE, POD_GANG_GATE, POD_INDEX, SET_REPLICA_INDEX } from "../labels.ts";
import { headlessServiceName, podHostname } from "../names.ts";
import { ownedBy } from "../ownership.ts";
import { withSharedClaims } from "../resource-claims/inject.ts";
import type { OperatorSettings } from "../settings.ts";
import { withInitContainer } from "./init-container.ts";

export interface PodParts {
  readonly clique: PodClique;
  /** The set it belongs to, unless that is gone. */
  readonly set: PodCliqueSet | undefined;
  readonly settings: OperatorSettings;
  readonly podIndex: number;
}

export function podObject(parts: PodParts): Pod {
  return preparePod(plainPod(parts), parts.settings);
}

function plainPod({ clique, set: owner, settings, podIndex }: PodParts): Pod {
  const { name, namespace = "default", labels = {}, annotations } = clique.metadata;
  const set = labelOf(clique, PART_OF) ?? "";
  const setIndex = Number(labelOf(clique, SET_REPLICA_INDEX) ?? 0);
  const { podSpec } = clique.spec;
  const { initContainerImage } = settings;
  const sharing = (spec: PodSpec): PodSpec =>
    owner === undefined ? spec : withSharedClaims(spec, clique, owner, podIndex);
  const inOrder = (spec: PodSpec): PodSpec =>
    owner === undefined || initContainerImage === undefined
      ? spec
      : withInitContainer(spec, clique, owner, initContainerImage);
  return {
    apiVersion: apiVersionOf(PODS),
    kind: PODS.kind,
    metadata: {
      name: "",
      generateName: `${name}-`,
      namespace,
      labels: {
        ...managedLabels(set),
        ...labels,
        [POD_CLIQUE]: name,
        [SET_REPLICA_INDEX]: String(setIndex),
        [POD_INDEX]: String(podIndex),
      },
      ...(annotations !== undefined && { annotations }),
      ownerReferences: ownedBy(clique),
    },
    spec: {
      ...inOrder(sharing(withEnvironment(podSpec, cliqueEnvironment({ set, setIndex, clique: name, namespace })))),
      restartPolicy: "Always",
      hostname: podHostname(name, podIndex),
      subdomain: headlessServiceName(set, setIndex),
      // The gates of the template stay: another controller may be waiting to open them.
      schedulingGates: [{ name: POD_GANG_GATE }, ...(podSpec.schedulingGates ?? [])],
    },
  };
}

/** The index in a pod's hostname, or undefined when the pod was not made by this operator. */
export function podIndexOf(pod: Pod, clique: string): number | undefined {
  const { hostname } = pod.spec;
  if (hostname === undefined || !hostname.startsWith(`${clique}-`)) return undefined;
  const text = hostname.slice(clique.length + 1);
  return /^\d+$/u.test(text) ? Number(text) : undefined;
}
