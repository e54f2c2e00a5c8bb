/** A recorded run of the whole system, decided again from the record alone. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SCALING_OVERRIDES } from "../../src/api/autoscaling/scaling-override.ts";
import { formatTime } from "../../src/api/kubernetes/time.ts";
import { inProcessQueue } from "../../src/jobs/evaluation-queue.ts";
import { recordEvaluations } from "../../src/jobs/recorder.ts";
import { RecordingError, startReplay } from "../../src/jobs/recording.ts";
import { openRecording } from "../../src/jobs/recording-file.ts";
import { silentLogger } from "../../src/log.ts";
import { seededRandom } from "../../src/random.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { runCli } from "../cli/cli.ts";
import { simulate } from "./simulation.ts";

const LENGTHS = { input: { medianTokens: 1_000, spreadP90: 2 }, output: { medianTokens: 900, spreadP90: 1.8 } };

let folder = "";
let lines: readonly string[] = [];
const file = (name: string, content: string): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "recording-"));
  lines = await recordRun();
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Up, down, latency goals, an override and a restart in the middle. */
async function recordRun(): Promise<readonly string[]> {
  const path = join(folder, "observations.jsonl");
  const recording = openRecording({ file: path, maxBytes: 1e9, log: silentLogger });
  const simulation = await simulate({
    seed: 11,
    example: "prefill-decode-slo",
    evaluations: recordEvaluations(inProcessQueue(), recording),
  });
  const { clock, world, policy } = simulation;
  await simulation.untilAvailable();
  const traffic = [
    { durationSeconds: 300, requestsPerSecond: constant(30), ...LENGTHS },
    { durationSeconds: 300, requestsPerSecond: constant(2), ...LENGTHS },
  ];
  simulation.attach(generateTraffic(traffic, seededRandom(3)));
  await clock.advance(240_000);
  await simulation.restart();
  await clock.advance(120_000);
  await world.api.create(SCALING_OVERRIDES, {
    apiVersion: "autoscaling.grove.io/v1alpha1",
    kind: "ScalingOverride",
    metadata: { namespace: policy.metadata.namespace ?? "", name: "hold" },
    spec: {
      policyRef: { name: policy.metadata.name },
      scaleTargets: { decode: { minReplicas: 5 } },
      expiresAt: formatTime(clock.nowMs() + 60_000),
      reason: "a test",
      force: false,
    },
  });
  await clock.advance(600_000);
  simulation.stop();
  recording.close();
  return readFileSync(path, "utf8").trimEnd().split("\n");
}

interface Line {
  observation: { gpusInUse: number; targets: { metrics: unknown[] }[] };
  decision: { outcome: string };
  memory?: unknown;
  policy?: unknown;
  recording: number;
}
const parsed = (line: string | undefined): Line => JSON.parse(line ?? "") as Line;

describe("a recorded run", () => {
  test("decided again gives every decision byte for byte", () => {
    const replay = startReplay();
    const turns = lines.map((line) => replay.next(line));
    expect(turns.length).toBeGreaterThan(60);
    expect(turns.filter(({ recorded }) => recorded !== undefined)).toEqual([]);
    expect(new Set(turns.map(({ decision }) => decision.outcome))).toContain("Scaled");
    expect(lines.some((line) => line.includes('"name":"hold"'))).toBe(true);
  });

  test("says the policy once, and the memory where something came between two decisions", () => {
    expect(lines.filter((line) => parsed(line).policy !== undefined)).toHaveLength(1);
    const withMemory = lines.filter((line) => parsed(line).memory !== undefined).length;
    const written = lines.filter((line) => parsed(line).decision.outcome === "Scaled").length;
    expect(withMemory).toBeLessThanOrEqual(written + 2);
  });

  test("another observation is another decision, and the replay says so", () => {
    const replay = startReplay();
    const changed = lines.map((line, index) => {
      if (index !== 20) return line;
      const { observation, ...rest } = parsed(line);
      return JSON.stringify({ ...rest, observation: { ...observation, gpusInUse: observation.gpusInUse + 1 } });
    });
    const differing = changed.map((line) => replay.next(line)).filter(({ recorded }) => recorded !== undefined);
    expect(differing.length).toBeGreaterThan(0);
  });

  test("what is no recording is refused with the reason", () => {
    const next = (line: string) => () => startReplay().next(line);
    expect(next("{")).toThrow(RecordingError);
    expect(next("[]")).toThrow('it has no field "recording"');
    expect(next('{"recording":99}')).toThrow("this program replays version 3");
    expect(next('{"recording":3,"key":"a/b"}')).toThrow('it needs "key", "observation" and "decision"');
    expect(next(lines[3] ?? "")).toThrow("must be replayed from its first line");
  });
});

