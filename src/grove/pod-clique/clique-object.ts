/** PodClique objects as the set and the scaling group make them from a template (grove.md 2.2, 7.3). */
import { POD_CLIQUES, type PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueScalingGroup } from "../../api/grove/pod-clique-scaling-group.ts";
import type { PodCliqueScalingGroupTemplate, PodCliqueSet, PodCliqueTemplate } from "../../api/grove/pod-clique-set.ts";
import { apiVersionOf, type KubeObject } from "../../api/kubernetes/meta.ts";
import { groupEnvironment, withEnvironment } from "../environment.ts";
import {
  BASE_POD_GANG,
  CLIQUE_FINALIZER,
  type Component,
  componentLabels,
  GROUP_REPLICA_INDEX,
  POD_GANG,
  POD_TEMPLATE_HASH,
  SCALING_GROUP,
  SET_REPLICA_INDEX,
  TOPOLOGY_NAME_ANNOTATION,
} from "../labels.ts";
import { withMnnvlClaim } from "../mnnvl/groups.ts";
import { memberCliqueName, standaloneCliqueName } from "../names.ts";
import { ownedBy } from "../ownership.ts";
import { legacyNames, type PodGangNames } from "../pod-gang/gang-names.ts";
import { podTemplateHash } from "../pod-template-hash.ts";
import type { OperatorSettings } from "../settings.ts";
import { startsAfter } from "../startup-order.ts";
import { groupCliques } from "../template.ts";

/** What shows in a PodClique besides its set. */
export interface CliqueContext {
  readonly settings: Pick<OperatorSettings, "autoMnnvl">;
  /** Legacy ones when absent. */
  readonly gangNames?: PodGangNames | undefined;
}

export function standaloneClique(
  set: PodCliqueSet,
  setIndex: number,
  clique: PodCliqueTemplate,
  { settings, gangNames = legacyNames(set) }: CliqueContext,
): PodClique {
  const { name } = set.metadata;
  return cliqueObject({
    set,
    setIndex,
    clique,
    owner: set,
    name: standaloneCliqueName(name, setIndex, clique.name),
    component: "pcs-podclique",
    labels: { [POD_GANG]: gangNames.base(setIndex) },
    after: startsAfter(clique, { set: name, setIndex, template: set.spec.template }),
    spec: clique.spec,
    settings,
  });
}

export interface MemberPosition extends CliqueContext {
  readonly set: PodCliqueSet;
  readonly setIndex: number;
  readonly group: PodCliqueScalingGroup;
  readonly groupTemplate: PodCliqueScalingGroupTemplate;
  readonly groupIndex: number;
}

export function memberClique(clique: PodCliqueTemplate, position: MemberPosition): PodClique {
  const { set, setIndex, group, groupTemplate, groupIndex, settings, gangNames = legacyNames(set) } = position;
  const { template } = set.spec;
  const scalingGroup = group.metadata.name;
  const { name: groupName, minAvailable } = groupTemplate;
  const base = gangNames.base(setIndex);
  const templatePods = groupCliques(template, groupTemplate).reduce((sum, { spec }) => sum + spec.replicas, 0);
  return cliqueObject({
    set,
    setIndex,
    clique,
    owner: group,
    name: memberCliqueName(scalingGroup, groupIndex, clique.name),
    component: "pcsg-podclique",
    labels: {
      ...(groupIndex < minAvailable
        ? { [POD_GANG]: base }
        : {
            [POD_GANG]: gangNames.scaled({ setIndex, group: groupName, groupIndex, minAvailable }),
            [BASE_POD_GANG]: base,
          }),
      [SCALING_GROUP]: scalingGroup,
      [GROUP_REPLICA_INDEX]: String(groupIndex),
    },
    after: startsAfter(clique, { set: set.metadata.name, setIndex, template, groupIndex }),
    spec: { ...clique.spec, podSpec: withEnvironment(clique.spec.podSpec, groupEnvironment(templatePods)) },
    settings,
  });
}

function cliqueObject(options: {
  readonly set: PodCliqueSet;
  readonly setIndex: number;
  readonly clique: PodCliqueTemplate;
  readonly owner: KubeObject;
  readonly name: string;
  readonly component: Component;
  readonly labels: Readonly<Record<string, string>>;
  readonly after: readonly string[];
  readonly spec: PodCliqueTemplate["spec"];
  readonly settings: CliqueContext["settings"];
}): PodClique {
  const { set, setIndex, clique, owner, name, component, labels, after } = options;
  const { startsAfter: _, podSpec, ...spec } = options.spec;
  const connected = options.settings.autoMnnvl ? withMnnvlClaim(podSpec, clique, set, setIndex) : podSpec;
  const annotations = podAnnotations(clique);
  return {
    apiVersion: apiVersionOf(POD_CLIQUES),
    kind: POD_CLIQUES.kind,
    metadata: {
      name,
      ...(set.metadata.namespace !== undefined && { namespace: set.metadata.namespace }),
      labels: {
        ...clique.labels,
        ...componentLabels(set.metadata.name, component, name),
        [SET_REPLICA_INDEX]: String(setIndex),
        ...labels,
        [POD_TEMPLATE_HASH]: podTemplateHash(clique, set.spec.template.priorityClassName),
      },
      ...(Object.keys(annotations).length > 0 && { annotations }),
      ownerReferences: ownedBy(owner),
      finalizers: [CLIQUE_FINALIZER],
    },
    spec: { ...spec, podSpec: connected, ...(after.length > 0 && { startsAfter: after }) },
  };
}

function podAnnotations({ annotations = {} }: PodCliqueTemplate): Readonly<Record<string, string>> {
  const { [TOPOLOGY_NAME_ANNOTATION]: _, ...kept } = annotations;
  return kept;
}
