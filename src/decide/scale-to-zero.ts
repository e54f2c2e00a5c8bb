/**
 * Scale to zero and back. A set of targets goes to zero together when nothing has asked for them during the idle window, and only while a query says that
 * nothing is waiting: the pods that are gone cannot. It comes back to its minimum at the first sign of demand, past windows and rate limits.
 */
import { collect } from "./collect.ts";
import type { Demand } from "./demand.ts";
import type { Memory } from "./memory.ts";
import type { Observation } from "./observation.ts";
import type { Policy, TargetPolicy } from "./policy.ts";

export interface ZeroMemory {
  /** Since when nothing has asked for the set, monotonic ms. */
  readonly idleSinceMs?: number;
  /** Since when the demand query has given no answer at zero. */
  readonly silentSinceMs?: number;
  /** It gave nothing at zero replicas: the pods themselves were its source, so it cannot wake anybody. */
  readonly isDisproven?: true;
  /** It has answered at zero replicas: what it does not say now is a gap. */
  readonly isProven?: true;
  /** The query that this is about. */
  readonly query?: string;
}

export interface ZeroState {
  /** Every target of the set is, or goes to, zero. */
  readonly isAsleep: boolean;
  /** The set is at zero now. */
  readonly wasAsleep: boolean;
  readonly targets: ReadonlySet<string>;
  readonly reason:
    | "Idle"
    | "Awake"
    | "Waking"
    | "NotIdle"
    | "Waiting"
    | "NoDemandSignal"
    | "DemandQueryDisproven"
    | "HeldAwake";
  readonly detail: string;
  readonly memory: ZeroMemory;
}

/** A demand below this is none: rates of an idle counter are exactly 0, averages of gauges nearly. */
const NO_DEMAND_REPLICAS = 1e-6;
/** Ticks without an answer from the metrics server after which a sleeping set is woken to be safe. */
const SILENT_TICKS = 4;

/** @param demands by target name, as measured */
export function zeroStateOf(
  policy: Policy,
  observation: Observation,
  demands: ReadonlyMap<string, Demand>,
  memory: Memory["zero"],
  heldAwakeBy: string | undefined,
): ZeroState | undefined {
  const { scaleToZero } = policy;
  if (scaleToZero === undefined) return undefined;
  const { monotonicMs: nowMs } = observation;
  const targets = new Set(scaleToZero.targets);
  const wasAsleep = isAtZero(policy, observation, targets);
  const signal = collect(observation.zeroDemand ?? { kind: "Total" }, policy.metricsPolicy);
  const waiting = signal.values.length === 0 ? undefined : signal.values.reduce((sum, value) => sum + value, 0);
  const query = scaleToZero.demandQuery;
  const known = memory?.query === query ? memory : undefined;
  // An answer at zero replicas is the proof that it can wake the set.
  const isProven = known?.isProven === true || (wasAsleep && waiting !== undefined);
  const isDisproven = known?.isDisproven === true && !isProven;
  const state = (isAsleep: boolean, reason: ZeroState["reason"], detail: string, next: ZeroMemory = {}): ZeroState => ({
    isAsleep,
    wasAsleep,
    targets,
    reason,
    detail,
    memory: {
      ...(query === undefined ? {} : { query }),
      ...(isProven ? { isProven } : {}),
      ...(isDisproven ? { isDisproven } : {}),
      ...next,
    },
  });

  if (heldAwakeBy !== undefined) return state(false, "HeldAwake", heldAwakeBy);
  if (waiting !== undefined && waiting > 0)
    return state(false, wasAsleep ? "Waking" : "NotIdle", `the demand query says ${waiting}`);
  if (wasAsleep) {
    if (waiting !== undefined) return state(true, "Idle", "asleep, and the demand query says 0");
    const silentSinceMs = memory?.silentSinceMs ?? nowMs;
    const isAnswered = signal.quality === "Missing";
    const patienceMs = isAnswered ? policy.metricsPolicy.staleAfterMs : SILENT_TICKS * policy.intervalMs;
    if (nowMs - silentSinceMs < patienceMs)
      return state(true, "Idle", `asleep; the demand query has no answer: ${signal.detail}`, { silentSinceMs });
    return state(
      false,
      "Waking",
      `woken to be safe: the demand query has no answer at zero replicas (${signal.detail})`,
      {
        ...(isAnswered && !isProven ? { isDisproven: true as const } : {}),
      },
    );
  }
  if (isDisproven)
    return state(
      false,
      "DemandQueryDisproven",
      "the demand query had no value at zero replicas, so nothing could wake the set",
    );
  if (waiting === undefined)
    return state(
      false,
      "NoDemandSignal",
      `the demand query has no value (${signal.detail}), so nothing could wake the set`,
    );
  // A set replica is idle when all that is in it is.
  const isWholeSet = policy.set !== undefined && targets.has(policy.set.name);
  const parts = isWholeSet ? [...demands.keys(), ...targets] : scaleToZero.targets;
  const busy = parts.find((name) => {
    const demand = demands.get(name);
    return (
      demand !== undefined &&
      demand.reason !== "NoMetrics" &&
      !(isKnown(demand) && demand.replicas <= NO_DEMAND_REPLICAS)
    );
  });
  if (busy !== undefined) return state(false, "NotIdle", `${busy} is not idle`);
  const idleSinceMs = Math.min(memory?.idleSinceMs ?? nowMs, nowMs);
  const idleMs = nowMs - idleSinceMs;
  if (idleMs < scaleToZero.idleWindowMs) {
    const left = Math.ceil((scaleToZero.idleWindowMs - idleMs) / 1000);
    return state(false, "Waiting", `idle; goes to zero in ${left} s`, { idleSinceMs });
  }
  return state(true, "Idle", `idle for ${Math.round(idleMs / 1000)} s, and the demand query says 0`, { idleSinceMs });
}

/** A window or a person that wants somebody awake. */
export function heldAwake(
  policy: Policy,
  observation: Observation,
  scheduledMin: (target: string) => number,
): string | undefined {
  for (const name of policy.scaleToZero?.targets ?? []) {
    if (scheduledMin(name) > 0) return `a schedule asks for ${scheduledMin(name)} ${name}`;
    const asked = observation.override?.scaleTargets[name];
    if ((asked?.replicas ?? asked?.minReplicas ?? 0) > 0)
      return `override ${observation.override?.name} asks for ${name}`;
  }
  return undefined;
}

/** The demand of a target that sleeps: none, and known. */
export const asleepDemand = (detail: string): Demand => ({
  replicas: 0,
  reason: "ScaledToZero",
  detail,
  holdsDown: false,
  isHold: false,
  isUnknown: false,
  metrics: [],
});

function isAtZero({ targets, set }: Policy, observation: Observation, names: ReadonlySet<string>): boolean {
  if (set !== undefined && names.has(set.name)) return observation.set.replicas === 0;
  const isZero = (_: TargetPolicy, index: number): boolean => {
    const objects = observation.targets[index]?.objects ?? [];
    return objects.length > 0 && objects.every(({ replicas }) => replicas === 0);
  };
  return targets.every((target, index) => !names.has(target.name) || isZero(target, index));
}

const isKnown = ({ isUnknown, isHold }: Demand): boolean => !isUnknown && !isHold;
