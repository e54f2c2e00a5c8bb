import { expect, test } from "vitest";
import type { ScaleWrite } from "../decide/transition.ts";
import { ForeignWriters } from "./foreign-writers.ts";

const seen = (replicas: number, uid = "u") => ({ target: "decode", objectName: "x-0-decode", replicas, uid });
const write = (to: number): ScaleWrite => ({
  target: "decode",
  level: "PodClique",
  objectName: "x-0-decode",
  resourceVersion: "1",
  setIndex: 0,
  from: 2,
  to,
  gpusPerReplica: 1,
});

test("a value that is not ours is foreign; ours, and that of a new object, is not", () => {
  const writers = new ForeignWriters();
  expect(writers.observe([seen(2)], 0)).toEqual([]);
  writers.wrote([write(4)]);
  expect(writers.observe([seen(4)], 0)).toEqual([]);
  expect(writers.observe([seen(1, "recreated")], 0)).toEqual([]);
  expect(writers.observe([seen(7, "recreated")], 0)).toHaveLength(1);
  expect(writers.held(1)).toEqual(["decode"]);
  expect(writers.held(600_001)).toEqual([]);
});

test("our own write is ours although its answer was lost", () => {
  const writers = new ForeignWriters();
  writers.observe([seen(2)], 0);
  writers.tried(write(4));
  expect(writers.observe([seen(2)], 0)).toEqual([]);
  expect(writers.observe([seen(4)], 0)).toEqual([]);
  expect(writers.observe([seen(5)], 0)).toHaveLength(1);
});

test("a clique and a group of one name are two objects", () => {
  const writers = new ForeignWriters();
  const both = (clique: number, group: number) => [
    { target: "decode", objectName: "x-0-decode", replicas: clique, uid: "c" },
    { target: "decoders", objectName: "x-0-decode", replicas: group, uid: "g" },
  ];
  writers.observe(both(2, 3), 0);
  expect(writers.observe(both(2, 3), 0)).toEqual([]);
  expect(writers.observe(both(2, 9), 0).map(({ target }) => target)).toEqual(["decoders"]);
});
