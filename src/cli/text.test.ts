import { expect, test } from "vitest";
import { hang, paintFor, table, wrap } from "./text.ts";

test("lines end at words and stay inside the width", () => {
  expect(wrap("one two three four five six seven", 20)).toEqual(["one two three four", "five six seven"]);
  expect(wrap("a_word_that_is_longer_than_the_line short", 20)).toEqual([
    "a_word_that_is_longer_than_the_line",
    "short",
  ]);
  expect(wrap("this much of it is 100 % done", 22)).toEqual(["this much of it is", "100 % done"]);
  expect(hang("  head  ", "one two three four five six", 28)).toBe("  head  one two three four\n        five six");
});

test("columns are as wide as their longest cell, and never get narrower", () => {
  const widths: number[] = [];
  expect(
    table(
      [
        ["A", "B"],
        ["long", "x"],
      ],
      widths,
    ),
  ).toEqual(["A     B", "long  x"]);
  expect(table([["a", "b"]], widths)).toEqual(["a     b"]);
});

test("colours are for people who did not say NO_COLOR", () => {
  expect(paintFor({ isInteractive: true, environment: {} }).bold("x")).toBe("\x1b[1mx\x1b[0m");
  expect(paintFor({ isInteractive: true, environment: { NO_COLOR: "" } }).bold("x")).toBe("\x1b[1mx\x1b[0m");
  expect(paintFor({ isInteractive: true, environment: { NO_COLOR: "1" } }).bold("x")).toBe("x");
  expect(paintFor({ isInteractive: false, environment: {} }).bold("x")).toBe("x");
});
