/** Modes of a policy in the whole system: beside another one, and asleep. */
import { describe, expect, test } from "vitest";
import { admit } from "../../src/api/admission.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../src/api/grove/pod-clique-scaling-group.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import { seededRandom } from "../../src/random.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { simulations } from "./running.ts";
import { readExample, type Simulation } from "./simulation.ts";

const start = simulations();

const LENGTHS = { input: { medianTokens: 1_000, spreadP90: 2 }, output: { medianTokens: 900, spreadP90: 1.8 } };
const steady = (requestsPerSecond: number, durationSeconds: number, seed: number) =>
  generateTraffic(
    [{ durationSeconds, requestsPerSecond: constant(requestsPerSecond), ...LENGTHS }],
    seededRandom(seed),
  );
const example = (): ScalingPolicy => readExample("multinode-prefill-decode/policy.yaml", "ScalingPolicy");
function withSpec(policy: ScalingPolicy, name: string, spec: Partial<ScalingPolicy["spec"]>): ScalingPolicy {
  const changed: ScalingPolicy = {
    ...policy,
    metadata: { ...policy.metadata, name },
    spec: { ...policy.spec, ...spec },
  };
  return admit({ operation: "CREATE", object: changed }).object as ScalingPolicy;
}
const statusOf = async ({ world }: Simulation, name: string) =>
  (await world.api.get(SCALING_POLICIES, { namespace: "serving", name })).status;

describe("Shadow", () => {
  test.each([5, 12])(
    "one with the same rules wants the same, writes nothing, and is no rival (seed %i)",
    async (seed) => {
      const wanted: { readonly isShadow: boolean; readonly desired: readonly number[] }[] = [];
      const simulation = await start({
        seed,
        onDecision: (key, { targets }) =>
          wanted.push({ isShadow: key === "serving/candidate", desired: targets.map(({ desired }) => desired) }),
      });
      const { world, clock } = simulation;
      // A forecast follows from when its policy looked, and no two look at the same time.
      const forecast = { ...example().spec.forecast, enabled: false };
      const active = { namespace: "serving", name: "llama-70b" };
      await world.api.patch(SCALING_POLICIES, active, { spec: { forecast } }, { type: "merge" });
      await world.api.create(SCALING_POLICIES, withSpec(example(), "candidate", { mode: "Shadow", forecast }));
      simulation.attach(steady(12, 900, seed));
      await clock.advance(1_500_000);
      const status = await statusOf(simulation, "candidate");
      expect(conditionOf(status?.conditions, "Ready")?.status).toBe("True");
      expect(conditionOf(status?.conditions, "ScalingActive")?.reason).toBe("Shadow");
      expect(status?.shadow?.active).toBe("llama-70b");
      expect(Number(status?.shadow?.decisions)).toBeGreaterThan(80);
      const shadowed = wanted.flatMap(({ isShadow, desired }, at) => {
        if (!isShadow) return [];
        const before = wanted.slice(0, at).findLast((one) => !one.isShadow)?.desired;
        const after = wanted.slice(at).find((one) => !one.isShadow)?.desired;
        return [{ desired, before: before ?? after ?? [], after: after ?? before ?? [] }];
      });
      expect(Number(status?.shadow?.agreed) / Number(status?.shadow?.decisions)).toBeGreaterThan(0.85);
      // Each looks between two looks of the other, and so wants what lies between what the other wants at these.
      const alike = shadowed.filter(({ desired, before, after }) =>
        desired.every((replicas, target) => {
          const others = [before[target] ?? Number.NaN, after[target] ?? Number.NaN];
          return replicas >= Math.min(...others) && replicas <= Math.max(...others);
        }),
      );
      expect(alike.length / shadowed.length).toBeGreaterThan(0.97);
      expect(status?.history?.some(({ outcome }) => outcome === "Scaled")).toBe(false);
      expect(conditionOf((await statusOf(simulation, "llama-70b"))?.conditions, "Ready")?.status).toBe("True");
    },
  );

  test("one that fills caches half as far wants more GPUs, and says how many", async () => {
    const simulation = await start({ seed: 6 });
    const { world, clock, policy } = simulation;
    const scaleTargets = policy.spec.scaleTargets.map((target) =>
      target.name !== "decode"
        ? target
        : {
            ...target,
            metrics: [
              {
                type: "Preset" as const,
                preset: {
                  name: "kvCacheUsage" as const,
                  target: { type: "Utilization" as const, averageUtilization: 30 },
                },
                advisoryOnly: false,
              },
            ],
          },
    );
    await world.api.create(SCALING_POLICIES, withSpec(example(), "candidate", { mode: "Shadow", scaleTargets }));
    simulation.attach(steady(12, 900, 6));
    await clock.advance(900_000);
    const { meanGpus } = (await statusOf(simulation, "candidate"))?.shadow ?? {};
    expect(meanGpus?.shadow).toBeGreaterThan(1.1 * (meanGpus?.active ?? Infinity));
  });
});

describe("scale to zero", () => {
  test("idle prefill and decode go to zero, the frontend stays, and a request brings them back", async () => {
    const policy = withSpec(example(), "llama-70b", {
      scaleToZero: {
        enabled: true,
        idleWindow: "5m",
        demandQuery: 'sum(dynamo_frontend_inflight_requests{namespace="{{namespace}}"})',
        set: ["prefill", "decode"],
      },
    });
    const simulation = await start({ seed: 7, policy });
    const { world, clock } = simulation;
    const groups = async (): Promise<Record<string, number>> => {
      const { items } = await world.api.list(POD_CLIQUE_SCALING_GROUPS, { namespace: "serving" });
      return Object.fromEntries(items.map(({ metadata, spec }) => [metadata.name, spec.replicas]));
    };
    await clock.advance(900_000);
    expect(await groups()).toEqual({ "llama-70b-0-prefill": 0, "llama-70b-0-decode": 0 });
    const status = await statusOf(simulation, "llama-70b");
    expect(status?.zero?.asleep).toBe(true);
    expect(conditionOf(status?.conditions, "ScalingActive")?.reason).toBe("ScaledToZero");
    simulation.attach(steady(1, 600, 7));
    await clock.advance(600_000);
    const awake = await groups();
    expect(Math.min(...Object.values(awake))).toBeGreaterThanOrEqual(1);
    await clock.advance(600_000);
    const { arrived, completed } = simulation.traffic();
    expect(completed).toBe(arrived);
  });
});
