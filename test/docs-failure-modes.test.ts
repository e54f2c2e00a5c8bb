/** `docs/failure-modes.md` names files and tests: they exist, every mode has its row, and no test of a mode is left out. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const rows = readFileSync(join(ROOT, "docs/failure-modes.md"), "utf8")
  .split("\n")
  .filter((line) => /^\| \d/.test(line))
  .map((line) => line.slice(1, -1).split(" | "));
const sources = new Map(
  globSync(["src/**/*.test.ts", "test/**/*.test.ts"], { cwd: ROOT }).map((file) => [
    file,
    readFileSync(join(ROOT, file), "utf8"),
  ]),
);
const named = (file: string): readonly string[] =>
  [...sources].filter(([path]) => path.endsWith(`/${file}`)).map(([, source]) => source);

test("has the 32 modes, in order, and a test or what is missing for each", () => {
  expect(rows.map(([number]) => Number(number))).toEqual(Array.from({ length: 32 }, (_, index) => index + 1));
  for (const [number, , what, shown] of rows) {
    if (shown?.trim() === "-") expect(what, number).toContain("not yet");
    else expect(shown, number).toMatch(/`[\w-]+\.test\.ts`/);
  }
});

test("every file and every test that it names exists", () => {
  const missing = rows.flatMap(([, , , shown = ""]) =>
    [...shown.matchAll(/`([\w-]+\.test\.ts)`([^`]*)/g)].flatMap(([, file = "", rest = ""]) => {
      const found = named(file);
      if (found.length === 0) return [file];
      const titles = [...rest.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => title);
      return titles
        .filter((title) => !found.some((source) => source.includes(title)))
        .map((title) => `${file}: ${title}`);
    }),
  );
  expect(missing).toEqual([]);
});

test("every test of a mode is in its row", () => {
  const inTests = [...sources]
    .filter(([path]) => path.startsWith("test/failure-modes/"))
    .flatMap(([, source]) => [...source.matchAll(/test\("F(\d+) ([^"]+)"/g)])
    .map(([, number = "", title = ""]) => ({ number, title }));
  expect(inTests.length).toBeGreaterThan(20);
  const unnamed = inTests.filter(({ number, title }) => {
    const shown = rows[Number(number) - 1]?.[3] ?? "";
    return ![...shown.matchAll(/"F\d+ ([^"]+)"/g)].some(([, begin = "-"]) => title.startsWith(begin));
  });
  expect(unnamed).toEqual([]);
});
