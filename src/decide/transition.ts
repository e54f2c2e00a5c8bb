/**
 * Stage 9: the writes that lead from what is to what was decided, in an order in which each is safe by itself.
 *
 * With spare budget the ups come first, else the downs that free it; what must wait for that is left to a later decision, which sees the world as
 * it is then. Ready replicas stay inside their ratio bands, widened by the transient slack, whatever order they become ready or go.
 */
import type { Observation } from "./observation.ts";
import type { Policy } from "./policy.ts";
import { isWithinBand, type RatioBand } from "./ratio.ts";

export interface ScaleWrite {
  readonly target: string;
  readonly level: "PodClique" | "PodCliqueScalingGroup" | "PodCliqueSet";
  readonly objectName: string;
  /** Precondition: the write is refused when the object has moved on. */
  readonly resourceVersion: string;
  /** Absent for the set itself. */
  readonly setIndex?: number;
  readonly from: number;
  readonly to: number;
  readonly gpusPerReplica: number;
}

export interface DeferredWrite extends ScaleWrite {
  readonly why: "WaitsForReady" | "WaitsForFreedGPUs" | "RatioTransient";
}

export interface Transition {
  /** To be written now, in this order. */
  readonly now: readonly ScaleWrite[];
  readonly later: readonly DeferredWrite[];
}

export interface DesiredState {
  /** A person takes the consequences. */
  readonly isForced?: boolean;
  /** Nothing serves and nothing is asked for: there is no ratio to keep on the way to zero. */
  readonly isAsleep?: boolean;
  readonly sets: number;
  /** Per set replica, in the order of the policy's targets. */
  readonly perSet: readonly (readonly number[])[];
}

export function planTransition(
  policy: Policy,
  observation: Observation,
  desired: DesiredState,
  gpuLimit: number,
): Transition {
  const writes = diff(policy, observation, desired);
  const isUp = ({ from, to }: ScaleWrite): boolean => to > from;
  const ups = writes.filter(isUp);
  const downs = writes.filter((write) => !isUp(write));
  const now: ScaleWrite[] = [];
  const later: DeferredWrite[] = [];

  const fitting = upsThatFit(ups, policy, observation, gpuLimit - observation.gpusInUse);
  for (const write of ups) {
    if (!fitting.includes(write)) later.push({ ...write, why: "WaitsForFreedGPUs" });
    else {
      const split = splitUp(write, policy, observation, ups);
      if (split.to > write.from) now.push(split);
      if (split.to < write.to) later.push({ ...write, from: split.to, why: "RatioTransient" });
    }
  }
  const mustFreeFirst = fitting.length < ups.length;
  const losesService = losesLastService(observation, desired);
  const isCatchingUp = desired.sets < observation.set.replicas && !survivorsReady(policy, observation, desired);
  for (const write of downs) {
    if (
      write.level === "PodCliqueSet" &&
      (((isCatchingUp || fitting.length > 0) && !mustFreeFirst) ||
        (losesService && desired.isForced !== true && desired.isAsleep !== true))
    ) {
      later.push({ ...write, why: "WaitsForReady" });
    } else if (
      desired.isAsleep !== true &&
      write.level !== "PodCliqueSet" &&
      breaksReadyRatio(write, policy, observation)
    ) {
      later.push({ ...write, why: "RatioTransient" });
    } else {
      now.push(write);
    }
  }
  if (desired.isAsleep === true) return { now, later };
  const ordered = inSafeOrder(now, policy, observation);
  return { now: ordered.now, later: [...later, ...ordered.later] };
}

/**
 * Each write is sent by itself, and one that is refused ends the list: so the next one is always one that leaves the desired replicas of
 * its set replica in their widened bands. Where none does, one goes as far as it may, and the rest of it is left to a later decision.
 */
function inSafeOrder(writes: readonly ScaleWrite[], policy: Policy, observation: Observation): Transition {
  const now: ScaleWrite[] = [];
  const later: DeferredWrite[] = [];
  const keeps = (write: ScaleWrite): boolean => keepsRatios(write, policy, observation, now);
  let left = [...writes];
  while (left.length > 0) {
    const { asked, next } = nextOf(left, keeps);
    now.push(next);
    if (next.to !== asked.to) later.push({ ...asked, from: next.to, why: "RatioTransient" });
    left = left.filter((write) => write !== asked);
  }
  return { now, later };
}

