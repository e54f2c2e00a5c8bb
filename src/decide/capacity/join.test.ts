import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Demand } from "../demand.ts";
import { joinSlo } from "./join.ts";
import type { SloTerm } from "./slo-term.ts";

const queue = (replicas: number, more: Partial<Demand> = {}): Demand => ({
  replicas,
  reason: "Metric",
  detail: `waitingRequests asks for ${replicas}`,
  holdsDown: false,
  isHold: false,
  isUnknown: false,
  isBacklog: true,
  metrics: [],
  ...more,
});
const slo = (replicas: number, more: object = {}): SloTerm => ({
  kind: "Known",
  replicas,
  flowReplicas: replicas,
  value: 1,
  capacity: 1,
  detail: "the load",
  isMissed: false,
  ...more,
});
const whole = (current: number) => ({ current, ready: current, starting: 0, pending: 0 });

describe("a queue beside a load that is known", () => {
  test("while what was ordered is on its way it orders nothing", () => {
    const joined = joinSlo(queue(9), slo(3), { current: 6, ready: 4, starting: 2, pending: 0 });
    expect(joined).toMatchObject({
      replicas: 6,
      reason: "BacklogLimited",
      detail: "waitingRequests asks for 9; what waits is in the load already, and replicas are on their way",
    });
    expect(joinSlo(queue(9), slo(3), { current: 6, ready: 6, starting: 0, pending: 1 }).replicas).toBe(6);
  });

  test("with everything ready it adds a quarter, at least one", () => {
    expect(joinSlo(queue(40), slo(3), whole(12))).toMatchObject({
      replicas: 15,
      reason: "BacklogLimited",
      detail: "waitingRequests asks for 40; what waits is in the load already, a quarter more than serve",
    });
    expect(joinSlo(queue(40), slo(2), whole(2)).replicas).toBe(3);
    expect(joinSlo(queue(12.5), slo(3), whole(12))).toMatchObject({ replicas: 12.5, reason: "Metric" });
  });

  test("what the load or another metric asks for is never cut", () => {
    expect(joinSlo(queue(40), slo(20), whole(4))).toMatchObject({ replicas: 20, reason: "BacklogLimited" });
    expect(joinSlo(queue(40, { flowReplicas: 25 }), slo(20), whole(4)).replicas).toBe(25);
    const { isBacklog: _, ...rate } = queue(40);
    expect(joinSlo(rate, slo(3), whole(4)).replicas).toBe(40);
  });

  test("where the load is not known the queue has its way", () => {
    expect(joinSlo(queue(9), { kind: "Unknown", detail: "" }, whole(4)).replicas).toBe(9);
    expect(joinSlo(queue(9), { kind: "Silent", reason: "Learning", detail: "" }, whole(4)).replicas).toBe(9);
  });

  test("law: never more than the queue asks for, nor less than the load", () => {
    const count = fc.integer({ min: 0, max: 40 });
    fc.assert(
      fc.property(count, count, count, count, (asked, needed, ready, starting) => {
        const totals = { current: ready + starting, ready, starting, pending: 0 };
        const { replicas } = joinSlo(queue(asked), slo(needed), totals);
        expect(replicas).toBeGreaterThanOrEqual(needed);
        expect(replicas).toBeLessThanOrEqual(Math.max(asked, needed));
        if (starting > 0) expect(replicas).toBeLessThanOrEqual(Math.max(ready + starting, needed));
      }),
    );
  });
});

describe("what a forecast may go by", () => {
  test("the load that comes, and metrics that are no queue", () => {
    expect(joinSlo(queue(9), slo(5, { flowReplicas: 3 }), whole(8)).flowReplicas).toBe(3);
    expect(joinSlo(queue(9, { flowReplicas: 4 }), slo(5, { flowReplicas: 3 }), whole(8)).flowReplicas).toBe(4);
    const { isBacklog: _, ...rate } = queue(9);
    expect(joinSlo(rate, slo(5, { flowReplicas: 3 }), whole(8)).flowReplicas).toBe(9);
  });
});

test("load is what the engines have and other metrics ask for; what a queue asks for beyond has piled up", () => {
  const flow = { flowReplicas: 25, loadReplicas: 25 };
  const loadOf = (demand: Demand, term: SloTerm, current = 40): number | undefined =>
    joinSlo(demand, term, whole(current)).loadReplicas;
  expect(loadOf(queue(40, flow), slo(20))).toBe(25);
  expect(loadOf(queue(40, flow), slo(30, { flowReplicas: 4 }))).toBe(30);
  expect(loadOf(queue(40), slo(20))).toBe(20);
  // The load itself asks for the most, whatever part of it runs already.
  expect(loadOf(queue(10, { flowReplicas: 5, loadReplicas: 5 }), slo(20, { flowReplicas: 2 }))).toBeUndefined();
  expect(loadOf(queue(30, flow), slo(20, { isMissed: true }))).toBeUndefined();
});

test("a load that is remembered shrinks nothing, whichever asks for more", () => {
  expect(joinSlo(queue(2), slo(5, { isHeld: true }), whole(8)).holdsDown).toBe(true);
  expect(joinSlo(queue(6), slo(5, { isHeld: true }), whole(8)).holdsDown).toBe(true);
  expect(joinSlo(queue(6), slo(5), whole(8)).holdsDown).toBe(false);
});
