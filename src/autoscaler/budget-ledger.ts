/** GPUs of a GPUBudget between the policies that share it. */
import type { GPUBudget, GPUBudgetStatus } from "../api/autoscaling/gpu-budget.ts";
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { keyOf } from "../api/kubernetes/meta.ts";
import { arbitrate, fullGpus, type Offer } from "../decide/arbitrate.ts";
import type { Decision } from "../decide/decision.ts";
import type { Held } from "./held-gpus.ts";

export interface Granted {
  readonly gpus: number;
  /** Whose GPUs are not known, besides the policy's own, so that it may not grow: `ScalingPolicy serving/chat (pod chat-0-decode-1)`. */
  readonly unknown?: string;
}

interface Entry {
  readonly offer: Offer;
  readonly used: number;
  readonly requested: number;
  /** What the member holds beside `used`, of which the GPUs are not known. */
  readonly unknown?: string;
}

interface Deal {
  readonly capacity: number;
  readonly outsiders: Held;
  readonly grants: ReadonlyMap<string, number>;
  /** What all members have or may have, whichever is more; follows what they hold after the deal. */
  takenGpus: number;
  /** Offers since then. */
  changes: number;
}

/** One budget. */
interface Book {
  readonly entries: Map<string, Entry>;
  /** By policy: what it was told it may use in a turn that has not ended; until then that is taken, whatever a new deal says. */
  readonly promised: Map<string, number>;
  /** By policy: what it holds of unknown GPUs. */
  readonly unknown: Map<string, string>;
  deal?: Deal;
}

/** A budget with fewer members is dealt anew for each of them; a larger one whenever a tenth of its members has decided. */
const MANY_MEMBERS = 20;
const CHANGED_PART = 10;

export class BudgetLedger {
  readonly #books = new Map<string, Book>();
  /** By policy: the budget that it is in. */
  readonly #budgetOf = new Map<string, string>();

  knows(policyKey: string): boolean {
    return this.#budgetOf.has(policyKey);
  }

  /**
   * What the policy may use: all that the others have no share of and do not hold. A share is what a deal gives by the last offers of all, so it is what a
   * member is sure of, and no limit: where there is room nobody waits for the next deal, and what is kept for a window or a hold is no overdraft. What
   * others hold beyond their shares (paused, or on the way down) is not there, but takes nothing away that the policy has within its own. Before its first
   * offer a policy may keep what it has, and no more.
   *
   * While another member holds pods whose GPUs are not known, nobody knows what is left, and the policy may have no more than it has.
   *
   * @param outsiders what is held by policies that share the budget and have made no offer
   */
  granted(policy: ScalingPolicy, budget: GPUBudget, gpusInUse: number, outsiders = (): Held => ({ gpus: 0 })): Granted {
    const key = keyOf(policy);
    const book = this.#books.get(budget.metadata.name);
    const own = book?.entries.get(key);
    if (book === undefined || own === undefined) return { gpus: gpusInUse };
    const deal = dealOf(book, budget, outsiders);
    const share = deal.grants.get(key);
    const unknown = unknownBeside(book, key);
    if (unknown !== undefined) return { gpus: gpusInUse, unknown };
    let others = deal.takenGpus - takenBy(own, share) + deal.outsiders.gpus;
    for (const [other, gpus] of book.promised) {
      const entry = book.entries.get(other);
      if (other !== key && entry !== undefined) others += Math.max(0, gpus - takenBy(entry, deal.grants.get(other)));
    }
    const left = deal.capacity - others;
    return { gpus: Math.max(left, Math.min(share ?? gpusInUse, gpusInUse)) };
  }

  /** @param gpus that the policy may hold before its turn ends: what it was granted, and once it has decided what it orders */
  promise(policyKey: string, gpus: number): void {
    const name = this.#budgetOf.get(policyKey);
    if (name !== undefined) this.#books.get(name)?.promised.set(policyKey, gpus);
  }

  /** The policy's turn has ended, with a record or without: what it holds is all that it may have. */
  settle(policyKey: string): void {
    const name = this.#budgetOf.get(policyKey);
    if (name !== undefined) this.#books.get(name)?.promised.delete(policyKey);
  }

