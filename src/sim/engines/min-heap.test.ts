import fc from "fast-check";
import { expect, test } from "vitest";
import { MinHeap } from "./min-heap.ts";

test("the least comes first, and of equals the one that came first, however pushes and pops mix", () => {
  const step = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.constant("pop" as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const heap = new MinHeap<number>();
      let model: { readonly key: number; readonly item: number }[] = [];
      for (const [item, key] of steps.entries()) {
        if (key !== "pop") {
          heap.push(key, item);
          model = [...model, { key, item }].sort((a, b) => a.key - b.key || a.item - b.item);
        } else expect(heap.pop()).toBe(model.shift()?.item);
        expect([heap.firstKey, heap.first]).toEqual([model[0]?.key ?? Number.POSITIVE_INFINITY, model[0]?.item]);
      }
    }),
  );
});
