/** A policy whose condition flaps each tick, for an hour of virtual time. */
import { describe, expect, test } from "vitest";
import { VirtualClock } from "../clock.ts";
import type { Decision } from "../decide/decision.ts";
import { Plant, policyOf } from "../decide/plant.fixture.ts";
import { EventLimiter, eventsOf, type PolicyEvent } from "./policy-events.ts";
import type { DoneWrite, GateResult } from "./write-gate.ts";

const TICK_MS = 15_000;
const HOUR_MS = 3_600_000;

/** Decides each tick of an hour and counts what is said. */
async function anHour(
  act: (plant: Plant, tick: number) => void,
  gateOf: (decision: Decision, tick: number) => GateResult = () => ({ written: [] }),
): Promise<ReadonlyMap<string, readonly PolicyEvent[]>> {
  const clock = new VirtualClock();
  const limiter = new EventLimiter();
  const plant = new Plant({ replicas: [2, 4], loads: [2, 4] });
  const said: PolicyEvent[] = [];
  let before: Decision | undefined;
  for (let tick = 0; tick * TICK_MS < HOUR_MS; tick++) {
    act(plant, tick);
    plant.nowMs = clock.monotonicMs();
    const decision = plant.tick(policyOf({ gpuBudgetMax: 6 }));
    const events = limiter.admit("ml/llm", eventsOf(decision, before, gateOf(decision, tick)), clock.monotonicMs());
    expect(new Set(events.map(({ reason }) => reason)).size).toBe(events.length);
    said.push(...events);
    before = decision;
    await clock.advance(TICK_MS);
  }
  return Map.groupBy(said, ({ reason }) => reason);
}

describe("a condition that flaps each tick for an hour", () => {
  test("metrics that come and go are said once in ten minutes", async () => {
    const said = await anHour((plant, tick) => {
      plant.reading = (load) =>
        tick % 2 === 1
          ? { kind: "Error", reason: "Unreachable", message: `no answer, attempt ${tick}` }
          : { kind: "Total", sample: { value: load, ageMs: 0 } };
    });
    expect(said.get("MetricsUnavailable")?.length).toBe(6);
  });

  test("a budget that is in the way and is not", async () => {
    const said = await anHour((plant, tick) => {
      plant.loads = tick % 2 === 1 ? [4, 8] : [2, 4];
    });
    expect(said.get("Limited")?.length).toBe(6);
  });

  test("a write that fails each tick, and a new reason at once", async () => {
    const said = await anHour(
      () => undefined,
      (_, tick) => ({
        written: [],
        refusal: { reason: tick < 100 ? "Failed" : "PermissionDenied", message: `attempt ${tick}` },
      }),
    );
    const failed = said.get("ScaleFailed") ?? [];
    expect(failed.length).toBeLessThanOrEqual(7);
    expect(failed.map(({ message }) => message)).toContain("PermissionDenied: attempt 100");
  });

  test("more different things than a person can read are cut as well", async () => {
    const limiter = new EventLimiter();
    let said = 0;
    for (let atMs = 0; atMs < HOUR_MS; atMs += TICK_MS) {
      const event = { type: "Warning", reason: "ForeignWrite", message: `x was set to ${atMs}` } as const;
      said += limiter.admit("ml/llm", [event, { ...event, message: `y was set to ${atMs}` }], atMs).length;
    }
    // Three within ten minutes, of which two come in one event.
    expect(said).toBe(12);
  });

  test("replicas that really change are said each time", async () => {
    const write: DoneWrite = {
      target: "decode",
      level: "PodCliqueScalingGroup",
      objectName: "llm-0-decode",
      resourceVersion: "1",
      writtenVersion: "2",
      setIndex: 0,
      from: 4,
      to: 5,
      gpusPerReplica: 1,
    };
    const said = await anHour(
      () => undefined,
      (_, tick) => ({ written: [tick % 2 === 0 ? write : { ...write, from: 5, to: 4 }] }),
    );
    expect([said.get("ScaledUp")?.length, said.get("ScaledDown")?.length]).toEqual([120, 120]);
  });
});
