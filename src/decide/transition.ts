/**
 * Stage 9: the writes that lead from what is to what was decided, in an order in which each is safe by itself.
 *
 * With spare budget the ups come first, else the downs that free it; what must wait for that is left to a later decision, which sees the world as
 * it is then. Ready replicas stay inside their ratio bands, widened by the transient slack, whatever order they become ready or go (`ready-pace.ts`).
 */
import { coupledAt, unitOf, wholeTuples } from "./coupled-writes.ts";
import type { Coupling } from "./coupling.ts";
import type { Observation } from "./observation.ts";
import type { Policy } from "./policy.ts";
import { isWithinBand } from "./ratio.ts";
import { largest, paceByReady } from "./ready-pace.ts";

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
  const fitting = upsThatFit(ups, policy, observation, gpuLimit - observation.gpusInUse);
  const mustFreeFirst = fitting.length < ups.length;
  const losesService = losesLastService(observation, desired);
  const isCatchingUp = desired.sets < observation.set.replicas && !survivorsReady(policy, observation, desired);
  const waitsForReady = (write: ScaleWrite): boolean =>
    write.level === "PodCliqueSet" &&
    (((isCatchingUp || fitting.length > 0) && !mustFreeFirst) ||
      (losesService && desired.isForced !== true && desired.isAsleep !== true));

  const later: DeferredWrite[] = [];
  const asked: ScaleWrite[] = [];
  for (const write of [...ups, ...writes.filter((one) => !isUp(one))]) {
    if (isUp(write) && !fitting.includes(write)) later.push({ ...write, why: "WaitsForFreedGPUs" });
    else if (!isUp(write) && waitsForReady(write)) later.push({ ...write, why: "WaitsForReady" });
    else asked.push(write);
  }
  const inside = asked.filter((write) => write.level !== "PodCliqueSet" && (isUp(write) || desired.isAsleep !== true));
  const paced = new Map(paceByReady(inside, ups, policy, observation).map((write, at) => [inside[at], write]));
  const allowed = asked.map((write) => paced.get(write) ?? write).filter(({ from, to }) => from !== to);
  const now = desired.isAsleep === true ? allowed : inSafeOrder(allowed, policy, observation);
  for (const write of inside) {
    const { to } = now.find((one) => isSameObject(one, write)) ?? { to: write.from };
    if (to !== write.to) later.push({ ...write, from: to, why: "RatioTransient" });
  }
  return { now, later };
}

/** Not by the object's name: a clique and a group may have the same one. */
const isSameObject = (a: ScaleWrite, b: ScaleWrite): boolean => a.target === b.target && a.setIndex === b.setIndex;

/**
 * Each write is sent by itself, and one that is refused ends the list: so the next one is always one that leaves the desired replicas of
 * its set replica in their widened bands. Where none does, one goes as far as it may, and the rest of it is left to a later decision; what is coupled
 * to it goes no further either.
 */
function inSafeOrder(writes: readonly ScaleWrite[], policy: Policy, observation: Observation): readonly ScaleWrite[] {
  let asked = writes;
  for (;;) {
    const couplingsOf = couplingsBySet(asked, policy, observation);
    const ordered = orderOnce(asked, couplingsOf, policy, observation);
    const whole = new Map<ScaleWrite, ScaleWrite>();
    for (const [set, legs] of Map.groupBy(ordered, ({ setIndex }) => setIndex)) {
      wholeTuples(legs, couplingsOf(set)).forEach((write, at) => {
        whole.set(legs[at] as ScaleWrite, write);
      });
    }
    if (ordered.every((write) => whole.get(write)?.to === write.to)) return ordered;
    asked = asked.map(
      (write) => whole.get(ordered.find((one) => isSameObject(one, write)) as ScaleWrite) as ScaleWrite,
    );
  }
}

function couplingsBySet(writes: readonly ScaleWrite[], policy: Policy, observation: Observation) {
  const bySet = new Map<number | undefined, readonly Coupling[]>();
  for (const [set, legs] of Map.groupBy(writes, ({ setIndex }) => setIndex)) {
    if (set !== undefined) bySet.set(set, coupledAt(set, legs, policy, observation));
  }
  return (set: number | undefined): readonly Coupling[] => bySet.get(set) ?? [];
}

function orderOnce(
  writes: readonly ScaleWrite[],
  couplingsOf: (set: number | undefined) => readonly Coupling[],
  policy: Policy,
  observation: Observation,
): readonly ScaleWrite[] {
  const now: ScaleWrite[] = [];
  const keeps = (write: ScaleWrite): boolean => keepsRatios(write, policy, observation, now);
  const partsOf = (write: ScaleWrite): ScaleWrite | undefined =>
    partOf(write, unitOf(write, couplingsOf(write.setIndex)), keeps);
  let left = [...writes];
  while (left.length > 0) {
    const whole = left.find(keeps);
    const part = whole ?? left.map(partsOf).find((write) => write !== undefined);
    // Outside its band already: any way out is better than none.
    const next = part ?? (left[0] as ScaleWrite);
    now.push(next);
    left = left.filter((write) => !isSameObject(write, next));
  }
  return now;
}

/** Replicas that are tried one by one: from a state that is not allowed itself, what is allowed may be anywhere. */
const MAX_TRIED = 4_096;

/** The largest part of a write, in units, that is allowed; undefined when not even one unit is. */
function partOf(write: ScaleWrite, unit: number, isAllowed: (write: ScaleWrite) => boolean): ScaleWrite | undefined {
  const { from, to } = write;
  const sign = to > from ? 1 : -1;
  const most = Math.ceil(Math.abs(to - from) / unit) - 1;
  const part = (size: number): ScaleWrite => ({ ...write, to: from + sign * size * unit });
  if (most < 1) return undefined;
  if (isAllowed(part(0))) {
    const size = largest(most, (one) => isAllowed(part(one)));
    return size === 0 ? undefined : part(size);
  }
  for (let size = most; size > 0 && size > most - MAX_TRIED; size--) if (isAllowed(part(size))) return part(size);
  return undefined;
}

/**
 * Ups that the free GPUs allow. Those of one set replica go together; when they do not fit together, one of them goes alone, or with
 * what it is coupled to, only if that keeps the ratios by itself.
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
    for (const bundle of bundlesOf(group, policy, observation)) {
      if (bundle.every((write) => keepsRatios(write, policy, observation, bundle))) take(bundle);
    }
  }
  return fitting;
}

/** Ups that make no sense one without the other. */
function bundlesOf(ups: readonly ScaleWrite[], policy: Policy, observation: Observation): readonly ScaleWrite[][] {
  const set = ups[0]?.setIndex;
  if (set === undefined) return ups.map((write) => [write]);
  const couplings = coupledAt(set, ups, policy, observation);
  const bundle = ({ target }: ScaleWrite): string =>
    couplings.find(({ steps }) => steps.some((step) => step.target === target))?.name ?? `target ${target}`;
  return [...Map.groupBy(ups, bundle).values()];
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
