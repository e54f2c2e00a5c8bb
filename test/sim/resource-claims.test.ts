/** GPUs that pods get by resource claims, on virtual time: unknown until the template is there, then part of the budget. */
import { expect, test } from "vitest";
import type { ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import { RESOURCE_CLAIM_TEMPLATES } from "../../src/api/kubernetes/resource-claim.ts";
import { seededRandom } from "../../src/random.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { simulations } from "./running.ts";
import { readExample, type Simulation } from "./simulation.ts";

const start = simulations();
const LENGTHS = { input: { medianTokens: 1_000, spreadP90: 2 }, output: { medianTokens: 400, spreadP90: 1.8 } };

/** Each worker has its GPU by a claim. */
function workload(): PodCliqueSet {
  const set = readExample<PodCliqueSet>("prefill-decode/workload.yaml", "PodCliqueSet");
  const cliques = set.spec.template.cliques.map((clique) =>
    clique.name === "frontend"
      ? clique
      : {
          ...clique,
          spec: {
            ...clique.spec,
            podSpec: {
              ...clique.spec.podSpec,
              containers: clique.spec.podSpec.containers.map(({ resources: _, ...container }) => container),
              resourceClaims: [{ name: "gpu", resourceClaimTemplateName: "one-gpu" }],
            },
          },
        },
  );
  return { ...set, spec: { ...set.spec, template: { ...set.spec.template, cliques } } };
}

function policy(): ScalingPolicy {
  const one = readExample<ScalingPolicy>("prefill-decode/policy.yaml", "ScalingPolicy");
  return { ...one, spec: { ...one.spec, gpuBudget: { ...one.spec.gpuBudget, max: 4 } } };
}

const lastOf = ({ decisions }: Simulation) => decisions.at(-1);

test("without its template nothing grows; with it, up to the budget", async () => {
  const simulation = await start({ seed: 6, example: "prefill-decode", workload: workload(), policy: policy() });
  const { clock, world } = simulation;
  await simulation.untilAvailable();
  simulation.attach(
    generateTraffic([{ durationSeconds: 3_600, requestsPerSecond: constant(60), ...LENGTHS }], seededRandom(6)),
  );
  await clock.advance(300_000);
  expect(lastOf(simulation)?.reason).toBe("GPUCostUnknown");
  expect(lastOf(simulation)?.targets.map(({ current }) => current)).toEqual([1, 1, 1]);

  await world.api.create(RESOURCE_CLAIM_TEMPLATES, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaimTemplate",
    metadata: { namespace: "serving", name: "one-gpu" },
    spec: { spec: { devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpu.nvidia.com" } }] } } },
  });
  await clock.advance(600_000);
  expect(lastOf(simulation)?.budget).toMatchObject({ gpusUsed: 4, gpusMax: 4, isLimited: true });
});
