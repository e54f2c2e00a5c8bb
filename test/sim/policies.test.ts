/** Every example under policies/ does what it says: it follows a day of traffic up and down, and breaks nothing. */
import { readdirSync } from "node:fs";
import { afterEach, describe, expect, test } from "vitest";
import { seededRandom } from "../../src/random.ts";
import { dayInMiniature, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { type Simulation, simulate } from "./simulation.ts";

const EXAMPLES = [
  { example: "aggregated", peakRequestsPerSecond: 60, moves: ["frontend", "engine"] },
  { example: "prefill-decode", peakRequestsPerSecond: 60, moves: ["frontend", "prefill", "decode"] },
  { example: "prefill-decode-slo", peakRequestsPerSecond: 60, moves: ["frontend", "prefill", "decode"] },
  {
    example: "multinode-prefill-decode",
    peakRequestsPerSecond: 24,
    moves: ["instances", "frontend", "prefill", "decode"],
  },
] as const;

let running: Simulation | undefined;
afterEach(() => running?.stop());

test("every folder under policies is tested here", () => {
  const folders = readdirSync(new URL("../../policies/", import.meta.url), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  );
  expect(folders.map(({ name }) => name).toSorted()).toEqual(EXAMPLES.map(({ example }) => example).toSorted());
});

describe.each(EXAMPLES)("$example", ({ example, peakRequestsPerSecond, moves }) => {
  test("follows a day of traffic with every target, and comes back to its minimum", async () => {
    running = await simulate({ seed: 5, example });
    await running.untilAvailable();
    const day = dayInMiniature({
      durationSeconds: 2_400,
      baseRequestsPerSecond: peakRequestsPerSecond / 10,
      peakRequestsPerSecond,
      input: { medianTokens: 1_000, spreadP90: 2 },
      output: { medianTokens: 700, spreadP90: 1.8 },
    });
    running.attach(generateTraffic(day, seededRandom(5)));
    await running.clock.advance(3_000_000);
    const peaks = new Map<string, number>();
    for (const { targets } of running.decisions) {
      for (const { name, current } of targets) peaks.set(name, Math.max(peaks.get(name) ?? 0, current));
    }
    for (const name of moves) expect(peaks.get(name), name).toBeGreaterThan(1);
    expect(
      Object.fromEntries((running.decisions.at(-1)?.targets ?? []).map(({ name, current }) => [name, current])),
    ).toEqual(Object.fromEntries(moves.map((name) => [name, 1])));
    expect(running.monitor.report()).toMatchObject({
      ratioViolationSeconds: 0,
      floorViolationSeconds: 0,
      budgetViolationSeconds: 0,
    });
    const { arrived, completed, failed, inFlight } = running.traffic();
    expect(failed).toBe(0);
    expect(completed + inFlight).toBe(arrived);
  });
});
