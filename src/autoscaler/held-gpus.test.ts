import { describe, expect, test } from "vitest";
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import type { Pod } from "../api/kubernetes/core.ts";
import { noTemplates } from "./gpu-cost.ts";
import { declaredGpus, heldGpus } from "./held-gpus.ts";

const pod = (name: string, resource: string, labels: Readonly<Record<string, string>> = {}, phase = "Running"): Pod =>
  ({
    metadata: { namespace: "ns", name, labels: { "grove.io/podcliqueset-replica-index": "0", ...labels } },
    spec: { containers: [{ name: "c", resources: { limits: { [resource]: "1" } } }] },
    status: { phase },
  }) as unknown as Pod;
const gpu = "nvidia.com/gpu";
const slice = "nvidia.com/mig-3g.40gb";
const inGroup = (index: number) => ({
  "grove.io/podcliquescalinggroup": "llm-0-decode",
  "grove.io/podcliquescalinggroup-replica-index": `${index}`,
});
const declared = declaredGpus({
  targetRef: { name: "llm" },
  scaleTargets: [
    { name: "all", level: "PodCliqueSet", gpusPerReplica: "9" },
    { name: "d", level: "PodCliqueScalingGroup", ref: "decode", gpusPerReplica: "4" },
    { name: "p", level: "PodClique", ref: "prefill", gpusPerReplica: "2" },
    { name: "f", level: "PodClique", ref: "frontend", gpusPerReplica: "auto" },
  ],
} as unknown as ScalingPolicySpec);

describe("GPUs that pods hold", () => {
  test("what is unknown is not in the sum, and is named; what has ended holds nothing", () => {
    expect(heldGpus([pod("a", gpu), pod("b", slice), pod("c", slice)], noTemplates)).toEqual({
      gpus: 1,
      unknown: "pod b",
    });
    expect(heldGpus([pod("a", gpu), pod("b", slice, {}, "Failed")], noTemplates)).toEqual({ gpus: 1 });
  });

  test("what the policy declares of a replica counts once for all its pods, those that show theirs included", () => {
    const pods = [
      pod("leader-0", gpu, inGroup(0)),
      pod("worker-0", slice, inGroup(0)),
      pod("worker-0b", slice, inGroup(0)),
      pod("leader-1", gpu, inGroup(1)),
      pod("p-0", slice, { "grove.io/podclique": "llm-0-prefill" }),
      pod("p-1", slice, { "grove.io/podclique": "llm-0-prefill" }),
    ];
    expect(heldGpus(pods, noTemplates, declared)).toEqual({ gpus: 4 + 1 + 2 + 2 });
  });

  test("nothing is declared of other cliques, of other sets, and by auto", () => {
    const other = pod("x", slice, { "grove.io/podclique": "llm-0-router" });
    const auto = pod("y", slice, { "grove.io/podclique": "llm-0-frontend" });
    const set = pod("z", slice, { "grove.io/podclique": "chat-0-prefill" });
    for (const one of [other, auto, set])
      expect(heldGpus([one], noTemplates, declared)).toEqual({ gpus: 0, unknown: `pod ${one.metadata.name}` });
  });
});
