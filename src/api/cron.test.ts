import { describe, expect, test } from "vitest";
import { cronProblem, cronTimes } from "./cron.ts";

const at = (text: string): number => Date.parse(text);
const around = (cron: string, timeZone: string, moment: string) => {
  const { lastMs, nextMs } = cronTimes(cron, timeZone, at(moment));
  return [lastMs, nextMs].map((ms) => (ms === undefined ? undefined : new Date(ms).toISOString()));
};

describe("starts around a moment", () => {
  test.each([
    ["0 7 * * 1-5", "UTC", "2026-11-25T06:59:59Z", "2026-11-24T07:00:00.000Z", "2026-11-25T07:00:00.000Z"],
    ["0 7 * * 1-5", "UTC", "2026-11-25T07:00:00Z", "2026-11-25T07:00:00.000Z", "2026-11-26T07:00:00.000Z"],
    ["0 7 * * 1-5", "Europe/Berlin", "2026-11-28T12:00:00Z", "2026-11-27T06:00:00.000Z", "2026-11-30T06:00:00.000Z"],
    // Berlin, 29 March: 2:00 to 3:00 does not exist. 25 October: it comes twice.
    ["30 2 * * *", "Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-29T01:00:00.000Z", "2026-03-30T00:30:00.000Z"],
    ["30 2 * * *", "Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"],
    ["0 0 29 2 *", "UTC", "2026-11-25T00:00:00Z", "2024-02-29T00:00:00.000Z", "2028-02-29T00:00:00.000Z"],
  ])("%s in %s at %s", (cron, timeZone, moment, last, next) => {
    expect(around(cron, timeZone, moment)).toEqual([last, next]);
  });

  test("the answer does not depend on what was asked before", () => {
    const moments = ["2026-03-28T23:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T00:59:59Z", "2026-01-01T00:00:00Z"];
    const once = moments.map((moment) => around("30 2 * * *", "Europe/Berlin", moment));
    expect(moments.toReversed().map((moment) => around("30 2 * * *", "Europe/Berlin", moment))).toEqual(
      once.toReversed(),
    );
  });

  test("what is not an expression has no starts", () => {
    expect(cronTimes("soon", "UTC", 0)).toEqual({});
  });
});

describe("problems", () => {
  test.each([
    "",
    "* * * *",
    "* * * * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * * 13 *",
    "* * * * 8",
    "9-7 * * * *",
    "*/0 * * * *",
    "a * * * *",
    "@daily",
  ])("%j is refused", (text) => {
    expect(cronProblem(text, "UTC")).toBe("is not five cron fields");
  });

  test("a date that never comes is refused too", () => {
    expect(cronProblem("0 0 31 2 *", "UTC")).toBe("never comes");
    expect(cronProblem("0 0 29 2 *", "UTC")).toBeUndefined();
    expect(cronProblem("*/20 7-9 1,15 jan-mar sun", "Europe/Berlin")).toBeUndefined();
  });
});
