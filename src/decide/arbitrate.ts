/**
 * Stage 5: GPUs between policies that share a budget.
 *
 * Each policy offers its curve "served fraction → GPUs". Minimum viable sets come first, then the budget is dealt by priority, and within one
 * priority by weighted max-min of the served fraction: the fractions rise together, each at its weight, until the GPUs are used or all is served.
 */

export interface Offer {
  readonly key: string;
  readonly priority: number;
  /** > 0. */
  readonly weight: number;
  /** GPUs of the minimum viable set. */
  readonly minGpus: number;
  /** `[served fraction, GPUs]`, both rising, from a fraction of 0. */
  readonly curve: readonly (readonly [number, number])[];
}

/** @returns GPUs by policy; at least its minimum viable set for each, even if those alone pass the capacity */
export function arbitrate(offers: readonly Offer[], capacityGpus: number): ReadonlyMap<string, number> {
  const granted = new Map(offers.map(({ key, minGpus }) => [key, minGpus]));
  let left = capacityGpus - offers.reduce((sum, { minGpus }) => sum + minGpus, 0);
  const priorities = [...new Set(offers.map(({ priority }) => priority))].sort((a, b) => b - a);
  for (const priority of priorities) {
    const peers = offers.filter((offer) => offer.priority === priority).toSorted((a, b) => (a.key < b.key ? -1 : 1));
    for (;;) {
      const next = peers
        .map((offer) => ({ offer, step: nextStep(offer, granted.get(offer.key) ?? 0) }))
        .filter(({ step }) => step !== undefined && step.gpus - step.have <= left)
        .toSorted((a, b) => fractionPerWeight(a) - fractionPerWeight(b))[0];
      if (next?.step === undefined) break;
      left -= next.step.gpus - next.step.have;
      granted.set(next.offer.key, next.step.gpus);
    }
  }
  return granted;
}

interface Step {
  readonly have: number;
  readonly gpus: number;
  readonly servedNow: number;
}

function nextStep({ curve }: Offer, have: number): Step | undefined {
  const next = curve.find(([, gpus]) => gpus > have);
  if (next === undefined) return undefined;
  const servedNow = curve.findLast(([, gpus]) => gpus <= have)?.[0] ?? 0;
  return { have, gpus: next[1], servedNow };
}

const fractionPerWeight = ({ offer, step }: { offer: Offer; step: Step | undefined }): number =>
  (step?.servedNow ?? 1) / offer.weight;
