/** Two policies share a budget, and one of them holds pods whose GPUs nobody knows, on virtual time. */
import { expect, test } from "vitest";
import { GPU_BUDGETS, type GPUBudget } from "../../src/api/autoscaling/gpu-budget.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import { seededRandom } from "../../src/random.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { simulations } from "./running.ts";
import { readExample } from "./simulation.ts";

const start = simulations();
const sharedBudgetRef = { name: "team" };

test("no other member grows while they are there, and both policies and the budget say why; declared, they count", async () => {
  const policy = readExample<ScalingPolicy>("prefill-decode/policy.yaml", "ScalingPolicy");
  const simulation = await start({
    seed: 61,
    example: "prefill-decode",
    policy: { ...policy, spec: { ...policy.spec, gpuBudget: { ...policy.spec.gpuBudget, sharedBudgetRef } } },
  });
  const { world, clock, decisions } = simulation;
  const { api } = world;
  const key = { namespace: policy.metadata.namespace ?? "", name: policy.metadata.name };
  const team = {
    apiVersion: "autoscaling.grove.io/v1alpha1",
    kind: "GPUBudget",
    metadata: { name: "team" },
    spec: { capacity: 40, reserve: 0, members: [] },
  };
  await api.create(GPU_BUDGETS, team as GPUBudget);
  const container = { name: "engine", image: "engine", resources: { limits: { "nvidia.com/mig-3g.40gb": "1" } } };
  await api.create(POD_CLIQUE_SETS, {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { namespace: key.namespace, name: "slices" },
    spec: {
      replicas: 1,
      template: {
        cliques: [
          {
            name: "embed",
            spec: { roleName: "embed", replicas: 2, minAvailable: 1, podSpec: { containers: [container] } },
          },
        ],
      },
    },
  } as unknown as PodCliqueSet);
  const slices = { namespace: key.namespace, name: "slices" };
  const target = { name: "embed", level: "PodClique", ref: "embed", minReplicas: 2, maxReplicas: 2 };
  const metric = { type: "Prometheus", prometheus: { query: "vector(1)", target: { type: "Value", value: "1" } } };
  await api.create(SCALING_POLICIES, {
    ...policy,
    metadata: slices,
    spec: {
      targetRef: { apiVersion: "grove.io/v1alpha1", kind: "PodCliqueSet", name: "slices" },
      mode: "Active",
      scaleTargets: [{ ...target, metrics: [metric] }],
      gpuBudget: { sharedBudgetRef },
    },
  } as unknown as ScalingPolicy);
  await simulation.untilAvailable();
  simulation.attach(
    generateTraffic(
      [
        {
          durationSeconds: 7_200,
          requestsPerSecond: constant(60),
          input: { medianTokens: 1_000, spreadP90: 2 },
          output: { medianTokens: 400, spreadP90: 1.8 },
        },
      ],
      seededRandom(61),
    ),
  );
  const gpus = (): number | undefined =>
    decisions.findLast(({ targets }) => targets.some(({ name }) => name === "decode"))?.budget.gpusUsed;
  const before = gpus();
  await clock.advance(600_000);
  expect(gpus()).toBe(before);
  const limited = async (name: typeof key) =>
    conditionOf((await api.get(SCALING_POLICIES, name)).status?.conditions, "ScalingLimited")?.message;
  expect(await limited(key)).toMatch(
    /^what the shared GPUBudget has left is unknown, because of ScalingPolicy \w+\/slices \(.*\): nothing grows/,
  );
  expect(await limited(slices)).toBe(
    "the GPUs of a replica are unknown, set gpusPerReplica on the target: nothing grows",
  );
  const status = async () => (await api.get(GPU_BUDGETS, { name: "team" })).status;
  expect(await status()).not.toHaveProperty("used");
  expect((await status())?.members?.find(({ policy: name }) => name === "slices")?.unknown).toMatch(/embed/);

  const declared = { spec: { scaleTargets: [{ ...target, gpusPerReplica: "1", metrics: [metric] }] } };
  await api.patch(SCALING_POLICIES, slices, declared, { type: "merge" });
  await clock.advance(600_000);
  expect(gpus()).toBeGreaterThan(before ?? Number.NaN);
  expect((await status())?.members?.find(({ policy: name }) => name === "slices")).toMatchObject({ used: 2 });
  expect((await status())?.used).toBeGreaterThan(4);
});
