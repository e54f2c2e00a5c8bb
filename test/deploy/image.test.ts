/** There may be no container engine where this runs, so the image is checked by what it copies and by what its code imports. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { ROOT } from "./manifests.ts";

const root = fileURLToPath(ROOT);
const dockerfile = readFileSync(join(root, "Dockerfile"), "utf8");
const ignore = readFileSync(join(root, ".dockerignore"), "utf8").split("\n").filter(Boolean);

/** Sources of COPY from the build context. */
const copied = dockerfile
  .split("\n")
  .filter((line) => line.startsWith("COPY ") && !line.includes("--from="))
  .flatMap((line) => line.split(/\s+/).slice(1, -1));

/** `import … from "x"`, `import "x"`, `import("x")`, `export … from "x"`; types are erased before anything is resolved. */
const IMPORT =
  /^\s*(?:import|export)\s+(?!type\b)(?:[^"';]*?\sfrom\s+)?["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm;
const importsOf = (text: string): readonly string[] =>
  [...text.matchAll(IMPORT)].map(([, fixed, dynamic]) => fixed ?? dynamic ?? "");

function reachable(entry: string): {
  readonly files: ReadonlySet<string>;
  readonly packages: ReadonlyMap<string, string>;
} {
  const files = new Set<string>();
  const packages = new Map<string, string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    if (!file.endsWith(".ts")) return;
    for (const specifier of importsOf(readFileSync(file, "utf8"))) {
      if (specifier.startsWith(".")) visit(resolve(dirname(file), specifier));
      else if (!specifier.startsWith("node:") && !builtinModules.includes(specifier)) {
        const parts = specifier.split("/");
        const name = specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? "");
        packages.set(name, relative(root, file));
      }
    }
  };
  visit(entry);
  return { files, packages };
}

describe("the image", () => {
  test("copies only what exists and what the build context holds", () => {
    expect(copied.length).toBeGreaterThan(4);
    for (const path of copied) {
      expect(existsSync(join(root, path)), path).toBe(true);
      expect(ignore, `.dockerignore keeps ${path} out`).toContain(`!${path}`);
    }
  });

  test("holds every file that main.ts reaches", () => {
    const { files } = reachable(join(root, "src/main.ts"));
    expect(files.size).toBeGreaterThan(150);
    for (const file of files) {
      const path = relative(root, file);
      expect(statSync(file).isFile(), path).toBe(true);
      expect(
        copied.some((one) => path === one || path.startsWith(`${one}/`)),
        `${path} is not copied`,
      ).toBe(true);
      expect(path).not.toMatch(/\.test\.ts$/);
    }
  });

  test("main.ts reaches no package that is not installed for production", () => {
    const { packages } = reachable(join(root, "src/main.ts"));
    expect(packages.size).toBeGreaterThan(8);
    const missing = [...packages].filter(([name]) => !(name in packageJson.dependencies));
    expect(missing).toEqual([]);
  });

  test("the search for imports finds them all", () => {
    const text =
      'import a from "a";\nimport {\n  b,\n} from "b";\nimport type { C } from "c";\nimport "d";\nexport { e } from "e";\nawait import("f");\n';
    expect(importsOf(text)).toEqual(["a", "b", "d", "e", "f"]);
  });

  test("files that code reads by their place are there too", () => {
    const read = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
      .flatMap((path) => {
        const text = readFileSync(join(root, "src", path), "utf8");
        return [...text.matchAll(/"((?:\.\.\/)+(?:policies|deploy|grafana|data)\b[^"$]*)"/g)].map(([, target = ""]) =>
          relative(root, resolve(root, "src", dirname(path), target)),
        );
      });
    const outside = read.filter((path) => !copied.some((one) => path === one || path.startsWith(`${one}/`)));
    // Only `npm run crds` writes there, from a checkout.
    expect(outside).toEqual(["deploy/crds"]);
  });

  test("runs as a number, on the Node that the code asks for, with nothing to write", () => {
    const stages = [...dockerfile.matchAll(/^FROM node:(\d+)/gm)].map(([, major]) => Number(major));
    const needed = Number(/\d+/.exec(packageJson.engines.node)?.[0]);
    // The install, the init container, and the service, which is what is built when no target is named.
    expect(stages).toEqual([needed, needed, needed]);
    expect(dockerfile.match(/^USER \d+:\d+$/gm)).toHaveLength(2);
    expect(dockerfile.match(/^ENTRYPOINT .*$/gm)).toEqual([
      'ENTRYPOINT ["node", "src/initc/main.ts"]',
      'ENTRYPOINT ["node", "--max-semi-space-size=16", "--heap-growing-percent=15", "src/main.ts"]',
    ]);
    expect(dockerfile.match(/^ENV MALLOC_.*$/gm)).toEqual(["ENV MALLOC_ARENA_MAX=1 MALLOC_MMAP_THRESHOLD_=131072"]);
    expect(dockerfile).not.toMatch(/^(HEALTHCHECK|VOLUME)/m);
    expect(packageJson.dependencies).not.toHaveProperty("node");
  });
});
