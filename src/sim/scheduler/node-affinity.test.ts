import { expect, test } from "vitest";
import type { Node, Pod } from "../../api/kubernetes/core.ts";
import { matchesNodeAffinity } from "./node-affinity.ts";

const node: Node = { apiVersion: "v1", kind: "Node", metadata: { name: "a", labels: { role: "agent", size: "8" } } };
const podWith = (nodeSelectorTerms: unknown): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p" },
  spec: {
    containers: [],
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  },
});
const expressions = (...matchExpressions: unknown[]) => [{ matchExpressions }];

test.each<[string, unknown, boolean]>([
  ["a value in the list", expressions({ key: "role", operator: "In", values: ["agent"] }), true],
  ["a value that is not", expressions({ key: "role", operator: "In", values: ["other"] }), false],
  ["a label that is missing is not in any list", expressions({ key: "x", operator: "NotIn", values: ["y"] }), true],
  ["a forbidden value", expressions({ key: "role", operator: "NotIn", values: ["agent"] }), false],
  ["existence", expressions({ key: "role", operator: "Exists" }), true],
  ["absence", expressions({ key: "role", operator: "DoesNotExist" }), false],
  [
    "numbers",
    expressions({ key: "size", operator: "Gt", values: ["7"] }, { key: "size", operator: "Lt", values: ["9"] }),
    true,
  ],
  [
    "all requirements of a term",
    expressions({ key: "role", operator: "Exists" }, { key: "x", operator: "Exists" }),
    false,
  ],
  [
    "one of the terms",
    [...expressions({ key: "x", operator: "Exists" }), ...expressions({ key: "role", operator: "Exists" })],
    true,
  ],
  ["the name of the node", [{ matchFields: [{ key: "metadata.name", operator: "In", values: ["a"] }] }], true],
  ["a term that says nothing", [{}], false],
  ["an operator that does not exist", expressions({ key: "role", operator: "Like", values: ["a"] }), false],
])("%s", (_, terms, matches) => {
  expect(matchesNodeAffinity(podWith(terms), node)).toBe(matches);
});

test("a pod without affinity goes anywhere", () => {
  const pod: Pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [] } };
  expect(matchesNodeAffinity(pod, node)).toBe(true);
});
