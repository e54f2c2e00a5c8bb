/** The latency goals as one more metric of a target: the most wins, and what is unknown shrinks nothing. Pure. */
import type { Totals } from "../current.ts";
import type { Demand, MetricDemand } from "../demand.ts";
import type { SloTerm } from "./slo-term.ts";

/**
 * @param demand of the target's own metrics
 * @param totals of the target
 */
export function joinSlo(demand: Demand, term: SloTerm | undefined, totals: Totals): Demand {
  const currentReplicas = totals.current;
  if (term === undefined) return demand;
  // A fallback was configured for exactly this.
  if (demand.reason === "Fallback" && term.kind !== "Known") return demand;
  const metrics = [...demand.metrics, metricOf(term)];
  const isAlone = demand.reason === "NoMetrics";
  switch (term.kind) {
    case "Silent":
      // With no metric of its own nothing would be left to say how much the target has to do.
      return isAlone
        ? hold({ ...demand, metrics }, currentReplicas, `slo: ${term.detail}; nothing else sizes the target`)
        : demand;
    case "Unknown":
      return isAlone || demand.replicas < currentReplicas
        ? hold({ ...demand, metrics }, currentReplicas, `slo: ${term.detail}`, isAlone || demand.isUnknown)
        : { ...demand, metrics, holdsDown: true };
    case "Known":
      return known(withoutQueue({ ...demand, metrics }, term, totals), term, currentReplicas, isAlone);
    default:
      return term satisfies never;
  }
}

/** Of what serves: what a queue may add to it while nothing starts. */
const QUEUE_GROWTH = 0.25;

/**
 * Where the load is known, what waits is part of it, and what it needs is ordered. A queue that stands all the same, with everything ready that was
 * ordered, says that a replica serves less than it should: then it adds a little, and a little more at the next look.
 */
function withoutQueue(demand: Demand, term: KnownTerm, totals: Totals): Demand {
  if (demand.isBacklog !== true || demand.isHold || demand.replicas <= term.replicas) return demand;
  const most = Math.min(demand.replicas, mostByQueue(totals));
  const replicas = Math.max(term.replicas, demand.flowReplicas ?? 0, most);
  if (replicas === demand.replicas) return demand;
  const why = isWhole(totals)
    ? "what waits is in the load already, a quarter more than serve"
    : "what waits is in the load already, and replicas are on their way";
  return { ...demand, replicas, reason: "BacklogLimited", detail: `${demand.detail}; ${why}` };
}

const isWhole = ({ current, ready, starting, pending }: Totals): boolean =>
  starting + pending === 0 && ready >= current;

/** What a queue asks for at most where the load is known. */
export function mostByQueue(totals: Totals): number {
  const { current, ready } = totals;
  return isWhole(totals) ? ready + Math.max(1, QUEUE_GROWTH * ready) : current;
}

type KnownTerm = Extract<SloTerm, { kind: "Known" }>;

function known(
  { loadReplicas, ...demand }: Demand,
  term: KnownTerm,
  currentReplicas: number,
  isAlone: boolean,
): Demand {
  const { replicas, detail, isMissed, flowReplicas, isHeld } = term;
  const ownFlow = demand.isBacklog === true || isAlone ? demand.flowReplicas : demand.replicas;
  const flow = Math.max(flowReplicas, ownFlow ?? 0);
  const holdsDown = demand.holdsDown || isHeld === true;
  const raised: Demand =
    isAlone || replicas > demand.replicas
      ? {
          ...demand,
          replicas,
          flowReplicas: flow,
          reason: "SLO",
          detail,
          isHold: false,
          // It was measured; what else is unknown still shrinks nothing.
          isUnknown: false,
          holdsDown,
        }
      : {
          ...demand,
          flowReplicas: flow,
          // What runs or waits in the engines is load; what a queue asks for beyond it is not.
          ...(demand.isBacklog === true ? { loadReplicas: Math.max(replicas, loadReplicas ?? 0) } : {}),
          holdsDown,
        };
  if (!isMissed || raised.replicas >= currentReplicas) return raised;
  const { loadReplicas: _, ...held } = raised;
  return {
    ...held,
    replicas: currentReplicas,
    reason: "SLOMissed",
    detail: `measured latency is above its goal, nothing goes down; ${held.detail}`,
    holdsDown: true,
  };
}

function hold(demand: Demand, currentReplicas: number, detail: string, isUnknown = false): Demand {
  return {
    ...demand,
    replicas: Math.max(demand.replicas, currentReplicas),
    reason: "MetricUnknown",
    detail: demand.reason === "NoMetrics" ? detail : `${detail}; ${demand.detail}`,
    holdsDown: true,
    isHold: true,
    isUnknown,
  };
}

function metricOf(term: SloTerm): MetricDemand {
  const isKnown = term.kind === "Known";
  return {
    label: "slo",
    collected: {
      // Silence is on purpose and no fault of the metrics.
      quality: term.kind === "Unknown" ? "Missing" : "Ok",
      values: isKnown ? [term.value] : [],
      isTotal: true,
      missingReplicas: 0,
      coverageRatio: term.kind === "Unknown" ? 0 : 1,
      detail: isKnown ? "" : term.detail,
    },
    targetValue: isKnown ? term.capacity : 0,
    reason: isKnown ? "SLO" : "MetricUnknown",
    ...(isKnown ? { value: term.value, replicas: term.replicas } : {}),
  };
}
