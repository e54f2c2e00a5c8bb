import fc from "fast-check";
import { expect, test } from "vitest";
import type { KubeObject } from "../api/kubernetes/meta.ts";
import { Indexer } from "./indexer.ts";

interface Labelled extends KubeObject {
  readonly values: readonly string[];
}

const change = fc.record({
  name: fc.integer({ min: 0, max: 60 }),
  // Twice the same as well; most objects share one.
  values: fc.array(fc.constantFrom("a", "a", "a", "b", "c"), { maxLength: 3 }),
  isDeleted: fc.boolean(),
});

test("an index has each object once under each of its values, however many there are and however often they change", () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 200, size: "max" }), (changes) => {
      const indexer = new Indexer<Labelled>({ value: ({ values }) => values });
      const model = new Map<string, Labelled>();
      for (const { name, values, isDeleted } of changes) {
        const key = `default/${name}`;
        const object = { apiVersion: "v1", kind: "X", metadata: { namespace: "default", name: `${name}` }, values };
        const before = isDeleted ? indexer.delete(key) : indexer.put(object);
        expect(before).toBe(model.get(key));
        if (isDeleted) model.delete(key);
        else model.set(key, object);
      }
      for (const value of ["a", "b", "c", "d"]) {
        const expected = [...model.values()].filter(({ values }) => values.includes(value));
        const found = indexer.byIndex("value", value);
        expect(found.length).toBe(expected.length);
        expect(new Set(found)).toEqual(new Set(expected));
      }
    }),
  );
});
