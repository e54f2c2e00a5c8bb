/** What of our own policy is tuned: as many numbers as a peer has, each one a field that a user would turn. */
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { parseDurationMs } from "../api/duration.ts";
import type { Parameters, PeerParameter } from "../peers/peer.ts";

/** A parameter without a value leaves the policy as it is: the default is the policy's own. */
export const OUR_PARAMETERS: Readonly<Record<string, Omit<PeerParameter, "default">>> = {
  attainmentPercent: { min: 90, max: 99.5, scale: "linear", about: "spec.slo.attainment" },
  scaleDownWindowSeconds: { min: 30, max: 900, scale: "log", about: "behavior.scaleDown.stabilizationWindowSeconds" },
  upTolerance: { min: 0, max: 0.1, scale: "linear", about: "behavior.scaleUp.tolerance" },
  scaleDownPods: { min: 1, max: 8, scale: "integer", about: "behavior.scaleDown: replicas a minute" },
  ttftShare: { min: 0.5, max: 1.2, scale: "linear", about: "spec.slo.ttft.target over the target that is judged" },
  itlShare: { min: 0.5, max: 1.1, scale: "linear", about: "spec.slo.itl.target over the target that is judged" },
  forecastQuantilePercent: { min: 50, max: 97, scale: "linear", about: "spec.forecast.quantile" },
};

export function withParameters(policy: ScalingPolicy, parameters: Parameters): ScalingPolicy {
  const {
    attainmentPercent,
    scaleDownWindowSeconds,
    scaleDownPods,
    upTolerance,
    ttftShare,
    itlShare,
    forecastQuantilePercent,
  } = parameters;
  const { slo, forecast, scaleTargets } = policy.spec;
  const scaled = (target: string, share: number): string => `${Math.round(milliseconds(target) * share)}ms`;
  return {
    ...policy,
    spec: {
      ...policy.spec,
      ...(slo === undefined
        ? {}
        : {
            slo: {
              ...slo,
              ...(attainmentPercent === undefined ? {} : { attainment: `${round(attainmentPercent)}%` }),
              ...(slo.ttft === undefined || ttftShare === undefined
                ? {}
                : { ttft: { ...slo.ttft, target: scaled(slo.ttft.target, ttftShare) } }),
              ...(slo.itl === undefined || itlShare === undefined
                ? {}
                : { itl: { ...slo.itl, target: scaled(slo.itl.target, itlShare) } }),
            },
          }),
      forecast: {
        ...forecast,
        ...(forecastQuantilePercent === undefined ? {} : { quantile: `p${round(forecastQuantilePercent)}` }),
      },
      // What is tried is what acts.
      ...(scaleDownWindowSeconds === undefined
        ? {}
        : { coldStart: { ...policy.spec.coldStart, scaleDownWindow: "0s" } }),
      scaleTargets: scaleTargets.map((target) => ({
        ...target,
        behavior: {
          ...target.behavior,
          scaleUp: {
            ...target.behavior.scaleUp,
            ...(upTolerance === undefined ? {} : { tolerance: String(upTolerance) }),
          },
          scaleDown: {
            ...target.behavior.scaleDown,
            ...(scaleDownWindowSeconds === undefined
              ? {}
              : { stabilizationWindowSeconds: Math.round(scaleDownWindowSeconds) }),
            ...(scaleDownPods === undefined
              ? {}
              : { policies: [{ type: "Pods" as const, value: Math.round(scaleDownPods), periodSeconds: 60 }] }),
          },
        },
      })),
    },
  };
}

const round = (value: number): number => Math.round(value * 10) / 10;

/** Of a duration that admission has let through. */
function milliseconds(text: string): number {
  const value = parseDurationMs(text);
  if (value === undefined) throw new RangeError(`"${text}" is no duration`);
  return value;
}
