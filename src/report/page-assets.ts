/** What the page is made of beside its numbers, read from where it is installed: the plot library, its licences, our script and style. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { PageAssets } from "./render-report.ts";

export function readPageAssets(): PageAssets {
  const require = createRequire(import.meta.url);
  const plotMain = require.resolve("@observablehq/plot");
  const d3Main = createRequire(plotMain).resolve("d3");
  const plot = dirname(dirname(plotMain));
  const d3 = dirname(dirname(d3Main));
  const text = (...path: readonly string[]): string => readFileSync(join(...path), "utf8");
  return {
    libraries: [
      { name: "D3", script: text(d3, "dist", "d3.min.js"), licence: text(d3, "LICENSE") },
      { name: "Observable Plot", script: text(plot, "dist", "plot.umd.min.js"), licence: text(plot, "LICENSE") },
    ],
    script: text(import.meta.dirname, "page.js"),
    style: text(import.meta.dirname, "page.css"),
  };
}
