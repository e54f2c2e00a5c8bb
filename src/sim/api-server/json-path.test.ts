import { expect, test } from "vitest";
import { jsonPathValues } from "./json-path.ts";

const OBJECT = {
  metadata: { labels: { "app.kubernetes.io/name": "x" } },
  spec: {
    parts: [
      { name: "a", n: 1 },
      { name: "b", n: 2 },
    ],
  },
  status: {
    conditions: [
      { type: "Ready", status: "True" },
      { type: "Other", status: "False" },
    ],
  },
};

test.each<{ path: string; want: unknown[] }>([
  { path: ".spec.parts[0].name", want: ["a"] },
  { path: ".spec.parts[-1].name", want: ["b"] },
  { path: ".spec.parts[-1:].name", want: ["b"] },
  { path: ".spec.parts[*].name", want: ["a", "b"] },
  { path: ".metadata.labels.app\\.kubernetes\\.io/name", want: ["x"] },
  { path: ".metadata.labels['app.kubernetes.io/name']", want: ["x"] },
  { path: '.status.conditions[?(@.type=="Ready")].status', want: ["True"] },
  { path: ".status.conditions[?(@.type == 'Other')].status", want: ["False"] },
  { path: ".spec.parts[?(@.n>1)].name", want: ["b"] },
  { path: ".spec.none.deeper", want: [] },
  { path: "{.spec.parts[1].n}", want: [2] },
])("$path", ({ path, want }) => {
  expect(jsonPathValues(path, OBJECT)).toEqual(want);
});

test("a path that cannot be read is refused", () => {
  expect(() => jsonPathValues(".a[", {})).toThrow("cannot read the JSONPath");
});
