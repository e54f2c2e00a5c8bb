/**
 * Adds up vitest's JSON reports: `count.mjs FOLDER PROBLEMS NAME...` reads FOLDER/NAME.json and FOLDER/NAME.code, the exit code of that run.
 *
 * A file that fails without a failed test (it could not be loaded, a hook threw) is one failure, so is a run that ended badly without saying where, and
 * so is each file under test/real that skipped a test: there is no excuse for it in CI.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

const [folder = "", problems = "0", ...names] = process.argv.slice(2);
const total = { passed: 0, failed: Number(problems), skipped: 0 };
const complain = (text) => {
  total.failed++;
  process.stdout.write(`failed: ${text}\n`);
};

for (const name of names) {
  const failedBefore = total.failed;
  const report = join(folder, `${name}.json`);
  const files = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")).testResults : [];
  for (const { name: path, status, message, assertionResults } of files) {
    const count = (...kinds) => assertionResults.filter((result) => kinds.includes(result.status)).length;
    const failed = count("failed");
    const skipped = count("skipped", "pending", "todo", "disabled");
    total.passed += count("passed");
    total.failed += failed;
    total.skipped += skipped;
    if (status === "failed" && failed === 0) complain(`${path}: ${message || "the file as a whole"}`);
    else if (path.includes("/test/real/") && skipped > 0 && failed === 0) complain(`${path} skipped ${skipped} tests`);
    else if (assertionResults.length === 0) complain(`${path} holds no test`);
  }
  const code = readFileSync(join(folder, `${name}.code`), "utf8").trim();
  if (files.length === 0) complain(`${name}: no test ran`);
  else if (code !== "0" && total.failed === failedBefore) complain(`${name}: ended with ${code}`);
}

const { passed, failed, skipped } = total;
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}\n`);
process.exitCode = failed > 0 ? 1 : 0;
