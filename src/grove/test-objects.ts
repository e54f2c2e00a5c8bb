/** For unit tests of the plans: small objects as the API server would have stored them. */

import type { PodClique } from "../api/grove/pod-clique.ts";
import type { PodCliqueSet, PodCliqueSetInput } from "../api/grove/pod-clique-set.ts";
import { defaultPodCliqueSet } from "../api/grove/pod-clique-set-defaults.ts";
import type { Pod } from "../api/kubernetes/core.ts";
import { POD_GANG_GATE, POD_TEMPLATE_HASH } from "./labels.ts";
import { standaloneClique } from "./pod-clique/clique-object.ts";
import { podObject } from "./pod-clique/pod-object.ts";
import { DEFAULT_SETTINGS } from "./settings.ts";

type Template = PodCliqueSetInput["spec"]["template"];

export function storedSet(template: Template, replicas = 1): PodCliqueSet {
  return defaultPodCliqueSet({
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { name: "w", namespace: "ns", uid: "set-uid", generation: 1 },
    spec: { replicas, template },
  });
}

export const cliqueTemplate = (name: string, replicas = 1, minAvailable = replicas): Template["cliques"][number] => ({
  name,
  spec: { roleName: name, replicas, minAvailable, podSpec: { containers: [{ name: "main", image: "x:1" }] } },
});

/** The PodClique of the first clique of `set`, stored. */
export function storedClique(set: PodCliqueSet, change: Partial<PodClique["spec"]> = {}): PodClique {
  const [template] = set.spec.template.cliques;
  if (template === undefined) throw new TypeError("the set has no cliques");
  const clique = standaloneClique(set, 0, template, { settings: DEFAULT_SETTINGS });
  return {
    ...clique,
    metadata: { ...clique.metadata, uid: "clique-uid", generation: 1 },
    spec: { ...clique.spec, ...change },
  };
}

export interface PodState {
  readonly index?: number;
  readonly name?: string;
  readonly createdAt?: string;
  readonly hash?: string;
  readonly node?: string;
  readonly phase?: "Pending" | "Running" | "Unknown";
  readonly scheduled?: boolean;
  readonly ready?: boolean;
  readonly gated?: boolean;
  readonly terminating?: boolean;
  readonly started?: boolean;
  readonly exitCode?: number;
}

export function storedPod(clique: PodClique, state: PodState = {}): Pod {
  const { index = 0, name = `${clique.metadata.name}-${index}x`, gated = false } = state;
  const pod = podObject({ clique, set: undefined, settings: DEFAULT_SETTINGS, podIndex: index });
  const condition = (type: string, on: boolean | undefined, reason?: string) =>
    on === undefined ? [] : [{ type, status: on ? ("True" as const) : ("False" as const), ...(reason && { reason }) }];
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      name,
      uid: `uid-${name}`,
      creationTimestamp: state.createdAt ?? "2026-01-01T00:00:00Z",
      ...(state.terminating && { deletionTimestamp: "2026-01-01T01:00:00Z" }),
      labels: { ...pod.metadata.labels, ...(state.hash !== undefined && { [POD_TEMPLATE_HASH]: state.hash }) },
    },
    spec: {
      ...pod.spec,
      ...(state.node !== undefined && { nodeName: state.node }),
      schedulingGates: gated ? [{ name: POD_GANG_GATE }] : [],
    },
    status: {
      phase: state.phase ?? "Pending",
      conditions: [
        ...condition("PodScheduled", gated ? false : state.scheduled, gated ? "SchedulingGated" : undefined),
        ...condition("Ready", state.ready),
      ],
      containerStatuses: [
        {
          name: "main",
          ready: state.ready ?? false,
          started: state.started ?? false,
          restartCount: 0,
          ...(state.exitCode !== undefined && { lastState: { terminated: { exitCode: state.exitCode } } }),
        },
      ],
    },
  };
}
