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

/** One gang of ten pods. */
export const workload1 = (): PodCliqueSetInput =>
  workload("workload1", {
    cliques: [clique("pc-a", 2, 2), clique("pc-b", 1, 1), clique("pc-c", 3, 3)],
    podCliqueScalingGroups: [{ ...GROUP, minAvailable: 2 }],
  });

/** A base gang that needs three pods, and a scaled gang that needs two. */
export const workload2 = (): PodCliqueSetInput =>
  workload("workload2", {
    cliques: [clique("pc-a", 2, 1), clique("pc-b", 1, 1), clique("pc-c", 3, 1)],
    podCliqueScalingGroups: [{ ...GROUP, minAvailable: 1 }],
  });
