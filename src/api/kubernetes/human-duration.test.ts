import { expect, test } from "vitest";
import { ageOf, humanDuration } from "./human-duration.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// Rows of k8s.io/apimachinery pkg/util/duration/duration_test.go.
test.each([
  { ms: 1000, want: "1s" },
  { ms: 70_000, want: "70s" },
  { ms: 190_000, want: "3m10s" },
  { ms: 70 * MINUTE, want: "70m" },
  { ms: 47 * HOUR, want: "47h" },
  { ms: 49 * HOUR, want: "2d1h" },
  { ms: 8 * DAY + 2 * HOUR, want: "8d" },
  { ms: 367 * DAY, want: "367d" },
  { ms: 4 * 365 * DAY + 25 * HOUR, want: "4y1d" },
  { ms: 8 * 365 * DAY + 2 * DAY, want: "8y" },
])("$want", ({ ms, want }) => {
  expect(humanDuration(ms)).toBe(want);
});

test("an unreadable time is unknown", () => {
  expect(ageOf(undefined, 0)).toBe("<unknown>");
});
