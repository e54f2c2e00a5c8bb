/** With `CI=true` the real tier cannot be green for want of the real thing. */
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

interface Report {
  readonly numPassedTests: number;
  readonly testResults: readonly { readonly name: string; readonly status: string; readonly message: string }[];
}

test("on a machine without a control plane, Prometheus and Redis every file fails and says what is missing", async () => {
  const empty = mkdtempSync(join(tmpdir(), "grove-ci-"));
  try {
    const report = join(empty, "report.json");
    const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
    const code = await new Promise((resolve) => {
      execFile(
        process.execPath,
        [vitest, "run", "--project", "real*", "--no-isolate", "--reporter=json", `--outputFile=${report}`],
        { cwd: ROOT, env: { CI: "true", PATH: empty, HOME: empty, XDG_CACHE_HOME: empty } },
        (error) => resolve(error?.code ?? 0),
      );
    });
    expect(code).toBe(1);
    const { numPassedTests, testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
    expect(numPassedTests).toBe(0);
    const files = readdirSync(join(ROOT, "test/real"), { recursive: true, encoding: "utf8" });
    expect(testResults.map(({ name }) => name).sort()).toEqual(
      files
        .filter((name) => name.endsWith(".test.ts"))
        .map((name) => join(ROOT, "test/real", name))
        .sort(),
    );
    for (const { name, status, message } of testResults) {
      expect([name, status]).toEqual([name, "failed"]);
      expect(message).toMatch(/KUBEBUILDER_ASSETS|not installed|no kubectl/);
    }
  } finally {
    rmSync(empty, { recursive: true });
  }
}, 120_000);