/** The write to make next, and as far as it may go. */
function nextOf(
  left: readonly ScaleWrite[],
  keeps: (write: ScaleWrite) => boolean,
): { readonly asked: ScaleWrite; readonly next: ScaleWrite } {
  const whole = left.find(keeps);
  if (whole !== undefined) return { asked: whole, next: whole };
  for (const asked of left) {
    const part = partOf(asked, keeps);
    if (part !== undefined) return { asked, next: part };
  }
  // Outside its band already: any way out is better than none.
  const [first] = left as readonly [ScaleWrite];
  return { asked: first, next: first };
}

/** Replicas that are tried one by one: from a state that is not allowed itself, what is allowed may be anywhere. */
const MAX_TRIED = 4_096;

/** The largest part of a write that is allowed; undefined when not even one replica is. */
function partOf(write: ScaleWrite, isAllowed: (write: ScaleWrite) => boolean): ScaleWrite | undefined {
  const { from, to } = write;
  const sign = to > from ? 1 : -1;
  const most = Math.abs(to - from) - 1;
  const part = (size: number): ScaleWrite => ({ ...write, to: from + sign * size });
  if (most < 1) return undefined;
  if (isAllowed(part(0))) {
    const size = largest(most, (one) => isAllowed(part(one)));
    return size === 0 ? undefined : part(size);
  }
  for (let size = most; size > 0 && size > most - MAX_TRIED; size--) if (isAllowed(part(size))) return part(size);
  return undefined;
}

/** The largest of 0 to `most` that fits, of sizes that fit up to one of them and not beyond. */
function largest(most: number, fits: (size: number) => boolean): number {
  let known = 0;
  for (let beyond = most + 1; beyond - known > 1; ) {
    const middle = Math.floor((known + beyond) / 2);
    if (fits(middle)) known = middle;
    else beyond = middle;
  }
  return known;
}

/**
 * Ups that the free GPUs allow. Those of one set replica go together; when they do not fit together, one of them goes alone only if
 * it keeps the ratios by itself.
 */
function upsThatFit(
  ups: readonly ScaleWrite[],
  policy: Policy,
  observation: Observation,
  freeGpus: number,
): readonly ScaleWrite[] {
  const fitting: ScaleWrite[] = [];
  let free = freeGpus;
  const gpusOf = (writes: readonly ScaleWrite[]): number =>
    writes.reduce((sum, { from, to, gpusPerReplica }) => sum + (to - from) * gpusPerReplica, 0);
  const take = (writes: readonly ScaleWrite[]): boolean => {
    if (gpusOf(writes) > free) return false;
    free -= gpusOf(writes);
    fitting.push(...writes);
    return true;
  };
  for (const group of Map.groupBy(ups, ({ setIndex }) => setIndex).values()) {
    if (take(group)) continue;
    for (const write of group) if (keepsRatios(write, policy, observation)) take([write]);
  }
  return fitting;
}

/** Whether the desired replicas stay in their widened bands when this write follows the `done` ones, or is the only one. */
function keepsRatios(
  write: ScaleWrite,
  policy: Policy,
  observation: Observation,
  done: readonly ScaleWrite[] = [],
): boolean {
  const replicasOf = (target: string): number => {
    if (target === write.target) return write.to;
    const before = done.find((one) => one.target === target && one.setIndex === write.setIndex);
    if (before !== undefined) return before.to;
    const index = policy.targets.findIndex(({ name }) => name === target);
    return observation.targets[index]?.objects.find(({ setIndex }) => setIndex === write.setIndex)?.replicas ?? 0;
  };
  return policy.ratios
    .filter(({ enforcement, between }) => enforcement === "Hard" && between.includes(write.target))
    .every((band) =>
      isWithinBand(band, replicasOf(band.between[0]), replicasOf(band.between[1]), band.transientSlackRatio),
    );
}

function diff({ targets, set: setPolicy }: Policy, observation: Observation, desired: DesiredState): ScaleWrite[] {
  const writes: ScaleWrite[] = [];
  const surviving = Math.min(desired.sets, observation.set.replicas);
  targets.forEach((target, index) => {
    const seen = observation.targets[index];
    for (const object of seen?.objects ?? []) {
      const to = desired.perSet[object.setIndex]?.[index];
      if (object.setIndex >= surviving || to === undefined || to === object.replicas) continue;
      writes.push({
        target: target.name,
        level: target.level as "PodClique" | "PodCliqueScalingGroup",
        objectName: object.objectName,
        resourceVersion: object.resourceVersion,
        setIndex: object.setIndex,
        from: object.replicas,
        to,
        gpusPerReplica: seen?.gpusPerReplica ?? 0,
      });
    }
  });
  const { set } = observation;
  if (desired.sets !== set.replicas) {
    writes.push({
      target: setPolicy?.name ?? "sets",
      level: "PodCliqueSet",
      objectName: set.objectName,
      resourceVersion: set.resourceVersion,
      from: set.replicas,
      to: desired.sets,
      gpusPerReplica: templateGpus(observation),
    });
  }
  return writes;
}

