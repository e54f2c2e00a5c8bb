/**
 * When the numbers of a target are not to be believed on the way down, and for how long: after a gap in its metrics (their server restarted, we did,
 * the network was gone), after its demand fell off a cliff from one decision to the next, and while and after most of it is lost. Rates over a window
 * that is just filling read low, and those who gave up on a broken service have not come back the moment it is whole.
 */
import type { Demand } from "./demand.ts";
import type { Memory } from "./memory.ts";
import type { Policy } from "./policy.ts";

export interface KnownMemory {
  /** When the target's demand was last known, monotonic ms. */
  readonly atMs: number;
  readonly warmUpUntilMs?: number;
  readonly warmUpAfter?: "Gap" | "Drop" | "Loss";
  /** What was wanted then, and what there was. */
  readonly replicas?: number;
  readonly current?: number;
  readonly ready?: number;
  /** Most of the target is not ready, since then; it had `ready` before. */
  readonly lost?: { readonly sinceMs: number; readonly ready: number };
  /** Labels of the metrics that have ever had a value. */
  readonly seen?: readonly string[];
}

/** A demand that falls by more than this from one decision to the next, with no scaling in between, is believed when it stays. */
const MAX_DROP_RATIO = 0.5;
/** Of so many ready replicas gone at once it is a node, a rack or an image, and not a pod. */
const LOST_RATIO = 0.5;

export interface SeenDemand {
  readonly name: string;
  /** As measured; one that is held or unknown is no measurement. */
  readonly demand: Demand;
  /** Over the whole set. */
  readonly current: number;
  readonly ready: number;
}

export function rememberKnown(
  seen: readonly SeenDemand[],
  policy: Policy,
  known: Memory["known"],
  nowMs: number,
): Memory["known"] {
  const next: Record<string, KnownMemory> = {};
  for (const one of seen) {
    const after = follow(one, policy, known[one.name], nowMs);
    if (after !== undefined) next[one.name] = after;
  }
  return next;
}

function follow(
  { demand, current, ready }: SeenDemand,
  policy: Policy,
  before: KnownMemory | undefined,
  nowMs: number,
): KnownMemory | undefined {
  const lost = lostOf({ current, ready }, policy, before, nowMs);
  const isUnknown = demand.isUnknown || demand.reason === "NoMetrics";
  if (isUnknown && before === undefined) return undefined;
  const after = warmUpAfter({ demand, current, isUnknown, isBack: lost === undefined }, policy, before, nowMs);
  const warm =
    after === undefined
      ? { untilMs: before?.warmUpUntilMs, after: before?.warmUpAfter }
      : { untilMs: nowMs + policy.metricsPolicy.warmUpMs, after };
  const measured = isUnknown
    ? { atMs: before?.atMs ?? nowMs, replicas: before?.replicas }
    : { atMs: nowMs, replicas: demand.replicas };
  return {
    atMs: measured.atMs,
    ...(measured.replicas === undefined ? {} : { replicas: measured.replicas }),
    current,
    ready,
    seen: seenLabels(demand, before?.seen ?? []),
    ...(lost === undefined ? {} : { lost }),
    ...(warm.untilMs === undefined || warm.untilMs <= nowMs
      ? {}
      : { warmUpUntilMs: warm.untilMs, ...(warm.after === undefined ? {} : { warmUpAfter: warm.after }) }),
  };
}

/** The same list while there is nothing new: it is kept from decision to decision. */
function seenLabels({ metrics }: Demand, before: readonly string[]): readonly string[] {
  const added = metrics.filter(({ label, collected }) => collected.values.length > 0 && !before.includes(label));
  return added.length === 0 ? before : [...new Set([...before, ...added.map(({ label }) => label)])].toSorted();
}

interface Now {
  readonly demand: Demand;
  readonly current: number;
  readonly isUnknown: boolean;
  readonly isBack: boolean;
}

