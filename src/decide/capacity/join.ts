/** The latency goals as one more metric of a target: the most wins, and what is unknown shrinks nothing. Pure. */
import type { Demand, MetricDemand } from "../demand.ts";
import type { SloTerm } from "./slo-term.ts";

export function joinSlo(demand: Demand, term: SloTerm | undefined, currentReplicas: number): Demand {
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
      return known({ ...demand, metrics }, term, currentReplicas, isAlone);
    default:
      return term satisfies never;
  }
}

function known(
  demand: Demand,
  { replicas, detail, isMissed }: Extract<SloTerm, { kind: "Known" }>,
  currentReplicas: number,
  isAlone: boolean,
): Demand {
  const raised: Demand =
    isAlone || replicas > demand.replicas
      ? {
          ...demand,
          replicas,
          reason: "SLO",
          detail,
          isHold: false,
          // It was measured; what else is unknown still shrinks nothing.
          isUnknown: false,
          holdsDown: demand.holdsDown,
        }
      : demand;
  if (!isMissed || raised.replicas >= currentReplicas) return raised;
  return {
    ...raised,
    replicas: currentReplicas,
    reason: "SLOMissed",
    detail: `measured latency is above its goal, nothing goes down; ${raised.detail}`,
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
