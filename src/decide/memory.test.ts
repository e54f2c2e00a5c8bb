import { expect, test } from "vitest";
import { noForecasts } from "./forecast/forecast.ts";
import { emptyMemory, type Memory, resumeMemory } from "./memory.ts";

const HOUR_MS = 3_600_000;

const memory = (atMs: number): Memory => ({
  ...emptyMemory,
  objects: { "decode/0": { recommendations: [[atMs, 3]], events: [[atMs, 2]] } },
  forecasts: { decode: { ...noForecasts(24 * HOUR_MS), history: [atMs, 3], open: [atMs + 60_000, 4, 3, 3, 3] } },
  panics: { decode: { demands: [[atMs, 4]], untilMs: atMs + 30_000, peakReplicas: 4 } },
  startupsMs: { decode: [40_000] },
  decisions: 7,
});

test("a restart keeps rate limits and forecasts, and starts its windows anew", () => {
  const now = 10 * HOUR_MS;
  const stored = memory(now - 20_000);
  expect(resumeMemory(stored, now)).toEqual({
    ...stored,
    objects: { "decode/0": { recommendations: [], events: [[now - 20_000, 2]] } },
  });
});

test("a clock that was set back leaves no window, rate limit, panic or forecast in the future", () => {
  const now = 10 * HOUR_MS;
  expect(resumeMemory(memory(now + 1_000 * HOUR_MS), now)).toEqual({
    ...emptyMemory,
    objects: { "decode/0": { recommendations: [], events: [[now, 2]] } },
    startupsMs: { decode: [40_000] },
    decisions: 7,
  });
});
