/** `docs/grove-compatibility.md` names scenarios, files and tests: they exist, and no cell is empty without a reason. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..");
const text = readFileSync(join(ROOT, "docs/grove-compatibility.md"), "utf8");
const files = globSync(["src/**/*.ts", "test/**/*.ts", "bench/**/*.ts"], { cwd: ROOT }).filter(
  (file) => !file.includes("node_modules"),
);
const sources = new Map(files.map((file) => [file, readFileSync(join(ROOT, file), "utf8")]));

/** Rows of a chapter's tables, heads left out; the cells of each. */
function rows(chapter: string): readonly (readonly string[])[] {
  const from = text.indexOf(`\n## ${chapter}`);
  const to = text.indexOf("\n## ", from + 1);
  return text
    .slice(from, to)
    .split("\n")
    .filter((line) => line.startsWith("| ") && !/^\| *-/.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    )
    .filter(([first]) => first !== "scenario" && first !== "#");
}

/** Files that a name in backquotes means: its end is enough. */
const filesOf = (name: string): readonly string[] => {
  const wanted = name.replace(/^(\.\.\/)+/, "");
  return files.filter((file) => file === wanted || file.endsWith(`/${wanted}`));
};

/** Test files that a cell names, each with the beginnings of the titles that are quoted after it. */
function citations(cell: string): readonly { readonly file: string; readonly titles: readonly string[] }[] {
  return [...cell.matchAll(/`([^`]+\.ts)`([^`]*)/g)].map(([, file = "", rest = ""]) => ({
    file,
    titles: [...rest.matchAll(/"([^"]+)"/g)].map(([, title = ""]) => title),
  }));
}

/** A title in its source, up to where the document leaves it off; tables of tests put their names together. */
function isTitled(title: string, file: string): boolean {
  const parts = title
    .split("…")
    .map((part) => part.trim())
    .filter((part) => part !== "");
  return filesOf(file).some((path) => {
    const source = sources.get(path) ?? "";
    return parts.every((part) => source.includes(part) || source.includes(part.replace(/[,:]$/, "")));
  });
}

describe("docs/grove-compatibility.md", () => {
  const scenarios = rows("Scenarios");
  const defects = rows("Defects of upstream, and our decisions");
  const cells = [...scenarios, ...defects].flat();

  test("has its tables", () => {
    expect(scenarios.length).toBeGreaterThan(80);
    expect(defects).toHaveLength(27);
  });

  test("a scenario runs in both worlds, or the note says why not", () => {
    for (const [name, embedded, real, note] of scenarios) {
      if (embedded === "" || real === "") expect(note, name).not.toBe("");
    }
    for (const cells of defects) for (const cell of cells) expect(cell, cells[0]).not.toBe("");
  });

  test("every scenario that it says is tested under its name is", () => {
    const inTests = [...sources]
      .filter(([file]) => file.startsWith("test/grove/scenarios/"))
      .map(([, source]) => source)
      .join("\n");
    for (const [name = "", embedded = "", real] of scenarios) {
      if (real !== "yes" || !/^Test_[A-Za-z0-9_/]+$/.test(name) || !/^`[a-z-]+\.test\.ts`$/.test(embedded)) continue;
      for (const part of name.split("/")) expect(inTests, name).toContain(part);
    }
  });

  test("every file and test that it names exists", () => {
    const missing = cells.flatMap((cell) =>
      citations(cell).flatMap(({ file, titles }) => [
        ...(filesOf(file).length > 0 || existsSync(join(ROOT, file)) ? [] : [file]),
        ...titles.filter((title) => !isTitled(title, file)).map((title) => `${basename(file)}: ${title}`),
      ]),
    );
    expect(missing).toEqual([]);
  });
});