describe("plan --replay", () => {
  const replay = (path: string, ...more: readonly string[]) => runCli(["plan", "--replay", path, ...more]);

  test("prints each decision, and exits with 0 when all are as recorded", async () => {
    const { out, err, code } = await replay(file("whole.jsonl", `${lines.join("\n")}\n`));
    expect(code).toBe(0);
    expect(err.trim()).toBe(`${lines.length} decisions replayed, all as recorded`);
    expect(out.trim().split("\n")).toHaveLength(lines.length);
    expect(out).toMatch(/#\d+ Scaled: decode \d→\d/);
    const json = await replay(join(folder, "whole.jsonl"), "-o", "json");
    const decisions = json.out.trim().split("\n");
    expect(decisions.map((line) => (JSON.parse(line) as Line).decision)).toEqual(
      lines.map((line) => parsed(line).decision),
    );
  });

  test("a decision that comes out otherwise is shown with its first difference, exit code 1", async () => {
    const changed = lines.map((line, index) =>
      index === 30 ? line.replace(/"outcome":"\w+"/, '"outcome":"Failed"') : line,
    );
    const { out, err, code } = await replay(file("changed.jsonl", changed.join("\n")));
    expect({ code, err: err.trim() }).toEqual({
      code: 1,
      err: `${lines.length} decisions replayed, 1 not as recorded`,
    });
    expect(out).toContain("not as recorded, first at outcome");
  });

  test("half a last line is left out and said; a broken line before it is refused by number", async () => {
    const cut = await replay(file("cut.jsonl", lines.join("\n").slice(0, -40)));
    expect(cut.code).toBe(0);
    expect(cut.err).toContain(`the last line was left out, it is not whole (line ${lines.length}: not JSON`);
    const broken = await replay(file("broken.jsonl", [lines[0], "{", ...lines.slice(1)].join("\n")));
    expect(broken.code).toBe(2);
    expect(broken.err).toContain("line 2: not JSON");
  });

  test("an empty file, a missing one, and one with -f beside it are mistakes, exit code 2", async () => {
    expect(await replay(file("empty.jsonl", ""))).toMatchObject({ code: 2, err: expect.stringContaining("is empty") });
    expect(await replay(join(folder, "nowhere"))).toMatchObject({
      code: 2,
      err: expect.stringContaining("nowhere: there is no such file: check the path"),
    });
    expect(await replay(join(folder, "whole.jsonl"), "-f", "policy.yaml")).toMatchObject({ code: 2 });
    expect(await runCli(["plan"])).toMatchObject({ code: 2, err: expect.stringContaining("--replay FILE") });
  });
});

describe("the file of a recording", () => {
  test("goes on after a kill without the half line, and stands alone when it was full", async () => {
    const path = file("killed.jsonl", `${lines.slice(0, 10).join("\n")}\n${(lines[10] ?? "").slice(0, 50)}`);
    openRecording({ file: path, maxBytes: 1e9, log: silentLogger }).close();
    expect(readFileSync(path, "utf8")).toBe(`${lines.slice(0, 10).join("\n")}\n`);

    const small = join(folder, "small.jsonl");
    const sink = openRecording({ file: small, maxBytes: 40_000, log: silentLogger });
    const queue = recordEvaluations(inProcessQueue(), sink);
    const replay = startReplay();
    const recorded = lines.map((line) => ({ line: parsed(line), turn: replay.next(line) }));
    let policy: unknown;
    let memory: unknown;
    for (const { line } of recorded.slice(0, 60)) {
      policy = line.policy ?? policy;
      memory = line.memory ?? memory;
      const { observation } = line;
      const result = await queue.evaluate({ key: "a/b", policy, observation, memory } as never);
      memory = result.memory;
    }
    sink.close();
    for (const one of [small, `${small}.1`]) {
      const again = startReplay();
      const kept = readFileSync(one, "utf8").trimEnd().split("\n");
      expect(kept.map((line) => again.next(line)).filter((turn) => turn.recorded !== undefined)).toEqual([]);
      expect(readFileSync(one).length).toBeLessThanOrEqual(40_000);
    }
  });
});