/** GPUs that one more set replica takes: its children start from the template, whatever the others have grown to. */
export function templateGpus({ set, targets }: Pick<Observation, "set" | "targets">): number {
  return targets.reduce(
    (sum, { templateReplicas, gpusPerReplica }) => sum + templateReplicas * (gpusPerReplica ?? 0),
    set.fixedGpus ?? 0,
  );
}

/** Whether the set replicas that stay already serve with what they were given for those that go. */
function survivorsReady(policy: Policy, observation: Observation, desired: DesiredState): boolean {
  return policy.targets.every((_, index) =>
    (observation.targets[index]?.objects ?? []).every(
      ({ setIndex, ready, overdue, replicas }) => setIndex >= desired.sets || ready >= replicas - overdue,
    ),
  );
}

/**
 * Whether a set replica would go that serves, while none of those that stay does. Overdue replicas count as absent, so survivors that are stuck for
 * good are nothing to wait for, and nothing to rely on either.
 */
function losesLastService({ set, targets }: Observation, desired: DesiredState): boolean {
  const serves = (setIndex: number): boolean =>
    targets.every(({ objects, minAvailable }) => {
      const ready = objects.find((object) => object.setIndex === setIndex)?.ready ?? 0;
      return ready >= Math.max(1, minAvailable);
    });
  const indexes = Array.from({ length: set.replicas }, (_, index) => index);
  return indexes.slice(desired.sets).some(serves) && !indexes.slice(0, desired.sets).some(serves);
}

interface Pair {
  readonly band: RatioBand;
  readonly ready: { readonly a: number; readonly b: number };
}

function* pairsOf(write: ScaleWrite, policy: Policy, observation: Observation): Generator<Pair> {
  const readyOf = (target: string): number => {
    const index = policy.targets.findIndex(({ name }) => name === target);
    return observation.targets[index]?.objects.find(({ setIndex }) => setIndex === write.setIndex)?.ready ?? 0;
  };
  for (const band of policy.ratios) {
    if (band.enforcement !== "Hard" || !band.between.includes(write.target)) continue;
    yield { band, ready: { a: readyOf(band.between[0]), b: readyOf(band.between[1]) } };
  }
}

/**
 * How far an up may go so that, should it become ready before its partner, the ready ratio stays in the widened band. It may always go by
 * one, and all the way when the ready ratio is outside the band already or its partner is not growing.
 */
function splitUp(write: ScaleWrite, policy: Policy, observation: Observation, ups: readonly ScaleWrite[]): ScaleWrite {
  let { to } = write;
  for (const { band, ready } of pairsOf(write, policy, observation)) {
    const partner = band.between[0] === write.target ? band.between[1] : band.between[0];
    const grows = ups.some(({ target, setIndex }) => target === partner && setIndex === write.setIndex);
    if (!grows || !isWithinBand(band, ready.a, ready.b, band.transientSlackRatio)) continue;
    const fits = (value: number): boolean =>
      band.between[0] === write.target
        ? isWithinBand(band, value, ready.b, band.transientSlackRatio)
        : isWithinBand(band, ready.a, value, band.transientSlackRatio);
    const least = write.from + 1;
    to = least + largest(to - least, (more) => fits(least + more));
  }
  return { ...write, to };
}

/** Whether a down would take ready replicas out of a widened band that they are in now. */
function breaksReadyRatio(write: ScaleWrite, policy: Policy, observation: Observation): boolean {
  for (const { band, ready } of pairsOf(write, policy, observation)) {
    const after =
      band.between[0] === write.target
        ? { a: Math.min(ready.a, write.to), b: ready.b }
        : { a: ready.a, b: Math.min(ready.b, write.to) };
    const isIn = isWithinBand(band, ready.a, ready.b, band.transientSlackRatio);
    if (
      isIn &&
      !isWithinBand(band, after.a, after.b, band.transientSlackRatio) &&
      partnerWillFollow(write, band, policy, observation)
    ) {
      return true;
    }
  }
  return false;
}

/** A partner that is still starting will mend the ratio; without one the down has to go first. */
function partnerWillFollow(write: ScaleWrite, band: RatioBand, policy: Policy, observation: Observation): boolean {
  const partner = band.between[0] === write.target ? band.between[1] : band.between[0];
  const index = policy.targets.findIndex(({ name }) => name === partner);
  const object = observation.targets[index]?.objects.find(({ setIndex }) => setIndex === write.setIndex);
  return object !== undefined && object.starting > 0;
}
