/** What every CheckpointStore does, wherever it keeps memories. */
import { describe, expect, test } from "vitest";
import type { ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { decide } from "../../src/decide/decide.ts";
import { emptyMemory, type Memory } from "../../src/decide/memory.ts";
import type { CheckpointStore } from "../../src/jobs/checkpoint-store.ts";
import { sampleEvaluation, samplePolicy } from "./jobs-samples.ts";

/** `make` gives a new view of the same storage each time, as a restart of the service does. */
export function describeCheckpointStore(name: string, make: () => CheckpointStore): void {
  describe(`CheckpointStore: ${name}`, () => {
    /** What the controller does with what `save` returns. */
    const save = async (store: CheckpointStore, policy: ScalingPolicy, memory: Memory): Promise<ScalingPolicy> => {
      const checkpoint = (await store.save(policy, memory))?.();
      return checkpoint === undefined ? policy : { ...policy, status: { ...policy.status, checkpoint } };
    };
    const lived = (): Memory => {
      const { policy, observation, memory } = sampleEvaluation();
      return decide(policy, observation, memory).memory;
    };

    test("a policy nobody has decided on has nothing", async () => {
      expect(await make().load(samplePolicy("new"))).toBeUndefined();
    });

    test("what was saved is there after a restart", async () => {
      const policy = await save(make(), samplePolicy("kept"), lived());
      expect(await make().load(policy)).toEqual(lived());
    });

    test("the last one wins", async () => {
      const first = await save(make(), samplePolicy("twice"), { ...emptyMemory, decisions: 1 });
      const second = await save(make(), first, { ...emptyMemory, decisions: 2 });
      expect(await make().load(second)).toEqual({ ...emptyMemory, decisions: 2 });
    });

    test("policies do not see each other's", async () => {
      const policy = await save(make(), samplePolicy("one"), lived());
      expect(await make().load(samplePolicy("two"))).toBeUndefined();
      expect(await make().load(policy)).toEqual(lived());
    });
  });
}
