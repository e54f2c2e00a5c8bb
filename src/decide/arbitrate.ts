/**
 * Stage 5: GPUs between policies that share a budget.
 *
 * Each policy offers its curve "served fraction → GPUs". Minimum viable sets come first, then the budget is dealt by priority, and within one
 * priority by weighted max-min of the served fraction: the fractions rise together, each at its weight, until the GPUs are used or all is served.
 * With what is left what has piled up is dealt in the same way: a queue that a cut load has made takes no peer's load (docs/decisions/0007).
 */

/** `[fraction, GPUs]`, both rising, from a fraction of 0. */
export type Curve = readonly (readonly [number, number])[];

export interface Offer {
  readonly key: string;
  readonly priority: number;
  /** > 0. */
  readonly weight: number;
  /** GPUs of the minimum viable set. */
  readonly minGpus: number;
  /** Of the load. */
  readonly curve: Curve;
  /** Of what has piled up beside the load, which ends where this begins; absent: nothing. */
  readonly backlog?: Curve;
}

/** @returns GPUs by policy; at least its minimum viable set for each, even if those alone pass the capacity */
export function arbitrate(offers: readonly Offer[], capacityGpus: number): ReadonlyMap<string, number> {
  const granted = new Map(offers.map(({ key, minGpus }) => [key, minGpus]));
  let left = capacityGpus - offers.reduce((sum, { minGpus }) => sum + minGpus, 0);
  const byPriority = Map.groupBy(offers, ({ priority }) => priority);
  for (const priority of [...byPriority.keys()].sort((a, b) => b - a)) {
    const peers = byPriority.get(priority) ?? [];
    const asked = peers.reduce((sum, offer) => sum + fullGpus(offer) - offer.minGpus, 0);
    if (asked <= left) {
      for (const offer of peers) granted.set(offer.key, fullGpus(offer));
      left -= asked;
      continue;
    }
    peers.sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const curveOf of [loadCurve, backlogCurve]) {
      const waiting = new StepHeap();
      for (const [rank, offer] of peers.entries())
        waiting.push(nextStep(offer, rank, curveOf(offer), 0, granted.get(offer.key) as number));
      for (let step = waiting.pop(); step !== undefined; step = waiting.pop()) {
        const { offer, rank, curve, at, have, gpus } = step;
        // What does not fit now never will: less and less is left.
        if (gpus - have > left) continue;
        left -= gpus - have;
        granted.set(offer.key, gpus);
        waiting.push(nextStep(offer, rank, curve, at, gpus));
      }
    }
  }
  return granted;
}

const loadCurve = ({ curve }: Offer): Curve => curve;
const backlogCurve = ({ backlog = [] }: Offer): Curve => backlog;

/** GPUs that serve everything. */
export const fullGpus = ({ minGpus, curve, backlog = curve }: Pick<Offer, "minGpus" | "curve" | "backlog">): number =>
  Math.max(minGpus, backlog.at(-1)?.[1] ?? 0);

interface Step {
  readonly offer: Offer;
  readonly curve: Curve;
  /** Among peers, by key: who goes first of two that are served alike. */
  readonly rank: number;
  /** Index in the curve of the point that is taken next. */
  readonly at: number;
  readonly have: number;
  readonly gpus: number;
  readonly fractionPerWeight: number;
}

/** @param from index in the curve; what is before it takes no more than `have` */
function nextStep(offer: Offer, rank: number, curve: Curve, from: number, have: number): Step | undefined {
  let at = from;
  while (at < curve.length && (curve[at]?.[1] as number) <= have) at++;
  const next = curve[at];
  if (next === undefined) return undefined;
  return { offer, rank, curve, at, have, gpus: next[1], fractionPerWeight: (curve[at - 1]?.[0] ?? 0) / offer.weight };
}

/** The least served first. */
class StepHeap {
  readonly #steps: Step[] = [];

  push(step: Step | undefined): void {
    if (step === undefined) return;
    const steps = this.#steps;
    let at = steps.length;
    for (let parent = (at - 1) >> 1; at > 0 && isBefore(step, steps[parent] as Step); parent = (at - 1) >> 1) {
      steps[at] = steps[parent] as Step;
      at = parent;
    }
    steps[at] = step;
  }

  pop(): Step | undefined {
    const steps = this.#steps;
    const first = steps[0];
    const last = steps.pop();
    if (first === undefined || last === undefined || steps.length === 0) return first;
    let at = 0;
    for (let child = 1; child < steps.length; child = 2 * at + 1) {
      const right = child + 1;
      if (right < steps.length && isBefore(steps[right] as Step, steps[child] as Step)) child = right;
      if (!isBefore(steps[child] as Step, last)) break;
      steps[at] = steps[child] as Step;
      at = child;
    }
    steps[at] = last;
    return first;
  }
}

const isBefore = (a: Step, b: Step): boolean =>
  a.fractionPerWeight < b.fractionPerWeight || (a.fractionPerWeight === b.fractionPerWeight && a.rank < b.rank);
