/** Policies that share a GPUBudget, decision after decision: what the ledger grants beside what they decide. */
import { describe, expect, test } from "vitest";
import type { GPUBudget } from "../api/autoscaling/gpu-budget.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { Decision } from "../decide/decision.ts";
import type { Observation } from "../decide/observation.ts";
import { instant, Plant, policyOf, targetPolicy } from "../decide/plant.fixture.ts";
import type { Policy, TargetPolicy } from "../decide/policy.ts";
import { BudgetLedger } from "./budget-ledger.ts";

const budget = { metadata: { name: "gpus" }, spec: { capacity: 64, reserve: 0, members: [] } } as unknown as GPUBudget;

/** One GPU a replica. */
class Member extends Plant {
  readonly #ledger: BudgetLedger;
  readonly #stored: ScalingPolicy;
  readonly #isWriting: boolean;
  policy: Policy;

  constructor(ledger: BudgetLedger, name: string, policy: Policy, load: number, mode = "Active") {
    super({
      replicas: policy.targets.map(() => 1),
      loads: policy.targets.map(() => load),
      gpus: policy.targets.map(() => 1),
    });
    this.#ledger = ledger;
    this.#isWriting = mode === "Active";
    this.#stored = { metadata: { namespace: "ns", name }, spec: { mode, gpuBudget: { priority: 0 } } } as never;
    this.policy = policy;
  }

  override observe(policy: Policy): Observation {
    const seen = super.observe(policy);
    const { gpus } = this.#ledger.granted(this.#stored, budget, seen.gpusInUse);
    return { ...seen, isSharing: true, gpusGranted: gpus };
  }

  get held(): number {
    return this.totals.reduce((sum, count) => sum + count, 0);
  }

