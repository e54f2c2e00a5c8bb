/** For tests: the workloads of upstream's end-to-end suite (grove.md 10.1). */
import type { PodCliqueSetInput } from "../../src/api/grove/pod-clique-set.ts";

type Template = PodCliqueSetInput["spec"]["template"];
type Clique = Template["cliques"][number];

export const clique = (
  name: string,
  replicas: number,
  minAvailable: number,
  spec: Partial<Clique["spec"]> = {},
): Clique => ({
  name,
  labels: { "kai.scheduler/queue": "test" },
  spec: { roleName: name, replicas, minAvailable, podSpec: { containers: [{ name: "main", image: "x:1" }] }, ...spec },
});

export function workload(
  name: string,
  template: Template,
  { namespace = "default", replicas = 1 }: { readonly namespace?: string; readonly replicas?: number } = {},
): PodCliqueSetInput {
  return {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { name, namespace },
    spec: { replicas, template },
  };
}

const GROUP = { name: "sg-x", cliqueNames: ["pc-b", "pc-c"], replicas: 2 };

const FULL: Template = {
  cliques: [clique("pc-a", 2, 2), clique("pc-b", 1, 1), clique("pc-c", 3, 3)],
  podCliqueScalingGroups: [{ ...GROUP, minAvailable: 2 }],
};
const MINIMAL: Template = {
  cliques: [clique("pc-a", 2, 1), clique("pc-b", 1, 1), clique("pc-c", 3, 1)],
  podCliqueScalingGroups: [{ ...GROUP, minAvailable: 1 }],
};

/** One gang of ten pods. */
export const workload1 = (): PodCliqueSetInput => workload("workload1", FULL);

/** A base gang that needs three pods, and a scaled gang that needs two. */
export const workload2 = (): PodCliqueSetInput => workload("workload2", MINIMAL);

/** The first two in the order of their cliques. */
export const workload3 = (): PodCliqueSetInput =>
  workload("workload3", { ...FULL, cliqueStartupType: "CliqueStartupTypeInOrder" });
export const workload4 = (): PodCliqueSetInput =>
  workload("workload4", { ...MINIMAL, cliqueStartupType: "CliqueStartupTypeInOrder" });

/** pc-c after pc-a, pc-b after pc-c. */
export const workload5 = (): PodCliqueSetInput =>
  workload("workload5", { ...startingAfter(FULL, { "pc-c": ["pc-a"], "pc-b": ["pc-c"] }) });

/** pc-b after pc-a, pc-c after pc-b. */
export const workload6 = (): PodCliqueSetInput =>
  workload("workload6", { ...startingAfter(MINIMAL, { "pc-b": ["pc-a"], "pc-c": ["pc-b"] }) });

/** Workloads whose gangs end when they have been broken for the delay (upstream: 10 s). */
export const workload1Gt = (terminationDelay: string): PodCliqueSetInput =>
  workload("workload1-gt", { ...FULL, terminationDelay });
export const workload2Gt = (terminationDelay: string): PodCliqueSetInput =>
  workload("workload2-gt", { ...MINIMAL, terminationDelay });
export const workload5Gt = (terminationDelay: string): PodCliqueSetInput =>
  workload("workload5-gt", {
    cliques: [clique("pc-a", 2, 1), clique("pc-b", 1, 1), clique("pc-c", 3, 3)],
    podCliqueScalingGroups: [{ ...GROUP, minAvailable: 1 }],
    terminationDelay,
  });

/** New templates reach a pod only when somebody deletes it. */
export function workloadOnDelete(): PodCliqueSetInput {
  const set = workload("workload-ondelete", {
    cliques: [clique("pc-a", 2, 1), clique("pc-b", 1, 1), clique("pc-c", 3, 3)],
    podCliqueScalingGroups: [{ ...GROUP, minAvailable: 2 }],
  });
  return { ...set, spec: { ...set.spec, updateStrategy: { type: "OnDelete" } } };
}

function startingAfter(template: Template, parents: Readonly<Record<string, readonly string[]>>): Template {
  return {
    ...template,
    cliqueStartupType: "CliqueStartupTypeExplicit",
    cliques: template.cliques.map((each) => {
      const startsAfter = parents[each.name];
      return startsAfter === undefined ? each : { ...each, spec: { ...each.spec, startsAfter: [...startsAfter] } };
    }),
  };
}

/** Label and taint of the nodes that upstream's workloads are for. */
export const AGENT = { key: "node_role.e2e.grove.nvidia.com", value: "agent" } as const;

/** The pod spec that upstream's workloads have: placed by KAI, so large that a node holds one, and quick to end. */
export function onAgents(set: PodCliqueSetInput): PodCliqueSetInput {
  const { template } = set.spec;
  const podSpec = (name: string): Clique["spec"]["podSpec"] => ({
    schedulerName: "kai-scheduler",
    terminationGracePeriodSeconds: 5,
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: AGENT.key, operator: "In", values: [AGENT.value] }] }],
        },
      },
    },
    tolerations: [{ key: AGENT.key, operator: "Equal", value: AGENT.value, effect: "NoSchedule" }],
    containers: [
      {
        name,
        image: "registry.example/busybox:latest",
        command: ["sleep", "infinity"],
        resources: { requests: { memory: "80Mi" } },
      },
    ],
  });
  const cliques = template.cliques.map((each) => ({ ...each, spec: { ...each.spec, podSpec: podSpec(each.name) } }));
  return { ...set, spec: { ...set.spec, template: { ...template, cliques } } };
}
