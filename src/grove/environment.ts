/** Environment variables that every container of a Grove pod gets (grove.md 2.7). */
import type { Container, EnvVar, PodSpec } from "../api/kubernetes/core.ts";
import { GROUP_REPLICA_INDEX, POD_INDEX, SCALING_GROUP } from "./labels.ts";
import { headlessServiceAddress } from "./names.ts";

export interface CliqueEnvironment {
  readonly set: string;
  readonly setIndex: number;
  readonly clique: string;
  readonly namespace: string;
}

/** The five of every pod. */
export function cliqueEnvironment({ set, setIndex, clique, namespace }: CliqueEnvironment): readonly EnvVar[] {
  return [
    { name: "GROVE_PCS_NAME", value: set },
    { name: "GROVE_PCS_INDEX", value: String(setIndex) },
    { name: "GROVE_PCLQ_NAME", value: clique },
    { name: "GROVE_HEADLESS_SERVICE", value: headlessServiceAddress(set, setIndex, namespace) },
    { name: "GROVE_PCLQ_POD_INDEX", valueFrom: labelValue(POD_INDEX) },
  ];
}

/** The three of a scaling group's members. `templatePods` is the sum of the template replicas of its cliques. */
export function groupEnvironment(templatePods: number): readonly EnvVar[] {
  return [
    { name: "GROVE_PCSG_NAME", valueFrom: labelValue(SCALING_GROUP) },
    { name: "GROVE_PCSG_INDEX", valueFrom: labelValue(GROUP_REPLICA_INDEX) },
    { name: "GROVE_PCSG_TEMPLATE_NUM_PODS", value: String(templatePods) },
  ];
}

/** Puts the variables first, so that templates can say `$(GROVE_PCS_NAME)`; they replace those of the same name. */
export function withEnvironment(podSpec: PodSpec, variables: readonly EnvVar[]): PodSpec {
  const names = new Set(variables.map(({ name }) => name));
  const extend = (container: Container): Container => ({
    ...container,
    env: [...variables, ...(container.env ?? []).filter(({ name }) => !names.has(name))],
  });
  return {
    ...podSpec,
    containers: podSpec.containers.map(extend),
    ...(podSpec.initContainers !== undefined && { initContainers: podSpec.initContainers.map(extend) }),
  };
}

const labelValue = (key: string): Readonly<Record<string, unknown>> => ({
  fieldRef: { fieldPath: `metadata.labels['${key}']` },
});