/** What begins a warm-up now. */
function warmUpAfter(
  { demand, current, isUnknown, isBack }: Now,
  { metricsPolicy, intervalMs }: Policy,
  before: KnownMemory | undefined,
  nowMs: number,
): KnownMemory["warmUpAfter"] {
  if (before === undefined) return undefined;
  if (before.lost !== undefined && isBack) return "Loss";
  if (isUnknown) return undefined;
  if (nowMs - before.atMs > Math.max(metricsPolicy.staleAfterMs, 2 * intervalMs)) return "Gap";
  return before.warmUpUntilMs === undefined && isDrop(demand, current, before) ? "Drop" : undefined;
}

/** Below one replica a large part is a small thing. */
function isDrop(demand: Demand, current: number, before: KnownMemory): boolean {
  if (before.replicas === undefined || before.current !== current || demand.isHold) return false;
  const drop = before.replicas - demand.replicas;
  return drop >= 1 && drop > MAX_DROP_RATIO * before.replicas;
}

/** What was scaled down is not lost, nor is what is still on its way out or was never ready; and what stays away is, after a time, how it is. */
function lostOf(
  { current, ready }: { readonly current: number; readonly ready: number },
  { coldStart }: Policy,
  before: KnownMemory | undefined,
  nowMs: number,
): KnownMemory["lost"] {
  const { lost } = before ?? {};
  if (lost !== undefined) {
    const isOver = ready >= Math.min(lost.ready, current) || nowMs - lost.sinceMs >= coldStart.changeDeadlineMs;
    return isOver ? undefined : { ...lost, sinceMs: Math.min(lost.sinceMs, nowMs) };
  }
  const wasUnready = Math.max(0, (before?.current ?? 0) - (before?.ready ?? 0));
  const had = Math.min(before?.ready ?? 0, before?.current ?? 0, current - wasUnready);
  return had > 0 && ready <= (1 - LOST_RATIO) * had ? { sinceMs: nowMs, ready: had } : undefined;
}

/** Why every target of a policy is held: what the others measure is what the lost ones let through, and will until the load is back. */
export function lossOf(known: Memory["known"]): string | undefined {
  const named = (isIt: (one: KnownMemory) => boolean): string =>
    Object.entries(known)
      .filter(([, one]) => isIt(one))
      .map(([name]) => name)
      .join(", ");
  const lost = named((one) => one.lost !== undefined);
  if (lost !== "") return `most of ${lost} is not ready`;
  const back = named((one) => one.warmUpUntilMs !== undefined && one.warmUpAfter === "Loss");
  return back === "" ? undefined : `${back} was lost and is back, and its load comes back`;
}

/** A demand that holds while its numbers are not to be believed. */
export function holdWhileWarming(
  demand: Demand,
  known: KnownMemory | undefined,
  loss: string | undefined,
  nowMs: number,
): Demand {
  if (demand.holdsDown) return demand;
  if (loss !== undefined) return { ...demand, holdsDown: true, holdsBecause: loss };
  if (known?.warmUpUntilMs === undefined) return demand;
  const seconds = Math.ceil((known.warmUpUntilMs - nowMs) / 1000);
  return { ...demand, holdsDown: true, holdsBecause: `${BECAUSE[known.warmUpAfter ?? "Gap"]} for ${seconds} s` };
}

const BECAUSE = {
  Gap: "its metrics are back after a gap and warm up",
  Drop: "its demand fell by more than half at once, which has to last",
  Loss: "it was lost and is back",
} as const satisfies Record<NonNullable<KnownMemory["warmUpAfter"]>, string>;

/** A metric that is missing and never was there is more likely a wrong query than a lost server. */
export function markNeverSeen(demand: Demand, known: KnownMemory | undefined): Demand {
  const isNew = ({ label, collected }: Demand["metrics"][number]): boolean =>
    collected.quality === "Missing" &&
    (collected.isTotal || collected.missingReplicas > 0) &&
    known?.seen?.includes(label) !== true;
  if (!demand.metrics.some(isNew)) return demand;
  const metrics = demand.metrics.map((one) =>
    isNew(one)
      ? {
          ...one,
          collected: {
            ...one.collected,
            quality: "NeverSeen" as const,
            detail: `${one.collected.detail}; it never had a value: check the query, its labels and the engine`,
          },
        }
      : one,
  );
  return { ...demand, metrics };
}
