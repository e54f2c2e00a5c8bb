/** What `.ci/run` says in the end. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";

type Status = "passed" | "failed" | "skipped";
interface File {
  readonly name: string;
  readonly status?: "passed" | "failed";
  readonly message?: string;
  readonly tests: readonly Status[];
}

const GREEN: File = { name: "/repo/src/a.test.ts", tests: ["passed", "passed"] };
const REAL: File = { name: "/repo/test/real/b.test.ts", tests: ["passed"] };

test.each<{ name: string; files: readonly File[]; code?: number; problems?: number; says: string; exit: number }>([
  { name: "all green", files: [GREEN, REAL], says: "3 passed, 0 failed", exit: 0 },
  {
    name: "a unit test may be skipped",
    files: [{ ...GREEN, tests: ["passed", "skipped"] }, REAL],
    says: "2 passed, 0 failed, 1 skipped",
    exit: 0,
  },
  {
    name: "a failed test counts once",
    files: [{ ...GREEN, status: "failed", tests: ["passed", "failed"] }],
    code: 1,
    says: "1 passed, 1 failed",
    exit: 1,
  },
  {
    name: "a real file may not be skipped",
    files: [GREEN, { ...REAL, tests: ["skipped", "skipped"] }],
    says: "2 passed, 1 failed, 2 skipped",
    exit: 1,
  },
  {
    name: "a file that cannot be loaded is a failure",
    files: [GREEN, { ...REAL, status: "failed", message: "no kube-apiserver", tests: [] }],
    code: 1,
    says: "2 passed, 1 failed",
    exit: 1,
  },
  {
    name: "a hook that throws is a failure",
    files: [GREEN, { ...REAL, status: "failed", tests: ["skipped"] }],
    code: 1,
    says: "2 passed, 1 failed, 1 skipped",
    exit: 1,
  },
  { name: "an error outside of tests is a failure", files: [GREEN], code: 1, says: "2 passed, 1 failed", exit: 1 },
  { name: "a part that ran no test is a failure", files: [], code: 0, says: "0 passed, 1 failed", exit: 1 },
  { name: "what went wrong before counts", files: [GREEN], problems: 1, says: "2 passed, 1 failed", exit: 1 },
])("$name", ({ files, code = 0, problems = 0, says, exit }) => {
  const folder = mkdtempSync(join(tmpdir(), "grove-count-"));
  try {
    const testResults = files.map(({ name, status = "passed", message = "", tests }) => ({
      name,
      status,
      message,
      assertionResults: tests.map((one) => ({ status: one })),
    }));
    writeFileSync(join(folder, "unit.json"), JSON.stringify({ testResults }));
    writeFileSync(join(folder, "unit.code"), `${code}\n`);
    const program = join(import.meta.dirname, "../../.ci/count.mjs");
    const { stdout, status } = spawnSync(process.execPath, [program, folder, String(problems), "unit"], {
      encoding: "utf8",
    });
    expect(stdout.trimEnd().split("\n").at(-1)).toBe(says);
    expect(status).toBe(exit);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
