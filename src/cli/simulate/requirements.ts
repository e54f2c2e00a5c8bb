/** `attainment>=0.95`: what a pipeline requires of a simulation. Pure. */
import type { TrialMeasures } from "../../trial/measures/measure-trial.ts";
import { UsageError } from "../errors.ts";

type Read = (measures: TrialMeasures) => number | undefined;

const QUANTITIES: Readonly<Record<string, Read>> = {
  attainment: ({ bySlo }) => bySlo[0]?.values.attainmentRatio,
  ttftAttainment: ({ bySlo }) => bySlo[0]?.values.ttftAttainmentRatio,
  itlAttainment: ({ bySlo }) => bySlo[0]?.values.itlAttainmentRatio,
  goodputPerGpuHour: ({ bySlo }) => bySlo[0]?.values.goodputPerGpuHour,
  gpuHours: ({ values }) => values.allocatedGpuHours,
  ttftP90Ms: ({ values }) => values.ttftP90Ms,
  ttftP99Ms: ({ values }) => values.ttftP99Ms,
  itlP90Ms: ({ values }) => values.itlP90Ms,
  itlP99Ms: ({ values }) => values.itlP99Ms,
  flapsPerHour: ({ values }) => values.flapsPerHour,
  overBudgetSeconds: ({ values }) => values.overBudgetSeconds,
  belowFloorSeconds: ({ values }) => values.belowFloorSpecSeconds,
  outOfBandSeconds: ({ values }) => values.outOfBandSpecSeconds,
  lostRequests: ({ values }) => values.lostOnScaleIn,
};

const COMPARE: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  ">=": (a, b) => a >= b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  "<": (a, b) => a < b,
};

export interface Requirement {
  readonly text: string;
  /** What is wrong; undefined: met. What was not measured is not met. */
  check(measures: TrialMeasures): string | undefined;
}

/** @throws UsageError */
export function parseRequirement(text: string): Requirement {
  const match = /^\s*([A-Za-z0-9]+)\s*(>=|<=|>|<)\s*([0-9.]+(?:e-?[0-9]+)?)(%?)\s*$/.exec(text);
  const [, name = "", sign = "", number = "", percent] = match ?? [];
  const read = QUANTITIES[name];
  const wanted = Number(number) / (percent === "%" ? 100 : 1);
  if (match === null || read === undefined || !Number.isFinite(wanted)) {
    throw new UsageError(
      `--require: "${text}" is not like attainment>=0.95; quantities: ${Object.keys(QUANTITIES).join(", ")}; signs: ${Object.keys(COMPARE).join(" ")}`,
    );
  }
  return {
    text: `${name}${sign}${wanted}`,
    check(measures) {
      const value = read(measures);
      if (value === undefined) return `required ${name}${sign}${wanted}, and ${name} was not measured`;
      return COMPARE[sign]?.(value, wanted) === true
        ? undefined
        : `required ${name}${sign}${wanted}, got ${Number(value.toPrecision(4))}`;
    },
  };
}
