/** GPUs of a GPUBudget between the policies that share it. */
import type { GPUBudget, GPUBudgetStatus } from "../api/autoscaling/gpu-budget.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { keyOf } from "../api/kubernetes/meta.ts";
import { arbitrate, type Offer } from "../decide/arbitrate.ts";
import type { Decision } from "../decide/decision.ts";

interface Entry {
  readonly budget: string;
  readonly offer: Offer;
  readonly used: number;
  readonly requested: number;
}

export class BudgetLedger {
  readonly #entries = new Map<string, Entry>();

  knows(policyKey: string): boolean {
    return this.#entries.has(policyKey);
  }

  /**
   * What the policy may use: its share by the last offers of all members, as far as the others leave it. What they hold beyond their own shares
   * (paused, or on the way down) is there all the same. Before its first offer a policy may keep what it has, and no more.
   *
   * @param outsidersGpus held by policies that share the budget and have made no offer
   */
  granted(policy: ScalingPolicy, budget: GPUBudget, gpusInUse: number, outsidersGpus = 0): number {
    const key = keyOf(policy);
    if (this.#entries.get(key)?.budget !== budget.metadata.name) return gpusInUse;
    const grants = this.#grants(budget, outsidersGpus);
    const share = grants.get(key) ?? gpusInUse;
    const others = this.#of(budget).reduce(
      (sum, { offer, used }) => (offer.key === key ? sum : sum + Math.max(used, grants.get(offer.key) ?? 0)),
      outsidersGpus,
    );
    const left = budget.spec.capacity - budget.spec.reserve - others;
    return Math.min(share, Math.max(left, gpusInUse));
  }

  /** @param gpusHeld by the policy once what was decided is written */
  record(policy: ScalingPolicy, budget: GPUBudget, decision: Decision, gpusHeld: number): void {
    if (decision.offer === undefined) return;
    const { namespace, name } = policy.metadata;
    const member = budget.spec.members.find((one) => one.namespace === namespace && one.policy === name);
    this.#entries.set(keyOf(policy), {
      budget: budget.metadata.name,
      used: gpusHeld,
      requested: decision.offer.curve.at(-1)?.[1] ?? decision.budget.gpusRequested,
      offer: {
        key: keyOf(policy),
        priority: member?.priority ?? policy.spec.gpuBudget.priority,
        weight: member?.weight ?? 1,
        ...decision.offer,
      },
    });
  }

  forget(policyKey: string): void {
    this.#entries.delete(policyKey);
  }

  status(budget: GPUBudget): Pick<GPUBudgetStatus, "used" | "requested" | "members"> {
    const grants = this.#grants(budget);
    const entries = this.#of(budget).toSorted((a, b) => (a.offer.key < b.offer.key ? -1 : 1));
    return {
      used: entries.reduce((sum, { used }) => sum + used, 0),
      requested: entries.reduce((sum, { requested }) => sum + requested, 0),
      members: entries.map(({ offer, used, requested }) => {
        const [namespace = "", policy = ""] = offer.key.split("/");
        return { namespace, policy, used, requested, granted: grants.get(offer.key) ?? 0 };
      }),
    };
  }

  #of({ metadata }: GPUBudget): Entry[] {
    return [...this.#entries.values()].filter(({ budget }) => budget === metadata.name);
  }

  #grants(budget: GPUBudget, outsidersGpus = 0): ReadonlyMap<string, number> {
    const { capacity, reserve } = budget.spec;
    return arbitrate(
      this.#of(budget).map(({ offer }) => offer),
      Math.max(0, capacity - reserve - outsidersGpus),
    );
  }
}
