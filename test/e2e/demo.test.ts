/** The demo as a person starts it: a process, its output and its exit code. */
import { type ChildProcess, execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "../cli/cli.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "grove-demo-test-"));
const alive = new Set<ChildProcess>();
afterAll(() => {
  for (const child of alive) child.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function demo(...args: string[]): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["src/main.ts", "demo", ...args],
      { cwd: ROOT, timeout: 150_000 },
      (_, stdout, stderr) => {
        alive.delete(child);
        resolve({ code: child.exitCode, stdout, stderr });
      },
    );
    alive.add(child);
  });
}

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** It takes its 45 s of real time whatever else is done: it runs while the others do, and is looked at last. */
let day: Promise<Result>;
beforeAll(() => {
  day = demo("--headless", "--for", "45s", "--speed", "30", "--seed", "1");
});

describe("demo", { shuffle: false }, () => {
  describe("bad input is one line that says what to do, and exit code 2", () => {
    test("of the process too", async () => {
      const { code, stdout, stderr } = await demo("--speed", "fast");
      expect(stderr).toMatch(/^error: --speed: "fast" is not a number above 0.*\n$/);
      expect(stdout).toBe("");
      expect(code).toBe(2);
    });

    test.each([
      { name: "duration", args: ["--for", "90"], want: /--for: "90" is not a duration such as 90s/ },
      { name: "unknown option", args: ["--sped", "3"], want: /unknown option '--sped'.*--speed/s },
      {
        name: "missing trace",
        args: ["--trace", "nowhere.csv.gz"],
        want: /--trace: cannot read nowhere\.csv\.gz: there is no such file/,
      },
      {
        name: "bad trace row",
        args: () => ["--trace", file("bad.csv", "0,100,10\n1,many,10\n")],
        want: /bad\.csv: line 2: expected arrival_seconds/,
      },
      { name: "missing policy", args: ["--policy", "nowhere.yaml"], want: /cannot read nowhere\.yaml/ },
      {
        name: "no policy inside",
        args: () => ["--policy", file("empty.yaml", "a: b\n")],
        want: /every object needs apiVersion, kind and metadata\.name/,
      },
      {
        name: "invalid policy",
        args: () => [
          "--policy",
          file(
            "invalid.yaml",
            "apiVersion: autoscaling.grove.io/v1alpha1\nkind: ScalingPolicy\nmetadata: {name: x}\nspec:\n  targetRef: {name: llama-70b}\n  scaleTargets:\n  - {name: decode, level: PodCliqueScalingGroup, ref: decode, minReplicas: 5, maxReplicas: 2}\n",
          ),
        ],
        want: /spec\.scaleTargets\[0\]\.minReplicas: must not be above maxReplicas \(2\)/,
      },
      {
        name: "policy of another workload",
        args: () => [
          "--policy",
          file(
            "other.yaml",
            "apiVersion: autoscaling.grove.io/v1alpha1\nkind: ScalingPolicy\nmetadata: {name: x, namespace: serving}\nspec:\n  targetRef: {name: other}\n  scaleTargets:\n  - {name: decode, level: PodCliqueScalingGroup, ref: decode, maxReplicas: 2}\n",
          ),
        ],
        want: /spec\.targetRef\.name: the policy scales serving\/other.*give both --policy and --workload/,
      },
    ])("$name", async ({ args, want }) => {
      const { code, out, err } = await runCli(["demo", ...(typeof args === "function" ? args() : args)]);
      expect(err).toMatch(want);
      expect(err).not.toMatch(/\n\s+at /);
      expect(out).toBe("");
      expect(code).toBe(2);
    });
  });

  test("replays a trace of its own, and says so with exit code 1 when not every level had to move", async () => {
    const rows = Array.from({ length: 40 }, (_, second) => `${second},500,50`);
    const trace = file("trace.csv", `arrival_seconds,input_tokens,output_tokens\n${rows.join("\n")}\n`);
    const { code, stdout } = await demo("--headless", "--for", "9s", "--speed", "30", "--trace", trace);
    const summary = JSON.parse(stdout);
    expect(summary.requests.arrived).toBe(40);
    expect(summary.problems).toContain("PodCliqueSet never scaled up");
    expect(code).toBe(1);
  });

  test("scales every level up and down, breaks no invariant, prints its summary and exits 0", {
    timeout: 180_000,
  }, async () => {
    const { code, stdout, stderr } = await day;
    const summary = JSON.parse(stdout);
    expect(summary.problems).toEqual([]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/^export KUBECONFIG=\S+kubeconfig$/m);
    expect(summary).toMatchObject({
      ok: true,
      seed: 1,
      speed: 30,
      ratioViolationSeconds: 0,
      floorViolationSeconds: 0,
      budgetViolationSeconds: 0,
    });
    expect(summary.requests.arrived).toBeGreaterThan(1_000);
    expect(summary.gpuHours).toBeGreaterThan(1);
  });
});
