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

test("what is held for want of a measurement is no load: the one that is known is forecast", () => {
  const held = queue(6, { reason: "MetricUnknown", holdsDown: true, isHold: true, isUnknown: true });
  const { isBacklog: _, ...metric } = held;
  expect(joinSlo(metric, slo(4), whole(6))).toMatchObject({
    replicas: 6,
    flowReplicas: 4,
    isHold: true,
    isUnknown: false,
    holdsDown: true,
  });
});

test("a load that is remembered shrinks nothing, whichever asks for more", () => {
  expect(joinSlo(queue(2), slo(5, { isHeld: true }), whole(8)).holdsDown).toBe(true);
  expect(joinSlo(queue(6), slo(5, { isHeld: true }), whole(8)).holdsDown).toBe(true);
  expect(joinSlo(queue(6), slo(5), whole(8)).holdsDown).toBe(false);
});
