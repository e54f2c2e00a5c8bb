import { describe, expect, test } from "vitest";
import type { LatticeConstraint } from "./lattice.ts";
import type { OverrideObservation } from "./observation.ts";
import { type OverrideTarget, overrideVector } from "./override.ts";

const TARGETS: readonly OverrideTarget[] = [
  { name: "prefill", minAvailable: 1, min: 1, max: 4 },
  { name: "decode", minAvailable: 2, min: 2, max: 8 },
];
/** 1:4 to 1:1. */
const RATIOS: readonly LatticeConstraint[] = [
  { raised: 0, by: 1, numerator: 1, denominator: 4, step: 1 },
  { raised: 1, by: 0, numerator: 1, denominator: 1, step: 1 },
];
const overriding = (scaleTargets: OverrideObservation["scaleTargets"], force = false): OverrideObservation => ({
  name: "incident",
  reason: "launch",
  expiresAtMs: 0,
  force,
  scaleTargets,
});

describe("override of one set replica", () => {
  test.each<{
    name: string;
    asked: OverrideObservation["scaleTargets"];
    force?: boolean;
    from: number[];
    want: number[];
    inBand?: boolean;
  }>([
    {
      name: "replicas are taken, the partner follows up",
      asked: { decode: { replicas: 8 } },
      from: [1, 4],
      want: [2, 8],
    },
    {
      name: "replicas are taken, the partner follows down",
      asked: { decode: { replicas: 2 } },
      from: [4, 8],
      want: [2, 2],
    },
    { name: "a minimum lifts", asked: { decode: { minReplicas: 6 } }, from: [1, 3], want: [2, 6] },
    { name: "a maximum caps", asked: { decode: { maxReplicas: 3 } }, from: [1, 4], want: [1, 3] },
    {
      name: "between the two the ratio still moves it",
      asked: { prefill: { replicas: 2 }, decode: { minReplicas: 1, maxReplicas: 3 } },
      from: [1, 2],
      want: [2, 2],
    },
    {
      name: "and up to its maximum",
      asked: { prefill: { replicas: 3 }, decode: { maxReplicas: 3 } },
      from: [1, 2],
      want: [3, 3],
    },
    { name: "the gang floor stands", asked: { decode: { replicas: 0 } }, from: [1, 4], want: [1, 2] },
    { name: "also when forced", asked: { decode: { replicas: 0 } }, force: true, from: [1, 4], want: [1, 2] },
    { name: "the policy's maximum stands", asked: { decode: { replicas: 20 } }, from: [1, 4], want: [2, 8] },
    {
      name: "unless forced: then the band is left, and said",
      asked: { decode: { replicas: 20 } },
      force: true,
      from: [1, 4],
      want: [1, 20],
      inBand: false,
    },
    {
      name: "two words that break the band are both kept",
      asked: { prefill: { replicas: 4 }, decode: { replicas: 2 } },
      from: [1, 4],
      want: [4, 2],
      inBand: false,
    },
  ])("$name", ({ asked, force = false, from, want, inBand = true }) => {
    const { vector, satisfiesRatios } = overrideVector(from, TARGETS, RATIOS, overriding(asked, force));
    expect(vector).toEqual(want);
    expect(satisfiesRatios).toBe(inBand);
  });
});
