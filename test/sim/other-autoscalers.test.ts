/** HPAs and KEDA ScaledObjects on a target of a policy, on virtual time: the policy leaves the target alone, says who has it, and takes over when it is free. */
import { describe, expect, test } from "vitest";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../src/api/grove/pod-clique-scaling-group.ts";
import { KEDA_SCALED_OBJECTS } from "../../src/api/keda/scaled-object.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import { CUSTOM_RESOURCE_DEFINITIONS, EVENTS, HORIZONTAL_POD_AUTOSCALERS } from "../../src/api/kubernetes/core.ts";
import { seededRandom } from "../../src/random.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { simulations } from "./running.ts";
import type { Simulation } from "./simulation.ts";

const start = simulations();

const LENGTHS = { input: { medianTokens: 1_000, spreadP90: 2 }, output: { medianTokens: 900, spreadP90: 1.8 } };
const heavy = (seed: number) =>
  generateTraffic([{ durationSeconds: 3_600, requestsPerSecond: constant(20), ...LENGTHS }], seededRandom(seed));

const GROUP = { namespace: "serving", name: "llama-70b-0-decode" };
const scaleTargetRef = { apiVersion: "grove.io/v1alpha1", kind: "PodCliqueScalingGroup", name: GROUP.name };

const replicasOf = async ({ world }: Simulation): Promise<number> =>
  (await world.api.get(POD_CLIQUE_SCALING_GROUPS, GROUP)).spec.replicas;
async function ableToScale({ world }: Simulation) {
  const policy: ScalingPolicy = await world.api.get(SCALING_POLICIES, { namespace: "serving", name: "llama-70b" });
  return conditionOf(policy.status?.conditions, "AbleToScale");
}

describe("another autoscaler on a target", () => {
  test("an HPA keeps the policy away from its target until it is deleted", async () => {
    const simulation = await start({ seed: 1 });
    const { world, clock } = simulation;
    await world.api.create(HORIZONTAL_POD_AUTOSCALERS, {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { namespace: "serving", name: "old" },
      spec: { scaleTargetRef, minReplicas: 1, maxReplicas: 4 },
    });
    const before = await replicasOf(simulation);
    simulation.attach(heavy(1));
    await clock.advance(600_000);
    expect(await replicasOf(simulation)).toBe(before);
    expect(await ableToScale(simulation)).toMatchObject({
      status: "False",
      reason: "ForeignController",
      message:
        "decode: HorizontalPodAutoscaler old scales PodCliqueScalingGroup llama-70b-0-decode too: kubectl delete hpa old -n serving",
    });
    const { items } = await world.api.list(EVENTS, { namespace: "serving" });
    expect(items.filter(({ reason }) => reason === "ForeignController")).toHaveLength(1);

    await world.api.delete(HORIZONTAL_POD_AUTOSCALERS, { namespace: "serving", name: "old" });
    await clock.advance(600_000);
    expect(await replicasOf(simulation)).toBeGreaterThan(before);
    expect(await ableToScale(simulation)).toMatchObject({ status: "True" });
  });

  test("a ScaledObject is seen although KEDA is installed later; one on somebody else's object is not", async () => {
    const simulation = await start({ seed: 2 });
    const { world, clock } = simulation;
    await world.api.create(CUSTOM_RESOURCE_DEFINITIONS, {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "scaledobjects.keda.sh" },
      spec: {
        group: "keda.sh",
        scope: "Namespaced",
        names: {
          kind: "ScaledObject",
          listKind: "ScaledObjectList",
          plural: "scaledobjects",
          singular: "scaledobject",
        },
        versions: [
          {
            name: "v1alpha1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
          },
        ],
      },
    });
    await clock.advance(60_000);
    const create = (name: string, ref: typeof scaleTargetRef | { readonly name: string }) =>
      world.api.create(KEDA_SCALED_OBJECTS, {
        apiVersion: "keda.sh/v1alpha1",
        kind: "ScaledObject",
        metadata: { namespace: "serving", name },
        spec: { scaleTargetRef: ref },
      });
    await create("elsewhere", { name: GROUP.name });
    await clock.advance(60_000);
    expect(await ableToScale(simulation)).toMatchObject({ status: "True" });
    await create("keda", scaleTargetRef);
    await clock.advance(60_000);
    expect(await ableToScale(simulation)).toMatchObject({
      reason: "ForeignController",
      message: expect.stringContaining("ScaledObject keda scales PodCliqueScalingGroup llama-70b-0-decode too"),
    });
  });
});
