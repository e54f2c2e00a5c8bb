import { expect, test } from "vitest";
import type { Decision } from "../decide/decision.ts";
import { settle } from "./loop.ts";
import type { DoneWrite } from "./write-gate.ts";

const decision = {
  outcome: "Scaled",
  reason: "DemandChanged",
  message: "decode 1→2",
  targets: [{ name: "decode", current: 3, desired: 5 }],
  stages: [],
} as unknown as Decision;
const write: DoneWrite = {
  target: "decode",
  level: "PodClique",
  objectName: "x-0-decode",
  resourceVersion: "1",
  writtenVersion: "2",
  setIndex: 0,
  from: 1,
  to: 2,
  gpusPerReplica: 1,
};
const refusal = { write, reason: "PermissionDenied", message: "forbidden" } as const;

test("a decision of which nothing was written has failed, and says why", () => {
  expect(settle(decision, { written: [], refusal })).toMatchObject({
    outcome: "Failed",
    reason: "PermissionDenied",
    message: expect.stringContaining("forbidden"),
    stages: [{ stage: "gate", target: "decode/0", before: 1, after: 2, reason: "PermissionDenied" }],
  });
});

test("one that was written in part, or in full, has scaled", () => {
  expect(settle(decision, { written: [write], refusal })).toMatchObject({ outcome: "Scaled", stages: [{}] });
  expect(settle(decision, { written: [write] })).toMatchObject({ outcome: "Scaled", stages: [] });
});

test("what a decision changed is what was written, not what it wanted", () => {
  const moved = { ...write, setIndex: 1, from: 2, to: 1 };
  expect(settle(decision, { written: [write] }).changes).toEqual({ decode: { from: 3, to: 4 } });
  expect(settle(decision, { written: [write, { ...write, setIndex: 1 }] }).changes).toEqual({
    decode: { from: 3, to: 5 },
  });
  expect(settle(decision, { written: [write, moved] }).changes).toEqual({ decode: { from: 3, to: 3 } });
  expect(settle(decision, { written: [write], refusal }).changes).toEqual({ decode: { from: 3, to: 4 } });
  expect(settle(decision, { written: [], refusal })).not.toHaveProperty("changes");
  expect(settle({ ...decision, outcome: "Held" }, { written: [] })).not.toHaveProperty("changes");
});
