import { describe, expect, test } from "vitest";
import { observe, pointsOf, predict } from "./predictors.ts";

describe("history", () => {
  test("idle intervals at the start are not remembered, later ones are; what is not finite is 0", () => {
    const history = [0, Number.NaN, 7, 0, Number.POSITIVE_INFINITY].reduce<readonly number[]>(
      (before, value) => observe(before, value, 10),
      [],
    );
    expect(history).toEqual([7, 0, 0]);
  });

  test("it keeps as many as its predictor looks at", () => {
    expect(observe([1, 2, 3], 4, pointsOf("constant", 480))).toEqual([4]);
    expect(pointsOf("seasonal", 480)).toBe(481);
  });
});

describe("predictions", () => {
  test("no history is 0", () => expect(predict([], "constant", 4)).toBe(0));
  test("constant: the last", () => expect(predict([3, 8], "constant", 4)).toBe(8));
  test("fewer than five points: the last, whatever the predictor", () => {
    expect(predict([1, 2, 3, 4], "ar", 4)).toBe(4);
    expect(predict([1, 2, 3, 4], "seasonal", 2)).toBe(4);
  });

  test("a season of four: 20 came after 10, now it is 12: 20 + (12 - 10) = 22", () => {
    expect(predict([10, 20, 30, 40, 12], "seasonal", 4)).toBe(22);
  });

  test("before a season is over: the last", () => expect(predict([10, 20, 30, 40, 12], "seasonal", 5)).toBe(12));

  test("AR: 10 + half of the last, from 100: 60, 40, 30, 25, ... goes on", () => {
    const values = [100];
    while (values.length < 12) values.push(10 + 0.5 * (values.at(-1) as number));
    expect(predict(values, "ar", 4)).toBeCloseTo(10 + 0.5 * (values.at(-1) as number), 3);
  });

  test("AR: a wave of 12 intervals is of order 2: x(t) = 2 cos(30°) x(t-1) - x(t-2) around 100", () => {
    const wave = (t: number): number => 100 + 50 * Math.sin((2 * Math.PI * t) / 12);
    const values = Array.from({ length: 40 }, (_, t) => wave(t));
    expect(predict(values, "ar", 4)).toBeCloseTo(wave(40), 3);
    expect(Math.abs((values.at(-1) as number) - wave(40))).toBeGreaterThan(5);
  });

  test("AR: what explodes is no model: the last of 1,000 ... 2,700, 13,500 instead of what would follow", () => {
    const lengths = [1010, 990, 1005, 998, 1002, 1100, 1200, 1190, 1220, 1480, 1540, 2730, 13_480];
    expect(predict(lengths, "ar", 4)).toBeLessThanOrEqual(13_480);
    const doubling = Array.from({ length: 14 }, (_, t) => 3 + 2 ** t);
    expect(predict(doubling, "ar", 4)).toBe(3 + 2 ** 13);
  });

  test("AR: a constant stays, a fall stops at 0", () => {
    expect(predict(Array(20).fill(6), "ar", 4)).toBe(6);
    expect(predict([90, 80, 70, 60, 50, 40, 35, 28, 20, 13, 7, 1], "ar", 4)).toBeGreaterThanOrEqual(0);
  });
});
