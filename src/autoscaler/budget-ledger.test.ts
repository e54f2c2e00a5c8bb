import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { GPUBudget } from "../api/autoscaling/gpu-budget.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { Decision } from "../decide/decision.ts";
import { BudgetLedger } from "./budget-ledger.ts";

const budget = { metadata: { name: "gpus" }, spec: { capacity: 64, reserve: 0, members: [] } } as unknown as GPUBudget;
const policy = (name: string): ScalingPolicy =>
  ({
    metadata: { namespace: "ns", name },
    spec: { mode: "Active", gpuBudget: { priority: 0 } },
  }) as unknown as ScalingPolicy;
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
    expect(new BudgetLedger().granted(policy("a"), budget, 10).gpus).toBe(10);
  });

  test("what another one holds beyond its share cannot be given away", () => {
    const ledger = new BudgetLedger();
    ledger.record(policy("a"), budget, decision(60), 4);
    ledger.record(policy("paused"), budget, decision(4), 40);
    expect(ledger.granted(policy("a"), budget, 4).gpus).toBe(24);
    // What it has already is not taken away for that.
    expect(ledger.granted(policy("a"), budget, 30).gpus).toBe(30);
  });

  test("what one was granted in a turn that has not ended is not granted to another, whatever a new deal says", () => {
    const ledger = new BudgetLedger();
    const urgent = { ...policy("b"), spec: { mode: "Active", gpuBudget: { priority: 9 } } } as unknown as ScalingPolicy;
    ledger.record(policy("a"), budget, decision(50), 10);
    ledger.record(urgent, budget, decision(10), 10);
    const { gpus: granted } = ledger.granted(policy("a"), budget, 10);
    expect(granted).toBe(54);
    ledger.promise("ns/a", granted);
    ledger.record(urgent, budget, decision(50), 10);
    expect(ledger.granted(urgent, budget, 10).gpus).toBe(10);
    // Once it has decided, what it orders.
    ledger.promise("ns/a", 30);
    expect(ledger.granted(urgent, budget, 10).gpus).toBe(34);
    ledger.settle("ns/a");
    expect(ledger.granted(urgent, budget, 10).gpus).toBe(54);
  });

  test("a share is no limit: what nobody else has or is sure of may be used at once", () => {
    const ledger = new BudgetLedger();
    ledger.record(policy("a"), budget, decision(4), 4);
    ledger.record(policy("b"), budget, decision(20), 6);
    expect(ledger.granted(policy("a"), budget, 4).gpus).toBe(44);
    // More than it asked for last, and no overdraft while there is room.
    expect(ledger.granted(policy("a"), budget, 30).gpus).toBe(44);
    ledger.record(policy("b"), budget, decision(60), 20);
    expect(ledger.granted(policy("a"), budget, 30).gpus).toBe(4);
  });

  test.each(["Paused", "Advisory"])("one that is %s keeps what it holds, and nothing is kept free for it", (mode) => {
    const ledger = new BudgetLedger();
    const still = { ...policy("still"), spec: { mode, gpuBudget: { priority: 9 } } } as unknown as ScalingPolicy;
    ledger.record(still, budget, decision(60), 3);
    ledger.record(policy("a"), budget, decision(60), 10);
    expect(ledger.granted(policy("a"), budget, 10).gpus).toBe(61);
    expect(ledger.status(budget).members?.map(({ granted, requested }) => [granted, requested])).toEqual([
      [60, 60],
      [3, 60],
    ]);
  });

  test("what is held by policies without an offer is not there for the others", () => {
    const ledger = new BudgetLedger();
    ledger.record(policy("a"), budget, decision(60), 4);
    expect(ledger.granted(policy("a"), budget, 4).gpus).toBe(64);
    expect(ledger.granted(policy("a"), budget, 4, () => ({ gpus: 50 })).gpus).toBe(14);
  });

  test("while a member holds pods of unknown GPUs, no other grows, and it is named", () => {
    const ledger = new BudgetLedger();
    const uncounted = { ...decision(8), budget: { gpusUsed: 0, gpusRequested: 8, gpusUnknown: "pod b-0" } } as Decision;
    ledger.record(policy("a"), budget, decision(60), 4);
    ledger.record(policy("b"), budget, uncounted, 0);
    const unknown = "ScalingPolicy ns/b (pod b-0)";
    expect(ledger.granted(policy("a"), budget, 4)).toEqual({ gpus: 4, unknown });
    // The member itself is told of itself by its own decision.
    expect(ledger.granted(policy("a"), budget, 62)).toEqual({ gpus: 62, unknown });
    expect(ledger.granted(policy("b"), budget, 0)).not.toHaveProperty("unknown");
    expect(ledger.status(budget)).toEqual({
      requested: 68,
      members: [
        { namespace: "ns", policy: "a", used: 4, requested: 60, granted: 4 },
        { namespace: "ns", policy: "b", used: 0, requested: 8, granted: 2, unknown: "pod b-0" },
      ],
    });
    ledger.record(policy("b"), budget, decision(8), 8);
    expect(ledger.granted(policy("a"), budget, 4)).toEqual({ gpus: 56 });
    expect(ledger.status(budget).used).toBe(12);
    ledger.record(policy("b"), budget, uncounted, 0);
    ledger.forget("ns/b");
    expect(ledger.granted(policy("a"), budget, 4)).toEqual({ gpus: 64 });
  });

  test("so it is with what holders without an offer have", () => {
    const ledger = new BudgetLedger();
    ledger.record(policy("a"), budget, decision(60), 4);
    const unknown = "ScalingPolicy ns/c (pod c-0)";
    expect(ledger.granted(policy("a"), budget, 4, () => ({ gpus: 3, unknown }))).toEqual({ gpus: 4, unknown });
  });

  test("a policy that went to another budget leaves nothing behind", () => {
    const ledger = new BudgetLedger();
    ledger.record(policy("a"), budget, decision(60), 60);
    const other = { ...budget, metadata: { name: "other" } } as GPUBudget;
    expect(ledger.granted(policy("a"), other, 5).gpus).toBe(5);
    ledger.record(policy("a"), other, decision(60), 60);
    expect(ledger.status(budget).members).toEqual([]);
  });

  describe("of many members", () => {
    const names = Array.from({ length: 40 }, (_, index) => `p${index}`);
    const many = { ...budget, spec: { ...budget.spec, capacity: 200 } } as GPUBudget;
    const roomy = { ...budget, spec: { ...budget.spec, capacity: 400 } } as GPUBudget;
    const ledgerOf = (most: number, held: number): BudgetLedger => {
      const ledger = new BudgetLedger();
      for (const name of names) ledger.record(policy(name), roomy, decision(most), held);
      return ledger;
    };

    test("is dealt anew when a tenth of them has decided", () => {
      const ledger = ledgerOf(10, 10);
      const surging = policy("p0");
      expect(ledger.granted(surging, roomy, 10).gpus).toBe(10);
      for (const name of names.slice(1, 4)) ledger.record(policy(name), roomy, decision(2), 2);
      ledger.record(surging, roomy, decision(20), 10);
      // 36 others hold 10 each; three have given back 8 each.
      expect(ledger.granted(surging, roomy, 10).gpus).toBe(34);
    });

    test("is asked for the others' pods once a deal", () => {
      const ledger = ledgerOf(10, 10);
      let asked = 0;
      for (const name of names) {
        ledger.granted(policy(name), roomy, 10, () => {
          asked++;
          return { gpus: 0 };
        });
        ledger.record(policy(name), roomy, decision(10), 10);
      }
      expect(asked).toBeLessThanOrEqual(10);
    });

    test("never grants more than the others leave, whoever decides when and wherever offers go", () => {
      const turn = fc.record({
        who: fc.integer({ min: 0, max: 39 }),
        most: fc.integer({ min: 2, max: 60 }),
        /** Of what was granted: not everything that may be had is written. */
        takes: fc.double({ min: 0, max: 1, noNaN: true }),
        leaves: fc.boolean(),
      });
      fc.assert(
        fc.property(fc.array(turn, { minLength: 1, maxLength: 300 }), (turns) => {
          const ledger = new BudgetLedger();
          const held = new Map<string, number>();
          for (const { who, most, takes, leaves } of turns) {
            const name = `p${who}`;
            if (leaves && held.has(name)) {
              ledger.forget(`ns/${name}`);
              held.delete(name);
              continue;
            }
            const before = held.get(name) ?? 2;
            const { gpus: granted } = ledger.granted(policy(name), many, before);
            ledger.promise(`ns/${name}`, granted);
            // Minimum viable sets are kept whatever the others do; 40 of them are far below the capacity.
            // Paused or slow ones hold more than their share for as long as they like.
            const after = before + Math.trunc(takes * (Math.min(granted, most) - before));
            held.set(name, Math.max(2, after));
            ledger.record(policy(name), many, decision(most), held.get(name) as number);
            const total = [...held.values()].reduce((sum, gpus) => sum + gpus, 0);
            expect(total).toBeLessThanOrEqual(many.spec.capacity);
            expect(ledger.status(many).used).toBe(total);
          }
        }),
        { numRuns: 200 },
      );
    });
  });
});
