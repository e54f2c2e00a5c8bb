/** The rows of the report about the engine model: from the recordings of a folder, by the code of `npm run bench -- validate`. */
import { expect, test } from "vitest";
import { benchValidate, validationOf } from "../../bench/validate.ts";

const RECORDINGS = new URL("../validation", import.meta.url).pathname;

test("what was recorded and what is simulated: TTFT, ITL, throughput, running and waiting of each run", () => {
  const { rows, absence } = validationOf(RECORDINGS);
  expect(absence).toBeUndefined();
  const llama = rows.filter(({ run }) => run === "llama-3.1-8b-bf16-rtxpro6000-tp1");
  expect(llama.map(({ quantity, unit }) => (unit === "" ? quantity : `${quantity}, ${unit}`))).toEqual([
    "TTFT, mean, s",
    "TTFT, p50, s",
    "TTFT, p90, s",
    "TTFT, p99, s",
    "ITL of a request, mean, ms",
    "ITL of a request, p50, ms",
    "ITL of a request, p90, ms",
    "ITL of a request, p99, ms",
    "output tokens until the last is done, 1/s",
    "running, mean of all seconds",
    "waiting, mean of all seconds",
  ]);
  // The measured figures of expected.json.
  expect(llama[0]?.recorded).toBeCloseTo(7.1, 1);
  expect(llama[4]?.recorded).toBeCloseTo(32.5, 1);
  expect(llama[8]?.recorded).toBeCloseTo(2_974, 0);
  expect(llama[9]?.recorded).toBeCloseTo(94.9, 1);
  expect(llama[9]?.meanAbsoluteError).toBeCloseTo(5.5, 1);
  expect(llama[10]?.meanAbsoluteError).toBeCloseTo(3.9, 1);
  expect(new Set(rows.map(({ run }) => run)).size).toBe(2);
  for (const { recorded, simulated } of rows) expect(Math.abs(simulated / recorded - 1)).toBeLessThan(0.15);
});

test("they are the numbers that the command prints", async () => {
  const { rows } = validationOf(RECORDINGS);
  const printed = await benchValidate();
  const ttft = printed.find(({ what }) => what === "llama-3.1-8b-bf16, untuned: TTFT mean");
  expect(ttft?.value).toContain(
    `${rows[0]?.simulated.toFixed(2)} s, measured ${rows[0]?.recorded.toFixed(2)} s (-12.2 %;`,
  );
});

test("without recordings there are no rows, and a sentence says what is missing and where it belongs", () => {
  expect(validationOf("/nowhere")).toEqual({
    rows: [],
    absence:
      "The engine model was not held against recorded runs: /nowhere/llama-3.1-8b-bf16-rtxpro6000-tp1-requests.csv.gz is not there (test/validation/README.md says what it holds).",
  });
});
