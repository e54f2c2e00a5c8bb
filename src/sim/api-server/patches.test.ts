import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { builtinSchema } from "./builtin-schema.ts";
import { jsonPatch, mergePatch, strategicMergePatch } from "./patches.ts";

// RFC 7386, appendix A.
test.each<{ target: unknown; patch: unknown; want: unknown }>([
  { target: { a: "b" }, patch: { a: "c" }, want: { a: "c" } },
  { target: { a: "b" }, patch: { b: "c" }, want: { a: "b", b: "c" } },
  { target: { a: "b" }, patch: { a: null }, want: {} },
  { target: { a: ["b"] }, patch: { a: "c" }, want: { a: "c" } },
  { target: { a: { b: "c" } }, patch: { a: { b: "d", c: null } }, want: { a: { b: "d" } } },
  { target: { a: [{ b: "c" }] }, patch: { a: [1] }, want: { a: [1] } },
  { target: ["a", "b"], patch: ["c", "d"], want: ["c", "d"] },
  { target: { e: null }, patch: { a: 1 }, want: { e: null, a: 1 } },
  { target: {}, patch: { a: { bb: { ccc: null } } }, want: { a: { bb: {} } } },
])("merge patch $patch on $target", ({ target, patch, want }) => {
  expect(mergePatch(target, patch)).toEqual(want);
});

test("a merge patch applied twice is a merge patch applied once", () => {
  const json = fc.dictionary(
    fc.string(),
    fc.oneof(fc.integer(), fc.string(), fc.constant(null), fc.dictionary(fc.string(), fc.integer())),
  );
  fc.assert(
    fc.property(json, json, (target, patch) => {
      const once = mergePatch(target, patch);
      expect(mergePatch(once, patch)).toEqual(once);
    }),
  );
});

describe("JSON patch", () => {
  test("moves and copies, with escaped paths", () => {
    const patch = [
      { op: "move", from: "/a~1b", path: "/c" },
      { op: "copy", from: "/c", path: "/d" },
      { op: "add", path: "/list/1", value: 2 },
    ];
    expect(jsonPatch({ "a/b": 1, list: [1, 3] }, patch)).toEqual({ c: 1, d: 1, list: [1, 2, 3] });
  });

  test("leaves the target alone", () => {
    const target = { a: [1] };
    jsonPatch(target, [{ op: "remove", path: "/a/0" }]);
    expect(target).toEqual({ a: [1] });
  });
});

describe("strategic merge patch", () => {
  const pod = builtinSchema("io.k8s.api.core.v1.Pod");
  const containers = (list: object[]) => ({ spec: { containers: list } });

  test("replaces atomic lists and joins keyed ones", () => {
    const target = containers([{ name: "a", args: ["1"], env: [{ name: "E", value: "1" }] }]);
    const patch = containers([{ name: "a", args: ["2"], env: [{ name: "F", value: "2" }] }]);
    expect(strategicMergePatch(pod, target, patch)).toEqual(
      containers([
        {
          name: "a",
          args: ["2"],
          env: [
            { name: "E", value: "1" },
            { name: "F", value: "2" },
          ],
        },
      ]),
    );
  });

  test("$patch replaces a list, $setElementOrder is no field", () => {
    const target = containers([{ name: "a" }, { name: "b" }]);
    const patch = {
      spec: { containers: [{ $patch: "replace" }, { name: "c" }], "$setElementOrder/containers": [{ name: "c" }] },
    };
    expect(strategicMergePatch(pod, target, patch)).toEqual(containers([{ name: "c" }]));
  });
});
