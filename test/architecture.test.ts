/** The import arrows of docs/architecture.md, and what the pure parts may not touch. What the linter cannot say. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "..");
const SRC = join(ROOT, "src");

interface Source {
  /** Path under `src/`. */
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const sources: readonly Source[] = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
  .map((path) => {
    const text = readFileSync(join(SRC, path), "utf8");
    const specifiers = [...text.matchAll(/(?:from\s+|import\s*\(\s*|import\s+)"([^"]+)"/g)].map(
      (match) => match[1] as string,
    );
    return {
      path,
      text,
      imports: specifiers.map((specifier) =>
        specifier.startsWith(".") ? relative(SRC, resolve(SRC, dirname(path), specifier)) : specifier,
      ),
    };
  });

const folderOf = (path: string): string => path.split("/")[0] as string;
/** The package's own manifest, for the version, is nobody's folder. */
const isOwn = (specifier: string): boolean => /\.(ts|json)$/.test(specifier) && specifier !== "../package.json";

/** Folder (or file) → what of `src/` it may import besides itself. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  "clock.ts": [],
  "random.ts": [],
  "log.ts": [],
  config: ["api", "cli"],
  api: [],
  decide: ["api"],
  kube: ["api", "clock.ts", "random.ts", "log.ts"],
  observe: ["api", "decide", "clock.ts", "log.ts"],
  jobs: ["api", "decide", "clock.ts", "random.ts", "log.ts"],
  grove: ["api", "kube", "clock.ts", "random.ts", "log.ts"],
  autoscaler: ["api", "decide", "kube", "observe", "jobs", "grove", "clock.ts", "random.ts", "log.ts"],
  server: ["api", "decide", "kube", "autoscaler", "jobs", "clock.ts", "log.ts"],
  initc: ["api", "kube", "server", "clock.ts", "random.ts", "log.ts"],
  sim: ["api", "decide", "kube", "observe", "clock.ts", "random.ts", "log.ts"],
  peers: [],
  trial: ["api", "decide", "peers", "observe", "jobs", "grove", "autoscaler", "sim", "clock.ts", "random.ts", "log.ts"],
  report: ["trial"],
  cli: [
    "api",
    "decide",
    "kube",
    "observe",
    "jobs",
    "grove",
    "autoscaler",
    "server",
    "clock.ts",
    "random.ts",
    "log.ts",
    "config",
  ],
  "main.ts": ["cli", "clock.ts"],
};

/** Composition roots: they may know the embedded world too. */
const MAY_USE_SIM = [/^cli\/(demo|simulate)\//];

/** npm packages of the pure parts. */
const PURE_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  decide: ["simple-statistics"],
  peers: ["simple-statistics"],
  api: ["croner", "yaml"],
};
/** What tests share may draw its cases with their tools. */
const isNoFixture = ({ path }: { readonly path: string }): boolean => !path.endsWith(".fixture.ts");

const isPure = ({ path }: Source): boolean =>
  (/^(api|decide|peers)\//.test(path) && path !== "api/crds/write.ts") ||
  /^grove\/.*\/(plan|status|compose|victims|gates)\.ts$/.test(path);

describe("import arrows", () => {
  test("the tree was read", () => expect(sources.length).toBeGreaterThan(150));

  test("every folder under src is in the table", () => {
    expect([...new Set(sources.map(({ path }) => folderOf(path)))].filter((folder) => !(folder in ARROWS))).toEqual([]);
  });

  test("each file imports only what its folder may", () => {
    const wrong = sources.flatMap((source) => {
      const folder = folderOf(source.path);
      const allowed = new Set([folder, ...(ARROWS[folder] ?? [])]);
      if (MAY_USE_SIM.some((root) => root.test(source.path))) {
        for (const one of ["sim", "peers", "trial", "report"]) allowed.add(one);
      }
      return source.imports
        .filter(isOwn)
        .filter((path) => !allowed.has(folderOf(path)))
        .map((path) => `${source.path} -> ${path}`);
    });
    expect(wrong).toEqual([]);
  });

  test("autoscaler and sim take names and labels from grove, never its controllers", () => {
    const wrong = sources
      .filter(({ path }) => /^(autoscaler|sim|trial)\//.test(path))
      .flatMap(({ path, imports }) =>
        imports
          .filter((one) => one.startsWith("grove/") && !/^grove\/(names|labels|pod-clique\/victims)\.ts$/.test(one))
          .map((one) => `${path} -> ${one}`),
      );
    expect(wrong).toEqual([]);
  });

  test("pure files import no adapter, no node module, and only the packages named for them", () => {
    const wrong = sources
      .filter(isPure)
      .filter(isNoFixture)
      .flatMap(({ path, imports }) =>
        imports
          .filter((specifier) => !isOwn(specifier))
          .filter((specifier) => !(PURE_PACKAGES[folderOf(path)] ?? []).includes(specifier))
          .map((specifier) => `${path} -> ${specifier}`),
      );
    expect(wrong).toEqual([]);
  });
});

describe("bans", () => {
  const BANNED: readonly { readonly what: RegExp; readonly except: RegExp; readonly why: string }[] = [
    { what: /\bMath\.random\s*\(/, except: /^random\.ts$/, why: "take a Random" },
    { what: /\bDate\.now\s*\(|\bnew Date\b/, except: /^clock\.ts$|^api\/kubernetes\/time\.ts$/, why: "take a Clock" },
    { what: /\bset(?:Timeout|Interval|Immediate)\s*\(/, except: /^clock\.ts$/, why: "take a Clock" },
    { what: /\bperformance\.now\s*\(/, except: /^clock\.ts$/, why: "take a Clock" },
    {
      what: /\bprocess\.env\b/,
      except: /^cli\/|^kube\/credentials\.ts$|^initc\/main\.ts$/,
      why: "take configuration as an argument",
    },
    { what: /\bconsole\.\w+\s*\(/, except: /^$/, why: "take a Logger or a Terminal" },
    { what: /:\s*any\b|\bas any\b/, except: /^$/, why: "no any" },
  ];
  test.each(BANNED)("$what: $why", ({ what, except }) => {
    const code = (text: string): string =>
      text
        .replace(/\/\*[\s\S]*?\*\//g, "")
        .replace(/\/\/.*$/gm, "")
        .replace(/`[^`]*`|"[^"\n]*"/g, '""');
    expect(
      sources.filter(({ path, text }) => !except.test(path) && what.test(code(text))).map(({ path }) => path),
    ).toEqual([]);
  });
});
