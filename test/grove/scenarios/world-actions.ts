/** What a scenario does to a cluster, by API calls only; the same in every world. */
import { admit } from "../../../src/api/admission.ts";
import type { GroveAdmissionOptions } from "../../../src/api/grove/admission-options.ts";
import { POD_CLIQUES } from "../../../src/api/grove/pod-clique.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../../src/api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../../src/api/grove/pod-clique-set.ts";
import {
  HORIZONTAL_POD_AUTOSCALERS,
  NODES,
  PODS,
  ROLE_BINDINGS,
  ROLES,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from "../../../src/api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../../../src/api/kubernetes/meta.ts";
import { RESOURCE_CLAIMS } from "../../../src/api/kubernetes/resource-claim.ts";
import { COMPUTE_DOMAINS } from "../../../src/api/nvidia/compute-domain.ts";
import { KAI_POD_GROUPS } from "../../../src/api/scheduler/kai.ts";
import { POD_GANGS } from "../../../src/api/scheduler/pod-gang.ts";
import type { Clock } from "../../../src/clock.ts";
import { isConflict, isNotFound } from "../../../src/kube/api-error.ts";
import type { KubeApi, ListOptions } from "../../../src/kube/kube-api.ts";
import type { ScaledLevel, ScenarioWorld } from "./scenario-world.ts";

/** Nothing where the kind is not installed. */
export async function listInstalled(
  api: KubeApi,
  kind: Resource,
  options: ListOptions,
): Promise<readonly KubeObject[]> {
  try {
    return (await api.list(kind, options)).items;
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

const LEVELS: Readonly<Record<ScaledLevel, Resource>> = {
  set: POD_CLIQUE_SETS,
  group: POD_CLIQUE_SCALING_GROUPS,
  clique: POD_CLIQUES,
};

/** Every kind that a set brings with it. */
export const MANAGED_KINDS: readonly Resource[] = [
  POD_CLIQUE_SCALING_GROUPS,
  POD_CLIQUES,
  POD_GANGS,
  PODS,
  SERVICES,
  SERVICE_ACCOUNTS,
  ROLES,
  ROLE_BINDINGS,
  SECRETS,
  HORIZONTAL_POD_AUTOSCALERS,
  KAI_POD_GROUPS,
  RESOURCE_CLAIMS,
  COMPUTE_DOMAINS,
];

const MANAGER = "grove-operator";
const FIELD_MANAGER = "grove-e2e";
/** Somebody else wrote in between, at most so often in a row. */
const EDIT_ATTEMPTS = 10;

export interface ActionsOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly namespace: string;
  readonly nodeNames: readonly string[];
  /** As the webhooks of the operator have it. */
  readonly admission: GroveAdmissionOptions;
}

export type WorldActions = Pick<
  ScenarioWorld,
  "prepare" | "cordon" | "uncordon" | "deploy" | "scale" | "triggerUpdate" | "editSet" | "editTemplate" | "deletePod"
> & {
  deleteSets(): Promise<void>;
  /** Names of what is left of sets: objects by label, and any whose owner does not exist. */
  leftovers(): Promise<readonly string[]>;
};

export function worldActions({ api, clock, namespace, nodeNames, admission }: ActionsOptions): WorldActions {
  let trigger = 0;
  const setUnschedulable = async (names: readonly string[], unschedulable: boolean): Promise<void> => {
    await Promise.all(names.map((name) => api.patch(NODES, { name }, { spec: { unschedulable } }, { type: "merge" })));
  };
  /** What the webhooks would do, where there are none. */
  const admitted = (object: object, oldObject?: PodCliqueSet): PodCliqueSet => {
    const request = { object: object as PodCliqueSet, ...(oldObject !== undefined && { oldObject }) };
    const operation = oldObject === undefined ? "CREATE" : "UPDATE";
    const answer = admit({ operation, ...request }, { grove: admission, nowMs: clock.nowMs() });
    if (answer.errors.length > 0) throw new Error(`${request.object.metadata.name}: ${JSON.stringify(answer.errors)}`);
    return answer.object as PodCliqueSet;
  };
  const edit = async (name: string, change: (set: PodCliqueSet) => PodCliqueSet): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      const set = await api.get(POD_CLIQUE_SETS, { namespace, name });
      try {
        await api.update(POD_CLIQUE_SETS, admitted(change(set), set));
        return;
      } catch (error) {
        if (!isConflict(error) || attempt === EDIT_ATTEMPTS) throw error;
      }
    }
  };
  return {
    async prepare(nodes) {
      await setUnschedulable(nodeNames.slice(0, nodes), false);
      await setUnschedulable(nodeNames.slice(nodes), true);
    },
    cordon: (...names) => setUnschedulable(names, true),
    uncordon: (...names) => setUnschedulable(names, false),
    async deploy(set) {
      const object = { ...set, metadata: { ...set.metadata, namespace } };
      await api.create(POD_CLIQUE_SETS, admitted(object));
    },
    async scale(level, name, replicas) {
      await api.patch(LEVELS[level], { namespace, name }, { spec: { replicas } }, { type: "merge" });
    },
    async triggerUpdate(name, cliques) {
      trigger++;
      const value = `update-${trigger}`;
      const { apiVersion, kind, spec } = await api.get(POD_CLIQUE_SETS, { namespace, name });
      const template = {
        ...spec.template,
        cliques: spec.template.cliques.map((clique) =>
          cliques.includes(clique.name) ? withTrigger(clique, value) : clique,
        ),
      };
      const applied = { apiVersion, kind, metadata: { name, namespace }, spec: { ...spec, template } };
      const options = { type: "apply", fieldManager: FIELD_MANAGER, force: true } as const;
      await api.patch(POD_CLIQUE_SETS, { namespace, name }, applied, options);
      return value;
    },
    editSet: edit,
    editTemplate: (name, change) =>
      edit(name, (set) => ({ ...set, spec: { ...set.spec, ...change(set.spec.template, set.spec) } })),
    async deletePod(name) {
      await api.delete(PODS, { namespace, name });
    },
    async deleteSets() {
      for (const { metadata } of (await api.list(POD_CLIQUE_SETS, { namespace })).items) {
        await api.delete(POD_CLIQUE_SETS, { namespace, name: metadata.name }).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      }
    },
    async leftovers() {
      const sets = (await api.list(POD_CLIQUE_SETS, { namespace })).items as readonly KubeObject[];
      const lists = await Promise.all(MANAGED_KINDS.map((kind) => listInstalled(api, kind, { namespace })));
      const all = [...sets, ...lists.flat()];
      const uids = new Set(all.map(({ metadata }) => metadata.uid));
      const isManaged = ({ metadata }: KubeObject): boolean =>
        metadata.labels?.["app.kubernetes.io/managed-by"] === MANAGER;
      const isOrphan = ({ metadata }: KubeObject): boolean =>
        (metadata.ownerReferences ?? []).some(
          ({ uid, apiVersion }) => apiVersion.startsWith("grove.io/") && !uids.has(uid),
        );
      const left = all.filter((object) => sets.includes(object) || isManaged(object) || isOrphan(object));
      return left.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    },
  };
}

type CliqueTemplate = PodCliqueSet["spec"]["template"]["cliques"][number];

/** As an `env` entry of the first container. */
function withTrigger(clique: CliqueTemplate, value: string): CliqueTemplate {
  const { podSpec } = clique.spec;
  const containers = podSpec.containers.map((container, index) => {
    if (index > 0) return container;
    const others = (container.env ?? []).filter(({ name }) => name !== UPDATE_TRIGGER);
    return { ...container, env: [...others, { name: UPDATE_TRIGGER, value }] };
  });
  return { ...clique, spec: { ...clique.spec, podSpec: { ...podSpec, containers } } };
}

export const UPDATE_TRIGGER = "UPDATE_TRIGGER";