  turn(): Decision {
    const before = this.held;
    const decision = this.tick(this.policy, this.#isWriting);
    this.#ledger.record(this.#stored, budget, decision, Math.max(before, this.held));
    return decision;
  }
}

const wide = (more: Partial<TargetPolicy> = {}) => targetPolicy("x", { maxReplicas: 100, ...more });
const one = (more: Partial<Policy> = {}): Policy => policyOf({ ratios: [], targets: [wide()], ...more });
const turns = (count: number, ...members: readonly Member[]): Decision => {
  let last: Decision | undefined;
  for (let turn = 0; turn < count; turn++) for (const member of members) last = member.turn();
  return last as Decision;
};

describe("with room in the budget", () => {
  const alone = (load: number, policy = one()): Member => {
    const member = new Member(new BudgetLedger(), "a", policy, load);
    turns(4, member);
    return member;
  };

  test("a member grows at once, and nothing is called a shortage", () => {
    const member = alone(2);
    member.loads = [10];
    const { budget: used, reason } = member.turn();
    expect([member.held, used.isLimited, reason]).toEqual([10, false, "DemandChanged"]);
  });

  test("what is held is held: through a rollout, and while most of it is lost", () => {
    const updating = alone(10);
    updating.loads = [3];
    updating.change = (object) => ({ ...object, isChanging: true });
    turns(4, updating);
    expect(updating.held).toBe(10);
    const lost = alone(10);
    lost.loads = [2];
    lost.change = (object) => ({ ...object, ready: 2, pending: 8 });
    turns(4, lost);
    expect(lost.held).toBe(10);
  });

  test("one target grows while another waits for its window", () => {
    const behavior = { ...instant, scaleDown: { ...instant.scaleDown, stabilizationWindowMs: 300_000 } };
    const targets = ["prefill", "decode"].map((name) => targetPolicy(name, { behavior }));
    const member = new Member(new BudgetLedger(), "a", policyOf({ ratios: [], targets }), 10);
    turns(4, member);
    member.loads = [14, 4];
    member.turn();
    expect(member.totals).toEqual([14, 10]);
  });

  test("a person's number is written", () => {
    const member = alone(2);
    member.override = {
      name: "launch",
      reason: "launch",
      expiresAtMs: 1e12,
      force: false,
      scaleTargets: { x: { replicas: 8 } },
    };
    member.turn();
    expect(member.held).toBe(8);
  });

  test.each([640, 1_300, 1e6])("a demand of %d, far beyond it, takes all of it", (load) => {
    expect(alone(load, one({ targets: [wide({ maxReplicas: 10_000 })] })).held).toBe(64);
  });
});

describe("of a budget that is short", () => {
  test("nothing is kept for what a member's own maximum leaves out, or for one that is paused", () => {
    const ledger = new BudgetLedger();
    const small = new Member(ledger, "small", one({ gpuBudgetMax: 8 }), 60);
    const still = new Member(ledger, "still", one(), 60, "Paused");
    const big = new Member(ledger, "big", one(), 60);
    turns(6, small, still, big);
    expect([small.held, still.held, big.held]).toEqual([8, 1, 55]);
  });

  test("an override keeps its share beside a demand that grows after it", () => {
    const ledger = new BudgetLedger();
    const [person, other] = [new Member(ledger, "person", one(), 2), new Member(ledger, "other", one(), 10)];
    turns(3, person, other);
    person.override = {
      name: "launch",
      reason: "launch",
      expiresAtMs: 1e12,
      force: false,
      scaleTargets: { x: { replicas: 20 } },
    };
    turns(3, person, other);
    other.loads = [90];
    turns(6, person, other);
    expect([person.held, other.held]).toEqual([20, 44]);
  });

  test("what grows beyond its share gives it back when another asks for it", () => {
    const ledger = new BudgetLedger();
    const [first, second] = [new Member(ledger, "first", one(), 60), new Member(ledger, "second", one(), 2)];
    turns(3, first, second);
    expect([first.held, second.held]).toEqual([60, 2]);
    second.loads = [60];
    turns(6, first, second);
    expect(first.held + second.held).toBe(64);
    expect(Math.abs(first.held - second.held)).toBeLessThanOrEqual(4);
  });

  const override = (scaleTargets: NonNullable<Observation["override"]>["scaleTargets"]) => ({
    name: "launch",
    reason: "launch",
    expiresAtMs: 1e12,
    force: false,
    scaleTargets,
  });

  test.each([59, 60, 70])("an override of %d that does not fit beside the others is cut, not lost", (replicas) => {
    const ledger = new BudgetLedger();
    const [person, other] = [new Member(ledger, "person", one(), 2), new Member(ledger, "other", one(), 1)];
    const third = new Member(ledger, "third", one({ targets: [wide({ minReplicas: 4 })] }), 1);
    turns(3, person, other, third);
    person.override = override({ x: { replicas } });
    turns(4, person, other, third);
    other.loads = [90];
    turns(8, person, other, third);
    expect(third.held).toBe(4);
    expect(person.held + other.held).toBe(60);
    expect(person.held).toBeGreaterThan(50);
  });

  test("an override of one target is a floor beside the demand of its partner, and no claim of all that the partner wants", () => {
    const ledger = new BudgetLedger();
    const targets = ["prefill", "decode"].map((name) => targetPolicy(name, { maxReplicas: 60 }));
    const person = new Member(ledger, "person", policyOf({ ratios: [], targets }), 2);
    const peer = new Member(ledger, "peer", one(), 200);
    person.loads = [2, 40];
    turns(8, person, peer);
    const alone = peer.held;
    person.override = override({ prefill: { replicas: 3 } });
    turns(4, person, peer);
    expect(person.totals[0]).toBe(3);
    turns(20, person, peer);
    expect(alone - peer.held).toBeLessThanOrEqual(4);
  });

  test("what sleeps and finds the budget full waits, and its minimum is not called too large", () => {
    const ledger = new BudgetLedger();
    const sleeping = new Member(ledger, "sleeping", one({ targets: [wide({ minReplicas: 0 })] }), 0);
    sleeping.minAvailable = 0;
    const big = new Member(ledger, "big", one(), 90);
    turns(8, sleeping, big);
    sleeping.sets[0]!.replicas = [0];
    sleeping.policy = one({ targets: [wide({ minReplicas: 2 })] });
    const { budget: used, reason } = sleeping.turn();
    expect([used.isInfeasible, reason]).toEqual([false, "WaitsForFreedGPUs"]);
  });

  test("floors that do not fit together are cut alike", () => {
    const ledger = new BudgetLedger();
    const [a, b] = ["a", "b"].map((name) => new Member(ledger, name, one({ gpuBudgetMin: 40 }), 50)) as [
      Member,
      Member,
    ];
    turns(8, a, b);
    expect(a.held + b.held).toBe(64);
    expect(Math.abs(a.held - b.held)).toBeLessThanOrEqual(6);
  });
});
