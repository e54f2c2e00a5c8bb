/** Defaults of a PodCliqueSet that a schema cannot express (grove.md 1.2, 1.3). They run on create and on update. */
import { applyDefaults } from "../schema/defaults.ts";
import { POD_CLIQUE_SET_DEFINITION, type PodCliqueSet, type PodCliqueSetInput } from "./pod-clique-set.ts";

type Template = PodCliqueSet["spec"]["template"];
type Clique = Template["cliques"][number];
type Group = NonNullable<Template["podCliqueScalingGroups"]>[number];

/** Idempotent; the object must have the shape of the schema. Schema defaults first, as the API server does, then those of the mutating webhook. */
export function defaultPodCliqueSet(object: PodCliqueSetInput): PodCliqueSet {
  const set = applyDefaults(POD_CLIQUE_SET_DEFINITION.schema, object) as PodCliqueSet;
  const { metadata, spec } = set;
  const { template } = spec;
  const groups = template.podCliqueScalingGroups;
  return {
    ...set,
    metadata: { ...metadata, namespace: metadata.namespace || "default" },
    spec: {
      ...spec,
      template: {
        ...template,
        cliques: template.cliques.map(defaultClique),
        ...(groups !== undefined && { podCliqueScalingGroups: groups.map(defaultGroup) }),
        headlessServiceConfig: template.headlessServiceConfig ?? { publishNotReadyAddresses: true },
        terminationDelay: template.terminationDelay ?? "4h",
      },
    },
  };
}

function defaultClique(clique: Clique): Clique {
  const { spec } = clique;
  const replicas = spec.replicas || 1;
  return {
    ...clique,
    spec: {
      ...spec,
      replicas,
      // Upstream takes the value before 0 becomes 1, so `replicas: 0` alone is refused because minAvailable is then 0.
      minAvailable: spec.minAvailable ?? spec.replicas,
      podSpec: {
        ...spec.podSpec,
        restartPolicy: spec.podSpec.restartPolicy ?? "Always",
        terminationGracePeriodSeconds: spec.podSpec.terminationGracePeriodSeconds ?? 30,
      },
      ...(spec.autoScalingConfig !== undefined && {
        autoScalingConfig: { ...spec.autoScalingConfig, minReplicas: spec.autoScalingConfig.minReplicas ?? replicas },
      }),
    },
  };
}

function defaultGroup(group: Group): Group {
  const { scaleConfig } = group;
  if (scaleConfig === undefined) return group;
  return { ...group, scaleConfig: { ...scaleConfig, minReplicas: scaleConfig.minReplicas ?? group.replicas } };
}