  /** @param gpusHeld by the policy once what was decided is written */
  record(policy: ScalingPolicy, budget: GPUBudget, decision: Decision, gpusHeld: number): void {
    if (decision.offer === undefined) return;
    const key = keyOf(policy);
    const { name } = budget.metadata;
    if (this.#budgetOf.get(key) !== name) this.forget(key);
    const book = this.#books.get(name) ?? newBook();
    this.#books.set(name, book);
    this.#budgetOf.set(key, name);
    const member = membersOf(budget).get(key);
    const { gpusUnknown } = decision.budget;
    const entry: Entry = {
      used: gpusHeld,
      ...(gpusUnknown === undefined ? {} : { unknown: gpusUnknown }),
      requested: fullGpus(decision.offer),
      offer: {
        key,
        priority: member?.priority ?? policy.spec.gpuBudget.priority,
        weight: member?.weight ?? 1,
        ...(policy.spec.mode === "Active" ? decision.offer : keeps(gpusHeld)),
      },
    };
    follow(book, key, entry);
    book.entries.set(key, entry);
    if (entry.unknown === undefined) book.unknown.delete(key);
    else book.unknown.set(key, entry.unknown);
    this.settle(key);
  }

  forget(policyKey: string): void {
    const name = this.#budgetOf.get(policyKey);
    const book = name === undefined ? undefined : this.#books.get(name);
    if (name === undefined || book === undefined) return;
    this.#budgetOf.delete(policyKey);
    follow(book, policyKey, undefined);
    book.entries.delete(policyKey);
    book.promised.delete(policyKey);
    book.unknown.delete(policyKey);
    if (book.entries.size === 0) this.#books.delete(name);
  }

  status(budget: GPUBudget): Pick<GPUBudgetStatus, "used" | "requested" | "members"> {
    const book = this.#books.get(budget.metadata.name) ?? newBook();
    const outsiders = book.deal?.outsiders ?? { gpus: 0 };
    const { grants } = dealOf({ ...book }, budget, () => outsiders);
    const entries = [...book.entries.values()].sort((a, b) => (a.offer.key < b.offer.key ? -1 : 1));
    return {
      // A sum that leaves something out would say that there is room.
      ...(book.unknown.size === 0 ? { used: entries.reduce((sum, { used }) => sum + used, 0) } : {}),
      requested: entries.reduce((sum, { requested }) => sum + requested, 0),
      members: entries.map(({ offer: { key }, used, requested, unknown }) => {
        const [namespace = "", policy = ""] = key.split("/");
        const share = grants.get(key) ?? 0;
        const granted = unknownBeside(book, key) === undefined ? share : Math.min(share, used);
        return { namespace, policy, used, requested, granted, ...(unknown === undefined ? {} : { unknown }) };
      }),
    };
  }
}

/** The offer of a policy that is paused or only advises: it gives nothing back and takes nothing. */
const keeps = (gpusHeld: number): Pick<Offer, "minGpus" | "curve"> => ({ minGpus: gpusHeld, curve: [[0, gpusHeld]] });

const newBook = (): Book => ({ entries: new Map(), promised: new Map(), unknown: new Map() });

/** Which member or outsider besides the policy holds what cannot be counted. */
function unknownBeside({ unknown, deal }: Book, policyKey: string): string | undefined {
  for (const [key, what] of unknown) if (key !== policyKey) return `ScalingPolicy ${key} (${what})`;
  return deal?.outsiders.unknown;
}

function dealOf(book: Book, budget: GPUBudget, outsiders: () => Held): Deal {
  const { deal, entries } = book;
  const capacity = budget.spec.capacity - budget.spec.reserve;
  const isFresh =
    deal !== undefined &&
    deal.capacity === capacity &&
    entries.size >= MANY_MEMBERS &&
    deal.changes * CHANGED_PART < entries.size;
  if (isFresh) return deal;
  const outside = outsiders();
  const offers = Array.from(entries.values(), ({ offer }) => offer);
  const grants = arbitrate(offers, Math.max(0, capacity - outside.gpus));
  let takenGpus = 0;
  for (const [key, entry] of entries) takenGpus += takenBy(entry, grants.get(key));
  book.deal = { capacity, outsiders: outside, grants, takenGpus, changes: 0 };
  return book.deal;
}

const takenBy = ({ used }: Entry, share = 0): number => Math.max(used, share);

/** The deal stays, and what is taken follows the member's new entry. */
function follow({ deal, entries }: Book, key: string, entry: Entry | undefined): void {
  if (deal === undefined) return;
  const share = deal.grants.get(key);
  const before = entries.get(key);
  if (before !== undefined) deal.takenGpus -= takenBy(before, share);
  if (entry !== undefined) deal.takenGpus += takenBy(entry, share);
  deal.changes++;
}

type Member = GPUBudget["spec"]["members"][number];

const membersOfSpec = new WeakMap<object, ReadonlyMap<string, Member>>();

function membersOf({ spec }: GPUBudget): ReadonlyMap<string, Member> {
  const known = membersOfSpec.get(spec);
  if (known !== undefined) return known;
  const members = new Map(spec.members.map((one) => [`${one.namespace}/${one.policy}`, one]));
  membersOfSpec.set(spec, members);
  return members;
}
