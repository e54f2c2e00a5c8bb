import { describe, expect, test } from "vitest";
import { admit, validateObject } from "../admission.ts";
import type { KubeObject } from "../kubernetes/meta.ts";
import { DEFAULT_GROVE_ADMISSION } from "./admission-options.ts";

const group = (value: string | undefined) =>
  value === undefined ? {} : { annotations: { "grove.io/mnnvl-group": value } };

function set(values: { readonly set?: string; readonly clique?: string; readonly group?: string }): KubeObject {
  const object = {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { name: "w", namespace: "ns", ...group(values.set) },
    spec: {
      replicas: 1,
      template: {
        cliques: [
          {
            name: "a",
            ...group(values.clique),
            spec: { roleName: "a", replicas: 1, podSpec: { containers: [{ name: "main", image: "x" }] } },
          },
        ],
        podCliqueScalingGroups: [{ name: "g", cliqueNames: ["a"], ...group(values.group) }],
      },
    },
  };
  return object as KubeObject;
}

const admitted = (object: KubeObject): KubeObject => admit({ operation: "CREATE", object }).object;
const errorsOf = (object: KubeObject, autoMnnvl?: boolean, oldObject?: KubeObject): readonly string[] =>
  validateObject(
    {
      operation: oldObject === undefined ? "CREATE" : "UPDATE",
      object: admitted(object),
      ...(oldObject !== undefined && { oldObject: admitted(oldObject) }),
    },
    { grove: { ...DEFAULT_GROVE_ADMISSION, ...(autoMnnvl !== undefined && { autoMnnvl }) } },
  ).errors.map(({ field, message }) => `${field}: ${message}`);

describe("on create", () => {
  test.each([
    ["the set", { set: "fabric" }, /^metadata\.annotations\[grove\.io\/mnnvl-group\]: .*MNNVL is not enabled/],
    ["a clique", { clique: "fabric" }, /^spec\.template\.cliques\[0\]\.annotations\[.*MNNVL is not enabled/],
    ["a group", { group: "fabric" }, /^spec\.template\.podCliqueScalingGroups\[0\]\.annotations\[.*is not enabled/],
  ])("a group name on %s is refused while the feature is off, and accepted while it is on", (_, values, text) => {
    const [error, ...more] = errorsOf(set(values), false);
    expect(error).toMatch(text);
    expect(more).toEqual([]);
    expect(errorsOf(set(values), true)).toEqual([]);
    // Without an operator to ask, as in `lint`, only the form counts.
    expect(errorsOf(set(values))).toEqual([]);
  });

  test("none is always accepted", () => {
    expect(errorsOf(set({ set: "none", clique: "none", group: "none" }), false)).toEqual([]);
    expect(errorsOf(set({ set: "none", clique: "none", group: "none" }), true)).toEqual([]);
  });

  test.each(["Fabric", "-a", "a.b", "", "x".repeat(64)])("%j is no name of a group", (name) => {
    expect(errorsOf(set({ clique: name }), true)[0]).toMatch(/must be a DNS-1123 label .* or "none"$/);
  });
});

describe("on update the annotation is immutable", () => {
  test.each([
    ["set", "metadata.annotations[grove.io/mnnvl-group]"],
    ["clique", "spec.template.cliques[0].annotations[grove.io/mnnvl-group]"],
    ["group", "spec.template.podCliqueScalingGroups[0].annotations[grove.io/mnnvl-group]"],
  ])("on the %s: added, changed, removed", (level, field) => {
    for (const [before, after] of [
      [{}, { [level]: "x" }],
      [{ [level]: "x" }, { [level]: "none" }],
      [{ [level]: "x" }, {}],
    ] as const) {
      expect(errorsOf(set(after), true, set(before))).toEqual([
        `${field}: field is immutable; create a new PodCliqueSet to change it`,
      ]);
    }
    // A set that was made while the feature was on stays changeable after it is off.
    expect(errorsOf(set({ [level]: "x" }), false, set({ [level]: "x" }))).toEqual([]);
  });
});
