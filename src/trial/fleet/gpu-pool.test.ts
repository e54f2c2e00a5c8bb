import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GpuPool } from "./gpu-pool.ts";

const pool = (nodes = 4, gpusPerNode = 8, nodesPerRack = 2): GpuPool =>
  new GpuPool({ nodes, gpusPerNode, nodesPerRack });

describe("a gang", () => {
  test("is placed whole or not at all", () => {
    const gpus = pool(2);
    expect(gpus.place([8, 8, 1])).toBeUndefined();
    // Nothing of it was kept.
    expect(gpus.place([8, 8])).toEqual({ nodes: [0, 1] });
    expect(gpus.place([1])).toBeUndefined();
  });

  test("goes into one rack while one takes it, the fullest one, and over racks else", () => {
    const gpus = pool();
    expect(gpus.place([4])?.nodes).toEqual([0]);
    // Rack 0 has 12 left, rack 1 has 16.
    expect(gpus.place([8, 4])?.nodes).toEqual([1, 0]);
    expect(gpus.place([8])?.nodes).toEqual([2]);
    expect(gpus.place([8, 1])).toBeUndefined();
    expect(gpus.place([4, 4])?.nodes).toEqual([3, 3]);
  });

  test("fills nodes before it opens others", () => {
    const gpus = pool(2);
    gpus.place([6]);
    expect(gpus.place([2])?.nodes).toEqual([0]);
    expect(gpus.place([8])?.nodes).toEqual([1]);
  });

  test("pods without GPUs always fit", () => {
    const gpus = pool(1);
    gpus.place([8]);
    expect(gpus.place([0, 0])?.nodes).toEqual([0, 0]);
  });

  test("none goes to a node that is down", () => {
    const gpus = pool(2, 8, 1);
    gpus.setDown(0, true);
    expect(gpus.place([8])?.nodes).toEqual([1]);
    expect(gpus.place([8])).toBeUndefined();
    gpus.setDown(0, false);
    expect(gpus.place([8])?.nodes).toEqual([0]);
  });
});

test("no node ever holds more than it has, and what is released is there again (500 random histories)", () => {
  const step = fc.record({
    gang: fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 1, maxLength: 4 }),
    release: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const gpus = pool();
      const held: { gang: readonly number[]; nodes: readonly number[] }[] = [];
      for (const { gang, release } of steps) {
        const one = release ? held.shift() : undefined;
        if (one !== undefined) gpus.release(one, one.gang);
        const placed = gpus.place(gang);
        if (placed !== undefined) held.push({ gang, nodes: placed.nodes });
        const used = [0, 0, 0, 0];
        for (const each of held)
          each.nodes.forEach((node, pod) => (used[node] = (used[node] ?? 0) + (each.gang[pod] ?? 0)));
        expect(Math.max(...used)).toBeLessThanOrEqual(8);
        // What is free is found: a gang of one pod fits exactly where the emptiest node has room.
        const most = 8 - Math.min(...used);
        const probe = gpus.place([most]);
        expect(probe === undefined).toBe(false);
        if (probe !== undefined) gpus.release(probe, [most]);
        expect(most === 8 || gpus.place([most + 1]) === undefined).toBe(true);
      }
    }),
    { numRuns: 500, seed: 11 },
  );
});
