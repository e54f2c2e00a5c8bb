import { expect, test } from "vitest";
import { readExample } from "../../test/sim/simulation.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { noTemplates } from "./gpu-cost.ts";
import { PreparedPolicy } from "./prepare.ts";

const policy = readExample<ScalingPolicy>("multinode-prefill-decode/policy.yaml", "ScalingPolicy");
const set = readExample<PodCliqueSet>("multinode-prefill-decode/workload.yaml", "PodCliqueSet");

test("a PodCliqueSet with more replicas than can be planned is left alone, and the sentence says what to do", () => {
  const of = (replicas: number) =>
    new PreparedPolicy().of(policy, () => ({ ...set, spec: { ...set.spec, replicas } }), {
      templateGpus: noTemplates,
      templatesVersion: () => 0,
    });
  expect(of(1_000)).toHaveProperty("resolution");
  expect(of(2_000_000_000)).toMatchObject({
    reason: "TooManySetReplicas",
    message: expect.stringMatching(/^spec\.targetRef\.name: .* has 2000000000 replicas, .*: lower its spec\.replicas$/),
  });
});
