/** `npm run crds` writes `deploy/crds/*.yaml`; with `--check` it only says which of them are out of date. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { customResourceDefinitions } from "./all.ts";

const HEADER = "# Generated from src/api by `npm run crds`. Do not edit.\n";
const FOLDER = new URL("../../../deploy/crds/", import.meta.url);

export interface CrdFile {
  readonly path: string;
  readonly text: string;
}

export function crdFiles(): readonly CrdFile[] {
  return customResourceDefinitions().map((crd) => ({
    path: fileURLToPath(new URL(`${crd.spec.group}_${crd.spec.names.plural}.yaml`, FOLDER)),
    text: HEADER + stringify(crd, { lineWidth: 0, aliasDuplicateObjects: false }),
  }));
}

/** Paths of committed files that differ from what `crdFiles` gives. */
export function staleCrdFiles(): readonly string[] {
  return crdFiles()
    .filter(({ path, text }) => readIfThere(path) !== text)
    .map(({ path }) => path);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

if (import.meta.main) {
  if (process.argv.includes("--check")) {
    const stale = staleCrdFiles();
    for (const path of stale) process.stderr.write(`${path} is out of date; run npm run crds\n`);
    process.exitCode = stale.length > 0 ? 1 : 0;
  } else {
    mkdirSync(FOLDER, { recursive: true });
    for (const { path, text } of crdFiles()) writeFileSync(path, text);
  }
}
