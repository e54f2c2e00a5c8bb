/** What the page is made of beside its numbers, read from where it is installed: the plot library, the licences of all that is in it, our script and style. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { PageAssets } from "./render-report.ts";

export function readPageAssets(): PageAssets {
  const require = createRequire(import.meta.url);
  const plot = packageOf(require.resolve("@observablehq/plot"));
  const d3 = packageOf(createRequire(join(plot, "package.json")).resolve("d3"));
  return {
    libraries: [text(d3, "dist", "d3.min.js"), text(plot, "dist", "plot.umd.min.js")],
    licences: licencesFrom(plot),
    script: text(import.meta.dirname, "page.js"),
    style: text(import.meta.dirname, "page.css"),
  };
}

const text = (...path: readonly string[]): string => readFileSync(join(...path), "utf8");

/** The folder of the package that a file belongs to. */
function packageOf(file: string): string {
  const folder = dirname(file);
  return existsSync(join(folder, "package.json")) ? folder : packageOf(folder);
}

/** Of `d3-dsv`'s command line: not in what browsers load. */
const NOT_IN_THE_PAGE: ReadonlySet<string> = new Set(["commander", "iconv-lite", "rw"]);

/** Of the package and of all that is built into it. */
function licencesFrom(root: string): PageAssets["licences"] {
  const found = new Map<string, string>();
  const visit = (folder: string): void => {
    const { name, dependencies = {} } = JSON.parse(text(folder, "package.json")) as {
      readonly name: string;
      readonly dependencies?: Readonly<Record<string, string>>;
    };
    if (found.has(name)) return;
    const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
    if (file === undefined) throw new Error(`${name} has no licence file in ${folder}`);
    found.set(name, text(folder, file));
    const { resolve } = createRequire(join(folder, "package.json"));
    for (const dependency of Object.keys(dependencies)) {
      if (!NOT_IN_THE_PAGE.has(dependency)) visit(packageOf(resolve(dependency)));
    }
  };
  visit(root);
  return [...found].map(([name, licence]) => ({ name, text: licence }));
}
