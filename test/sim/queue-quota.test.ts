/** A policy whose gangs are scheduled in a KAI queue, on virtual time: the queue's room is asked before anything grows. */
import { expect, test } from "vitest";
import { admit } from "../../src/api/admission.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "../../src/api/kubernetes/core.ts";
import { KAI_QUEUES } from "../../src/api/scheduler/kai-queue.ts";
import { seededRandom } from "../../src/random.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { simulations } from "./running.ts";
import { readExample, type Simulation } from "./simulation.ts";

const start = simulations();

const LENGTHS = { input: { medianTokens: 1_000, spreadP90: 2 }, output: { medianTokens: 400, spreadP90: 1.8 } };
const KEY = { namespace: "serving", name: "llama-8b-pd" };

function policyInQueue(): ScalingPolicy {
  const { metadata, spec, ...rest } = readExample<ScalingPolicy>("prefill-decode/policy.yaml", "ScalingPolicy");
  const object = {
    ...rest,
    metadata,
    spec: { ...spec, gpuBudget: { ...spec.gpuBudget, queueRef: { kind: "Queue", name: "inference" } } },
  };
  const { object: complete, errors, warnings } = admit({ operation: "CREATE", object });
  expect({ errors, warnings }).toMatchObject({ errors: [], warnings: [] });
  return complete as ScalingPolicy;
}

const gpusOf = ({ decisions }: Simulation): number => decisions.at(-1)?.budget.gpusUsed ?? Number.NaN;
async function limited({ world }: Simulation) {
  const { status }: ScalingPolicy = await world.api.get(SCALING_POLICIES, KEY);
  return conditionOf(status?.conditions, "ScalingLimited");
}

test("without the queue nothing grows; with it, up to its limit; with a higher one, further", async () => {
  const simulation = await start({ seed: 4, example: "prefill-decode", policy: policyInQueue() });
  const { world, clock, decisions } = simulation;
  await simulation.untilAvailable();
  simulation.attach(
    generateTraffic([{ durationSeconds: 7_200, requestsPerSecond: constant(60), ...LENGTHS }], seededRandom(4)),
  );
  await clock.advance(300_000);
  expect(gpusOf(simulation)).toBe(2);
  expect(decisions.at(-1)?.stages.find(({ stage }) => stage === "arbitrate")?.detail).toBe(
    "queue inference, or one above it, does not exist or cannot be read: nothing grows",
  );

  await world.api.create(CUSTOM_RESOURCE_DEFINITIONS, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "queues.scheduling.run.ai" },
    spec: {
      group: "scheduling.run.ai",
      scope: "Cluster",
      names: { kind: "Queue", listKind: "QueueList", plural: "queues", singular: "queue" },
      versions: [
        {
          name: "v2",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        },
      ],
    },
  });
  const queue = await world.api.create(KAI_QUEUES, {
    apiVersion: "scheduling.run.ai/v2",
    kind: "Queue",
    metadata: { name: "inference" },
    spec: { resources: { gpu: { quota: 4, limit: 5 } } },
  });
  await clock.advance(600_000);
  expect(gpusOf(simulation)).toBe(5);
  expect(Math.max(...decisions.map(({ budget }) => budget.gpusUsed))).toBe(5);
  expect(await limited(simulation)).toMatchObject({
    status: "True",
    reason: "QueueQuota",
    message: expect.stringContaining("5 GPUs, which queue inference leaves, serve"),
  });

  await world.api.patch(
    KAI_QUEUES,
    { name: "inference" },
    { spec: { resources: { gpu: { quota: 4, limit: 9 } } } },
    { type: "merge" },
  );
  await clock.advance(600_000);
  expect(gpusOf(simulation)).toBeGreaterThan(5);
  expect(gpusOf(simulation)).toBeLessThanOrEqual(9);
  expect(queue.metadata.name).toBe("inference");
});
