/** GPUs that a policy has not for itself: of a GPUBudget, and of a queue of the scheduler. What was ordered and by whom is remembered between turns. */
import type { GPUBudget } from "../api/autoscaling/gpu-budget.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { keyOf } from "../api/kubernetes/meta.ts";
import type { Decision } from "../decide/decision.ts";
import type { Observation } from "../decide/observation.ts";
import type { ScaleWrite } from "../decide/transition.ts";
import { BudgetLedger, type Granted } from "./budget-ledger.ts";
import { declaredGpus, type Held, heldGpus } from "./held-gpus.ts";
import { type AutoscalerInformers, BY_BUDGET, BY_SET } from "./informers.ts";
import { QueueLedger } from "./queue-headroom.ts";
import { isShadow } from "./shadow.ts";
import type { GateResult } from "./write-gate.ts";

/** What a shared budget grants a policy. */
export type Grant = (policy: ScalingPolicy, budget: GPUBudget, gpusInUse: number) => Granted;

export class SharedGpus {
  readonly ledger = new BudgetLedger();
  readonly #queues: QueueLedger;
  readonly #informers: AutoscalerInformers;
  readonly #grant: Grant | undefined;

  /** @param grant default: by the offers of all policies that are recorded here */
  constructor(informers: AutoscalerInformers, grant: Grant | undefined) {
    this.#informers = informers;
    this.#grant = grant;
    this.#queues = new QueueLedger(informers.templateGpus);
  }

  observe(
    policy: ScalingPolicy,
    set: PodCliqueSet,
  ): Pick<Observation, "queue" | "isBudgetMissing"> & { readonly isSharing: boolean } {
    const { pods } = this.#informers;
    const isSharing = policy.spec.gpuBudget.sharedBudgetRef !== undefined;
    return {
      isSharing,
      ...this.#queues.observe(policy, pods.byIndex(BY_SET, keyOf(set)), this.#queueOf),
      // Fails closed: nothing grows, and nothing is taken away for want of an object.
      ...(isSharing && this.#budgetOf(policy) === undefined ? { isBudgetMissing: true as const } : {}),
    };
  }

  /**
   * @param writer the policy that holds the share: of a shadow the active one beside it, which the shadow promises nothing for
   * @returns undefined for a policy that shares no budget
   */
  granted(policy: ScalingPolicy, writer: ScalingPolicy, gpusInUse: number): Granted | undefined {
    const budget = this.#budgetOf(policy);
    if (budget === undefined) return undefined;
    if (this.#grant !== undefined) return this.#grant(writer, budget, gpusInUse);
    const granted = this.ledger.granted(writer, budget, gpusInUse, () => this.#outsiders(writer, budget));
    if (!isShadow(policy)) this.ledger.promise(keyOf(policy), granted.gpus);
    return granted;
  }

  /** The policy has decided: of what it was granted only what it orders is still promised. */
  ordered(policy: ScalingPolicy, { budget, transition }: Decision): void {
    if (!isShadow(policy)) this.ledger.promise(keyOf(policy), budget.gpusUsed + addedBy(transition.now));
  }

  record(policy: ScalingPolicy, decision: Decision, { written }: GateResult): void {
    const key = keyOf(policy);
    if (isShadow(policy)) {
      this.forget(key);
      return;
    }
    const held = decision.budget.gpusUsed + addedBy(written);
    this.#queues.record(policy, this.#informers.pods.byIndex(BY_SET, setKeyOf(policy)), held, this.#queueOf);
    const budget = this.#budgetOf(policy);
    if (budget === undefined) this.ledger.forget(key);
    else this.ledger.record(policy, budget, decision, held);
  }

  /** The policy's turn has ended, one way or another. */
  settle(policyKey: string): void {
    this.ledger.settle(policyKey);
  }

  forget(policyKey: string): void {
    this.ledger.forget(policyKey);
    this.#queues.forget(policyKey);
  }

  readonly #queueOf = (name: string) => this.#informers.queues.get(undefined, name);

  #budgetOf({ spec }: ScalingPolicy): GPUBudget | undefined {
    const name = spec.gpuBudget.sharedBudgetRef?.name;
    return name === undefined ? undefined : this.#informers.budgets.get(undefined, name);
  }

  /** What sets hold whose policies share the budget and make no offer: not decided yet after a start, or not able to. */
  #outsiders(policy: ScalingPolicy, budget: GPUBudget): Held {
    const { policies, pods, templateGpus } = this.#informers;
    const members = policies.byIndex(BY_BUDGET, budget.metadata.name);
    const isKnown = (one: ScalingPolicy): boolean => keyOf(one) === keyOf(policy) || this.ledger.knows(keyOf(one));
    const known = new Set(members.filter(isKnown).map(setKeyOf));
    const outside = new Map(members.filter((one) => !known.has(setKeyOf(one))).map((one) => [setKeyOf(one), one]));
    let gpus = 0;
    let unknown: string | undefined;
    for (const [set, member] of outside) {
      const held = heldGpus(pods.byIndex(BY_SET, set), templateGpus, declaredGpus(member.spec));
      gpus += held.gpus;
      if (held.unknown !== undefined) unknown ??= `ScalingPolicy ${keyOf(member)} (${held.unknown})`;
    }
    return unknown === undefined ? { gpus } : { gpus, unknown };
  }
}

const addedBy = (writes: readonly ScaleWrite[]): number =>
  writes.reduce((sum, { from, to, gpusPerReplica }) => sum + Math.max(0, to - from) * gpusPerReplica, 0);

const setKeyOf = ({ metadata, spec }: ScalingPolicy): string => `${metadata.namespace}/${spec.targetRef.name}`;
