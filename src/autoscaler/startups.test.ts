import { expect, test } from "vitest";
import type { ReplicaLife } from "./replicas.ts";
import { Startups } from "./startups.ts";

const TIMEOUT_MS = 600_000;
const look = (startups: Startups, ...lives: readonly ReplicaLife[]) => startups.since([["decode", lives]], TIMEOUT_MS);

test("each start is told once, with its target", () => {
  const startups = new Startups();
  expect(
    startups.since(
      [
        ["prefill", [{ id: "p", readyAfterMs: 90_000 }]],
        ["decode", [{ id: "d", readyAfterMs: 60_000 }, { id: "e" }]],
      ],
      TIMEOUT_MS,
    ),
  ).toEqual([
    ["prefill", 90_000],
    ["decode", 60_000],
  ]);
  const later = [
    { id: "d", readyAfterMs: 60_000 },
    { id: "e", readyAfterMs: 70_000 },
  ] as const;
  expect(look(startups, ...later)).toEqual([["decode", 70_000]]);
  expect(look(startups, ...later)).toEqual([]);
});

test("readiness that is lost and comes back is no start, however often it was looked meanwhile", () => {
  const startups = new Startups();
  look(startups, { id: "d", readyAfterMs: 60_000 });
  look(startups, { id: "d" });
  look(startups, { id: "d" });
  expect(look(startups, { id: "d", readyAfterMs: 900_000 })).toEqual([]);
});

test("a start that takes longer than a replica may is one all the same, where it was seen from its beginning", () => {
  const startups = new Startups();
  look(startups, { id: "d" });
  expect(look(startups, { id: "d", readyAfterMs: 720_000 })).toEqual([["decode", 720_000]]);
});

test("at the first look nobody knows whether it was ready before: what took too long is left out", () => {
  expect(look(new Startups(), { id: "d", readyAfterMs: 36_000_000 }, { id: "e", readyAfterMs: 60_000 })).toEqual([
    ["decode", 60_000],
  ]);
  expect(look(new Startups(), { id: "d", readyAfterMs: Number.NaN })).toEqual([]);
});
