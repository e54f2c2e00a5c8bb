import { expect, test } from "vitest";
import { MAX_SET_REPLICAS } from "../api/autoscaling/scale-target.ts";
import { Plant, policyOf, targetPolicy } from "./plant.fixture.ts";

// Without a bound on set replicas these would not end in a lifetime, or take all memory.
test.each([
  { name: "no budget and a demand beyond all reason", load: 1e308, limits: {}, want: MAX_SET_REPLICAS },
  {
    name: "a budget that parts without GPUs never reach",
    load: 1e9,
    limits: { gpuBudgetMax: 8 },
    want: MAX_SET_REPLICAS,
  },
  { name: "little demand", load: 3, limits: {}, want: 1 },
])("as many set replicas as a policy may have, $name: a decision", ({ load, limits, want }) => {
  const policy = policyOf({
    targets: [targetPolicy("engine")],
    set: targetPolicy("instances", { level: "PodCliqueSet", maxReplicas: MAX_SET_REPLICAS, metrics: [] }),
    ratios: [],
    ...limits,
  });
  const plant = new Plant({ replicas: [1], loads: [load], gpus: [0] });
  for (let tick = 0; tick < 3; tick++) plant.tick(policy);
  expect(plant.sets.length).toBe(want);
});
