import { expect, test } from "vitest";
import { Plant, policyOf, targetPolicy } from "../decide/plant.fixture.ts";
import { replicasOf, writesSeen } from "./shadow.ts";

test("what somebody else wrote since the last look is a write, of a clique and a group of one name each its own", () => {
  const policy = policyOf({ targets: [targetPolicy("a", { level: "PodClique" }), targetPolicy("b")], ratios: [] });
  const plant = new Plant({ replicas: [5, 2], loads: [5, 2] });
  plant.change = (object) => ({ ...object, objectName: "x-0-same" });
  const before = replicasOf(plant.observe(policy));
  expect(writesSeen(policy, plant.observe(policy), before)).toEqual([]);
  plant.sets[0]!.replicas = [5, 4];
  expect(writesSeen(policy, plant.observe(policy), before)).toMatchObject([
    { target: "b", level: "PodCliqueScalingGroup", objectName: "x-0-same", setIndex: 0, from: 2, to: 4 },
  ]);
  plant.sets.push({ replicas: [1, 1], readyAtMs: [[0], [0]] });
  expect(writesSeen(policy, plant.observe(policy), before)).toContainEqual(
    expect.objectContaining({ level: "PodCliqueSet", from: 1, to: 2 }),
  );
});
