import { describe, expect, test } from "vitest";
import { VirtualClock } from "../../clock.ts";
import { noRuntimeMetrics } from "../../kube/runtime-metrics.ts";
import { watchTurns } from "./liveness.ts";

const TURNS = "policies";

function start() {
  const clock = new VirtualClock();
  const liveness = watchTurns({ clock, controller: TURNS, turnTimeoutMs: 30_000 });
  return { clock, liveness, metrics: liveness.watching(noRuntimeMetrics) };
}

describe("a leader is alive as long as turns come", () => {
  test.each([
    { intervals: ["15s", "1h"], silentMs: 300_000, ok: true },
    { intervals: ["15s", "1h"], silentMs: 300_001, ok: false },
    // A policy of before there was a limit.
    { intervals: ["24h", undefined], silentMs: 300_001, ok: false },
    { intervals: ["1h"], silentMs: 3 * 3_600_000, ok: true },
    { intervals: ["1h"], silentMs: 3 * 3_600_000 + 1, ok: false },
    { intervals: [], silentMs: 86_400_000, ok: true },
  ])("$intervals silent for $silentMs ms: $ok", async ({ intervals, silentMs, ok }) => {
    const { clock, liveness } = start();
    await clock.advance(1_000_000);
    liveness.begin();
    await clock.advance(silentMs);
    expect(liveness.verdict(intervals).ok).toBe(ok);
  });

  test.each([
    { name: "turns that succeed", controller: TURNS, result: "requeue_after", seconds: 40, ok: true },
    { name: "turns that fail for ever", controller: TURNS, result: "error", seconds: 0.1, ok: true },
    {
      name: "turns that are all given up at their time limit",
      controller: TURNS,
      result: "error",
      seconds: 30,
      ok: false,
    },
    { name: "what other controllers do", controller: "pods", result: "success", seconds: 0.1, ok: false },
  ] as const)("after an hour of $name", async ({ controller, result, seconds, ok }) => {
    const { clock, liveness, metrics } = start();
    for (let turn = 0; turn < 60; turn++) {
      await clock.advance(60_000);
      metrics.reconciled(controller, result, seconds);
    }
    const verdict = liveness.verdict(["15s"]);
    expect(verdict.ok).toBe(ok);
    if (!ok) expect(verdict.text).toBe("no turn of any policy for 3600 s, more than 300 s");
  });
});
