/** Fault storms: whatever comes together, once it is over everything is as it would be without. `STORMS=first-last` plays others. */
import { expect, test } from "vitest";
import { playStorm } from "./storm.ts";

const [first = 1, last = 10] = (process.env["STORMS"] ?? "").split("-").filter(Boolean).map(Number);
const seeds = Array.from({ length: last - first + 1 }, (_, index) => first + index);

test.each(seeds)("storm %i", async (seed) => {
  const { story, problems, objects, expected } = await playStorm(seed);
  expect(problems, story.join("\n")).toEqual([]);
  expect(Object.keys(objects), story.join("\n")).toEqual(Object.keys(expected));
  expect(objects, story.join("\n")).toEqual(expected);
});
