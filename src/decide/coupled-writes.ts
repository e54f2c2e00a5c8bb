/** Writes to coupled targets of one set replica: what is a whole tuple before the writes of a decision is one after them, however they are cut. */
import type { Coupling } from "./coupling.ts";
import { vectorOf } from "./current.ts";
import type { Observation } from "./observation.ts";
import type { Policy } from "./policy.ts";
import type { ScaleWrite } from "./transition.ts";

/**
 * Couplings whose targets are whole tuples now and are all written, in the same direction, to whole tuples. Where that is not so, somebody has
 * broken the coupling or it has given way, and each write goes for itself.
 */
export function coupledAt(
  set: number,
  writes: readonly ScaleWrite[],
  { couplings = [], targets }: Policy,
  observation: Observation,
): readonly Coupling[] {
  if (couplings.length === 0) return [];
  const now = vectorOf(observation, set);
  const areTuples = (tuples: readonly (number | undefined)[]): boolean =>
    Number.isInteger(tuples[0]) && tuples.every((one) => one === tuples[0]);
  return couplings.filter(
    ({ steps }) =>
      areTuples(
        steps.map(({ target, replicas }) => (now[targets.findIndex(({ name }) => name === target)] ?? NaN) / replicas),
      ) &&
      areTuples(
        steps.map(({ target, replicas }) => (writes.find((write) => write.target === target)?.to ?? NaN) / replicas),
      ),
  );
}

/** Replicas by which the target of a write moves: those of a tuple, or one. */
export const unitOf = ({ target }: ScaleWrite, couplings: readonly Coupling[]): number =>
  couplings.flatMap(({ steps }) => steps).find((step) => step.target === target)?.replicas ?? 1;

/** Each coupling goes as far as that of its writes that goes least. */
export function wholeTuples(writes: readonly ScaleWrite[], couplings: readonly Coupling[]): readonly ScaleWrite[] {
  let whole = writes;
  for (const { steps } of couplings) {
    const moves = steps.map(({ target, replicas }) => {
      const { from, to } = writes.find((write) => write.target === target) as ScaleWrite;
      return Math.floor(Math.abs(to - from) / replicas);
    });
    const least = Math.min(...moves);
    whole = whole.map((write) => {
      const step = steps.find(({ target }) => target === write.target);
      if (step === undefined) return write;
      return { ...write, to: write.from + Math.sign(write.to - write.from) * least * step.replicas };
    });
  }
  return whole;
}
