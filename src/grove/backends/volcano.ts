/** Volcano: a PodGroup for each PodGang, in a queue that has to be open (grove.md 3.7). */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { CUSTOM_RESOURCE_DEFINITIONS, type CustomResourceDefinition } from "../../api/kubernetes/core.ts";
import { apiVersionOf } from "../../api/kubernetes/meta.ts";
import { isDnsSubdomain } from "../../api/kubernetes/names.ts";
import { VOLCANO_POD_GROUPS, VOLCANO_QUEUE_ANNOTATION } from "../../api/scheduler/volcano.ts";
import type { FieldError } from "../../api/schema/validate.ts";
import { isNotFound } from "../../kube/api-error.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { labelOf, POD_GANG } from "../labels.ts";
import type { BackendFacts, SchedulerBackend } from "./backend.ts";
import { withSchedulerName } from "./scheduler-name.ts";
import { refuseTopologyConstraints } from "./topology-refusal.ts";
import { DEFAULT_VOLCANO_QUEUE, volcanoPodGroup, volcanoPodGroupPatch } from "./volcano-pod-group.ts";

export const VOLCANO: SchedulerBackend = {
  name: "volcano",
  preparePod(pod) {
    const gang = labelOf(pod, POD_GANG);
    const group =
      gang === undefined ? {} : { "scheduling.k8s.io/group-name": gang, "scheduling.volcano.sh/group-name": gang };
    const metadata = { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...group } };
    return withSchedulerName({ ...pod, metadata }, VOLCANO.name);
  },
  /** A queue that only a clique names has to reach the PodGang too: its PodGroup is in one queue. */
  gangAnnotations(set) {
    const [queue] = queuesOf(set);
    return queue === undefined ? {} : { [VOLCANO_QUEUE_ANNOTATION]: queue.name };
  },
  validate: (set, facts) => [...refuseTopologyConstraints(set, VOLCANO.name), ...validateQueue(set, facts)],
  gangObject: { of: "volcanoPodGroup", wanted: volcanoPodGroup, patch: volcanoPodGroupPatch },
  checkCluster: checkSubGroupPolicy,
};

interface NamedQueue {
  readonly name: string;
  readonly field: string;
}

/** The set's first, then those of its cliques. */
function queuesOf({ metadata, spec }: PodCliqueSet): readonly NamedQueue[] {
  const named = (annotations: Readonly<Record<string, string>> | undefined, path: string): readonly NamedQueue[] => {
    const name = annotations?.[VOLCANO_QUEUE_ANNOTATION]?.trim() ?? "";
    return name === "" ? [] : [{ name, field: `${path}.annotations[${VOLCANO_QUEUE_ANNOTATION}]` }];
  };
  return [
    ...named(metadata.annotations, "metadata"),
    ...spec.template.cliques.flatMap(({ annotations }, index) => named(annotations, `spec.template.cliques[${index}]`)),
  ];
}

function validateQueue(set: PodCliqueSet, { volcanoQueues }: BackendFacts): readonly FieldError[] {
  const queues = queuesOf(set);
  const [first = { name: DEFAULT_VOLCANO_QUEUE, field: `metadata.annotations[${VOLCANO_QUEUE_ANNOTATION}]` }] = queues;
  const other = queues.find(({ name }) => name !== first.name);
  if (other !== undefined) {
    const both = `${JSON.stringify(first.name)} and ${JSON.stringify(other.name)}`;
    return [{ field: other.field, message: `a PodCliqueSet has one Volcano queue, found ${both}` }];
  }
  const { name, field } = first;
  if (!isDnsSubdomain(name)) return [{ field, message: `${JSON.stringify(name)} is not a valid name of a queue` }];
  if (volcanoQueues === undefined) return [];
  const queue = volcanoQueues.get(name);
  if (queue === undefined) return [{ field, message: `volcano queue ${JSON.stringify(name)} does not exist` }];
  if (queue.status?.state !== "Open") return [{ field, message: `volcano queue ${JSON.stringify(name)} is not Open` }];
  return [];
}

const CRD = `${VOLCANO_POD_GROUPS.plural}.${VOLCANO_POD_GROUPS.group}`;
const NEEDED = `scheduler volcano needs Volcano 1.14 or newer, whose PodGroup has spec.subGroupPolicy`;

async function checkSubGroupPolicy(api: KubeApi, recorder: EventRecorder): Promise<void> {
  const fail = (definition: CustomResourceDefinition, message: string): never => {
    recorder.event(definition, "Warning", "VolcanoCapabilityUnavailable", message);
    throw new Error(message);
  };
  let definition: CustomResourceDefinition;
  try {
    definition = await api.get(CUSTOM_RESOURCE_DEFINITIONS, { name: CRD });
  } catch (error) {
    const why = isNotFound(error) ? "is not installed" : `cannot be read: ${String(error)}`;
    return fail(nameOnly(), `${NEEDED}: CustomResourceDefinition ${CRD} ${why}`);
  }
  if (!hasSubGroupPolicy(definition)) {
    fail(definition, `${NEEDED}: CustomResourceDefinition ${CRD} has no such field in ${VOLCANO_POD_GROUPS.version}`);
  }
}

/** For the event about something that is not there. */
const nameOnly = (): CustomResourceDefinition =>
  ({
    apiVersion: apiVersionOf(CUSTOM_RESOURCE_DEFINITIONS),
    kind: CUSTOM_RESOURCE_DEFINITIONS.kind,
    metadata: { name: CRD },
  }) as CustomResourceDefinition;

function hasSubGroupPolicy({ spec }: CustomResourceDefinition): boolean {
  interface Schema {
    readonly properties?: Readonly<Record<string, Schema>>;
  }
  return spec.versions.some(
    ({ name, served, schema }) =>
      name === VOLCANO_POD_GROUPS.version &&
      served &&
      (schema?.openAPIV3Schema as Schema | undefined)?.properties?.["spec"]?.properties?.["subGroupPolicy"] !==
        undefined,
  );
}
