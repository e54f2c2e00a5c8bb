/** Ours without one of its parts, to see what the part is worth. */
import type { Scenario } from "./scenario.ts";

export const ABLATIONS = {
  noRatio: "no ratio between prefill and decode",
  postHocRatio: "ratio repaired after the limits, in one pass, as kthena does",
  noBudget: "no GPU budget in the solve",
  noPendingAccounting: "no pending accounting: what starts is ordered again",
  noForecast: "no forecast",
  noStabilization: "no stabilization window",
  noOnlineCapacity: "no online capacity: the profile is taken at its word",
  meanLatency: "goals for the mean instead of the quantile",
  onlineCapacity: "capacity learned from the running system instead of a profile",
  noCapacity: "no latency goals: signals alone",
} as const;

export type Ablation = keyof typeof ABLATIONS;

export function ablated(scenario: Scenario, ablation: Ablation): Scenario {
  const { policy } = scenario;
  const { spec } = policy;
  const withSpec = (changed: Partial<typeof spec>): Scenario => ({
    ...scenario,
    policy: { ...policy, spec: { ...spec, ...changed } },
  });
  switch (ablation) {
    case "noRatio":
      return withSpec({ ratios: [] });
    case "noBudget": {
      const { gpuBudget: _, ...rest } = spec;
      return { ...scenario, policy: { ...policy, spec: rest as typeof spec } };
    }
    case "noForecast":
      return withSpec({ forecast: { ...spec.forecast, enabled: false } });
    case "noStabilization":
      return withSpec({
        scaleTargets: spec.scaleTargets.map((target) => ({
          ...target,
          behavior: {
            scaleUp: { ...target.behavior.scaleUp, stabilizationWindowSeconds: 0 },
            scaleDown: { ...target.behavior.scaleDown, stabilizationWindowSeconds: 0 },
          },
        })),
        coldStart: { ...spec.coldStart, scaleDownWindow: "0s" },
      });
    case "meanLatency":
      return spec.slo === undefined ? scenario : withSpec({ slo: { ...spec.slo, ...meanGoals(spec.slo) } });
    case "onlineCapacity":
      return withSpec({ performanceModel: { source: "Online" } as typeof spec.performanceModel });
    case "noCapacity": {
      const { slo: _, ...rest } = spec;
      return { ...scenario, policy: { ...policy, spec: rest as typeof spec } };
    }
    // What is ordered, and what the memory holds, is the scaler's.
    case "noPendingAccounting":
    case "noOnlineCapacity":
      return scenario;
    // The repair is the scaler's.
    case "postHocRatio":
      return withSpec({ ratios: [] });
    default:
      return ablation satisfies never;
  }
}

/** The quantile of an exponential wait that is its mean: 1 - 1/e. */
const MEAN_WAIT = "p63.2";
/** A batch is a Poisson number, whose median is its mean. */
const MEAN_BATCH = "p50";

/** As those size that put mean rates and lengths into a goal: half of the requests, or a third, are late by design. */
function meanGoals({ ttft, itl }: NonNullable<Scenario["policy"]["spec"]["slo"]>) {
  return {
    // The stricter of quantile and attainment is what is sized for.
    attainment: "50%",
    ...(ttft === undefined ? {} : { ttft: { ...ttft, quantile: MEAN_WAIT } }),
    ...(itl === undefined ? {} : { itl: { ...itl, quantile: MEAN_BATCH } }),
  };
}
