/**
 * How far the writes of one decision may go so that ready replicas stay in their hard bands, widened by the transient slack, in whatever order new ones
 * become ready and old ones go, however many of them do, and whichever of the writes fail.
 *
 * An up is held against what its partner has ready now, a down against what its partner has ready still, and may have by then. Coupled targets move by whole tuples. The
 * exceptions, and why each is one: docs/decisions/0013.
 */
import { coupledAt, unitOf, wholeTuples } from "./coupled-writes.ts";
import { objectOf } from "./current.ts";
import type { Observation } from "./observation.ts";
import type { Policy } from "./policy.ts";
import { isWithinBand, type RatioBand } from "./ratio.ts";
import type { ScaleWrite } from "./transition.ts";

/**
 * @param writes to targets inside set replicas
 * @param waiting ups that are not written yet for want of GPUs: their targets grow all the same
 * @returns the writes in the same order, each as far as it may go now: `to` is `from` where it has to wait
 */
export function paceByReady(
  writes: readonly ScaleWrite[],
  waiting: readonly ScaleWrite[],
  policy: Policy,
  observation: Observation,
): readonly ScaleWrite[] {
  const paced = new Map<ScaleWrite, ScaleWrite>();
  for (const [set, legs] of Map.groupBy(writes, ({ setIndex }) => setIndex)) {
    const others = [...legs, ...waiting.filter(({ setIndex }) => setIndex === set)];
    const couplings = coupledAt(set as number, legs, policy, observation);
    const cut = legs.map((write) => {
      const unit = unitOf(write, couplings);
      const units = unitsThatKeep(write, unit, others, policy, observation);
      return part(write, unit, isUp(write) ? Math.max(1, units) : units);
    });
    const tuples = wholeTuples(cut, couplings);
    // Where nothing may go, each goes by one: waiting would bring no other state.
    const isStuck = tuples.every(({ from, to }) => from === to);
    legs.forEach((write, at) => {
      paced.set(write, isStuck ? part(write, unitOf(write, couplings), 1) : (tuples[at] as ScaleWrite));
    });
  }
  return writes.map((write) => paced.get(write) as ScaleWrite);
}

const isUp = ({ from, to }: ScaleWrite): boolean => to > from;

/** `units` of a write, and all of it where that is not more. */
function part(write: ScaleWrite, unit: number, units: number): ScaleWrite {
  const { from, to } = write;
  const size = Math.min(Math.abs(to - from), units * unit);
  return { ...write, to: from + Math.sign(to - from) * size };
}

function unitsThatKeep(
  write: ScaleWrite,
  unit: number,
  others: readonly ScaleWrite[],
  policy: Policy,
  observation: Observation,
): number {
  const set = write.setIndex as number;
  const readyOf = (name: string): number => seen(name, set, policy, observation)?.ready ?? 0;
  const most = Math.ceil(Math.abs(write.to - write.from) / unit);
  let units = most;
  for (const band of policy.ratios) {
    if (band.enforcement !== "Hard" || !band.between.includes(write.target)) continue;
    const partner = partnerOf(write, band);
    const partnerReady = readyOf(partner);
    // Nothing serves yet: whatever starts first is outside, be it one or all.
    if (isUp(write) && partnerReady === 0) continue;
    // Out already: any way back is better than none.
    if (!keeps(band, write.target, readyOf(write.target), partnerReady)) continue;
    const other = others.find(({ target }) => target === partner);
    const isPaced = isUp(write)
      ? (other !== undefined && isUp(other)) || (seen(partner, set, policy, observation)?.starting ?? 0) > 0
      : other !== undefined && !isUp(other);
    if (!isPaced) continue;
    // What starts of the partner may be ready before the partner goes down, as far as that is no way out by itself.
    const partnerComing = Math.max(0, (seen(partner, set, policy, observation)?.replicas ?? 0) - partnerReady);
    const partnerMost = isUp(write)
      ? partnerReady
      : partnerReady +
        largest(partnerComing, (more) => keeps(band, write.target, readyOf(write.target), partnerReady + more));
    const fits = (size: number): boolean => {
      const { to } = part(write, unit, size);
      const reached = isUp(write) ? to : Math.min(to, readyOf(write.target));
      return keeps(band, write.target, reached, partnerMost);
    };
    units = Math.min(units, largest(most, fits));
  }
  return units;
}

const partnerOf = ({ target }: ScaleWrite, { between: [a, b] }: RatioBand): string => (a === target ? b : a);

function keeps(band: RatioBand, target: string, replicas: number, partner: number): boolean {
  const [a, b] = band.between[0] === target ? [replicas, partner] : [partner, replicas];
  return isWithinBand(band, a, b, band.transientSlackRatio);
}

const seen = (name: string, set: number, { targets }: Policy, observation: Observation) =>
  objectOf(
    observation,
    targets.findIndex((target) => target.name === name),
    set,
  );

/** The largest of 0 to `most` that fits, of sizes that fit up to one of them and not beyond. */
export function largest(most: number, fits: (size: number) => boolean): number {
  let known = 0;
  for (let beyond = most + 1; beyond - known > 1; ) {
    const middle = Math.floor((known + beyond) / 2);
    if (fits(middle)) known = middle;
    else beyond = middle;
  }
  return known;
}
