import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { GpuPool, type Placement } from "./gpu-pool.ts";

/** Two racks of two nodes. */
const shape = { nodes: 4, gpusPerNode: 4, nodesPerRack: 2 };

describe("a gang", () => {
  test("is placed whole or not at all: what does not fit takes nothing", () => {
    const pool = new GpuPool({ nodes: 2, gpusPerNode: 4, nodesPerRack: 2 });
    expect(pool.place([4, 4, 1])).toBeUndefined();
    expect(pool.place([4, 4])?.nodes.toSorted()).toEqual([0, 1]);
    expect(pool.place([1])).toBeUndefined();
  });

  test("stays in one rack where one takes it, and goes over racks where none does", () => {
    const pool = new GpuPool(shape);
    expect(pool.place([4])?.nodes).toEqual([0]);
    // The fuller rack has 4 GPUs left.
    expect(new Set(pool.place([4, 4])?.nodes)).toEqual(new Set([2, 3]));
    expect(pool.place([4])?.nodes).toEqual([1]);
    const apart = new GpuPool(shape);
    apart.place([4]);
    expect(apart.place([4, 4, 4])?.nodes.toSorted()).toEqual([1, 2, 3]);
  });

  test("fills what is in use, so that whole nodes stay free", () => {
    const pool = new GpuPool(shape);
    const [first, second] = [pool.place([2]), pool.place([2])];
    expect(second).toEqual(first);
    expect(pool.place([4, 4])?.nodes).toEqual([2, 3]);
  });

  test("releases what it held", () => {
    const pool = new GpuPool({ nodes: 1, gpusPerNode: 4, nodesPerRack: 1 });
    const held = pool.place([3]) as Placement;
    expect(pool.place([2])).toBeUndefined();
    pool.release(held, [3]);
    expect(pool.place([4])?.nodes).toEqual([0]);
  });

  test("is not placed on a node that is down", () => {
    const pool = new GpuPool({ nodes: 2, gpusPerNode: 4, nodesPerRack: 2 });
    pool.setDown(0, true);
    expect(pool.place([1])?.nodes).toEqual([1]);
    expect(pool.place([4])).toBeUndefined();
    pool.setDown(0, false);
    expect(pool.place([4])?.nodes).toEqual([0]);
  });
});

test("whatever comes and goes, no node gives more than it has, and everything comes back", () => {
  const gang = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.array(fc.record({ gang, leaves: fc.nat(5) }), { maxLength: 40 }), (steps) => {
      const pool = new GpuPool(shape);
      const held: { readonly gang: readonly number[]; readonly placement: Placement }[] = [];
      for (const step of steps) {
        const placement = pool.place(step.gang);
        if (placement !== undefined) held.push({ gang: step.gang, placement });
        const used = Array<number>(shape.nodes).fill(0);
        for (const one of held) {
          for (const [pod, node] of one.placement.nodes.entries()) {
            used[node] = (used[node] as number) + (one.gang[pod] as number);
          }
        }
        expect(Math.max(...used)).toBeLessThanOrEqual(shape.gpusPerNode);
        const [leaving] = held.splice(step.leaves, 1);
        if (leaving !== undefined) pool.release(leaving.placement, leaving.gang);
      }
      for (const one of held) pool.release(one.placement, one.gang);
      expect(pool.place([4, 4, 4, 4])?.nodes.toSorted()).toEqual([0, 1, 2, 3]);
    }),
  );
});
