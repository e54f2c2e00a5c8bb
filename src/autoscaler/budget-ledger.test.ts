import { describe, expect, test } from "vitest";
import type { GPUBudget } from "../api/autoscaling/gpu-budget.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { Decision } from "../decide/decision.ts";
import { BudgetLedger } from "./budget-ledger.ts";

const budget = { metadata: { name: "gpus" }, spec: { capacity: 64, reserve: 0, members: [] } } as unknown as GPUBudget;
const policy = (name: string): ScalingPolicy =>
  ({ metadata: { namespace: "ns", name }, spec: { gpuBudget: { priority: 0 } } }) as unknown as ScalingPolicy;
/** Wants `most` GPUs for all of its demand. */
const decision = (most: number): Decision =>
  ({
    offer: {
      minGpus: 2,
      curve: [
        [0, 2],
        [1, most],
      ],
    },
    budget: { gpusUsed: 0, gpusRequested: most },
  }) as unknown as Decision;

describe("a shared budget", () => {
  test("before its first offer a policy keeps what it has", () => {
    expect(new BudgetLedger().granted(policy("a"), budget, 10)).toBe(10);
  });

  test("what another one holds beyond its share cannot be given away", () => {
    const ledger = new BudgetLedger();
    ledger.record(policy("a"), budget, decision(60), 4);
    ledger.record(policy("paused"), budget, decision(4), 40);
    expect(ledger.granted(policy("a"), budget, 4)).toBe(24);
    // What it has already is not taken away for that.
    expect(ledger.granted(policy("a"), budget, 30)).toBe(30);
  });

  test("what is held by policies without an offer is not there for the others", () => {
    const ledger = new BudgetLedger();
    ledger.record(policy("a"), budget, decision(60), 4);
    expect(ledger.granted(policy("a"), budget, 4)).toBe(60);
    expect(ledger.granted(policy("a"), budget, 4, 50)).toBeLessThanOrEqual(14);
  });

  test("a policy that went to another budget leaves nothing behind", () => {
    const ledger = new BudgetLedger();
    ledger.record(policy("a"), budget, decision(60), 60);
    const other = { ...budget, metadata: { name: "other" } } as GPUBudget;
    expect(ledger.granted(policy("a"), other, 5)).toBe(5);
    ledger.record(policy("a"), other, decision(60), 60);
    expect(ledger.status(budget).members).toEqual([]);
  });
});
