/** Ours without one of its parts, to see what the part is worth. */
import type { Scenario } from "./scenario.ts";

export const ABLATIONS = {
  noRatio: "no ratio between prefill and decode",
  postHocRatio: "ratio repaired after the limits, in one pass, as kthena does",
  noBudget: "no GPU budget in the solve",
  noPendingAccounting: "starting replicas do not count as capacity",
  noForecast: "no forecast",
  noStabilization: "no stabilization window",
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
    case "noPendingAccounting":
      return withSpec({ coldStart: { ...spec.coldStart, countStarting: "Ignore" } });
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
      });
    case "onlineCapacity":
      return withSpec({ performanceModel: { source: "Online" } as typeof spec.performanceModel });
    case "noCapacity": {
      const { slo: _, ...rest } = spec;
      return { ...scenario, policy: { ...policy, spec: rest as typeof spec } };
    }
    // The repair is the scaler's.
    case "postHocRatio":
      return withSpec({ ratios: [] });
    default:
      return ablation satisfies never;
  }
}
