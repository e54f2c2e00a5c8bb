import { describe, expect, test } from "vitest";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { slimPolicy, withCheckpointRead } from "./slim.ts";

const policy = (name: string, generation: number, status: object = {}): ScalingPolicy =>
  ({
    metadata: { name, namespace: "default", uid: "1", generation },
    spec: {
      targetRef: { name },
      scaleTargets: [{ name: "decode", maxReplicas: 8, behavior: { scaleUp: { tolerance: "0.1" } } }],
      forecast: { season: "24h" },
    },
    status,
  }) as unknown as ScalingPolicy;

describe("a cached policy", () => {
  test("has the spec of the version before where only the status is another", () => {
    const before = slimPolicy(policy("a", 1));
    expect(slimPolicy(policy("a", 1, { observedGeneration: 1 }), before).spec).toBe(before.spec);
    const edited = slimPolicy({ ...policy("a", 2), spec: { ...policy("a", 2).spec, mode: "Paused" } }, before);
    expect(edited.spec.mode).toBe("Paused");
  });

  test("shares what it has alike with others, and says the same", () => {
    const [a, b] = [policy("a", 1), policy("b", 1)].map((one) => slimPolicy(one));
    expect(a?.spec.scaleTargets[0]?.behavior).toBe(b?.spec.scaleTargets[0]?.behavior);
    expect([a?.spec, b?.spec]).toEqual([policy("a", 1).spec, policy("b", 1).spec]);
  });

  test.each([null, "abc", [null, "abc", 7, ["x"]], 7])(
    "keeps scaleTargets %j of a broken spec as they are",
    (broken) => {
      const stored = policy("a", 1);
      const spec = { ...stored.spec, scaleTargets: broken } as unknown as ScalingPolicy["spec"];
      expect(slimPolicy({ ...stored, spec }).spec).toEqual(spec);
    },
  );

  test("keeps no checkpoint that was read, and the one of an object that is new", () => {
    const read = withCheckpointRead(slimPolicy(policy("a", 1, { checkpoint: "{}" })));
    expect(slimPolicy(policy("a", 1, { checkpoint: "{}" }), read).status?.checkpoint).toBe("");
    expect(slimPolicy(policy("a", 1, { checkpoint: "{}" })).status?.checkpoint).toBe("{}");
  });
});
