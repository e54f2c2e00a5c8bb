import { expect, test } from "vitest";
import { windowsText } from "./windows-behind.ts";

test.each([
  { untilMs: Date.UTC(2026, 0, 1, 8), says: "schedule day (open until 2026-01-01T08:00:00Z)" },
  // Older policies may have durations without end: a decision says the last moment that can be said.
  { untilMs: 9_999_999_999 * 3_600_000, says: "schedule day (open until 9999-12-31T23:59:59Z)" },
  { untilMs: Number.POSITIVE_INFINITY, says: "schedule day (open until 9999-12-31T23:59:59Z)" },
])("$says", ({ untilMs, says }) => {
  expect(windowsText([{ name: "day", isEarly: false, untilMs }])).toBe(says);
});
