/** Random joint problems: up to 12 targets, bands in chains and cycles, couplings, one-sided and soft bands, budgets that bind. */
import fc from "fast-check";
import { couplingConstraints } from "../../src/decide/coupling.ts";
import { bandConstraints } from "../../src/decide/ratio.ts";
import type { Rule, SolveInput } from "../../src/decide/solve.ts";

/** A rule as the oracle reads it: the numbers of the policy, not the solver's constraints. */
export type OracleRule =
  | {
      readonly kind: "Ratio";
      readonly name: string;
      readonly a: number;
      readonly b: number;
      readonly min?: readonly [number, number];
      readonly max?: readonly [number, number];
      readonly isSoft: boolean;
    }
  | {
      readonly kind: "Coupling";
      readonly name: string;
      readonly steps: readonly { readonly index: number; readonly replicas: number }[];
    };

export interface RandomProblem {
  readonly input: SolveInput;
  readonly ruleOf: (rule: Rule) => OracleRule;
}

export const MAX_TARGETS = 12;

const int = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });
const each = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  fc.array(of, { minLength: MAX_TARGETS, maxLength: MAX_TARGETS });

const drawOf = (count: fc.Arbitrary<number>) =>
  fc.record({
    count,
    // A state that the rules are drawn around, so that most problems have one.
    base: each(int(1, 5)),
    steps: each(int(1, 3)),
    groups: fc.array(int(2, 4), { maxLength: 2 }),
    order: fc.shuffledSubarray(
      Array.from({ length: MAX_TARGETS }, (_, index) => index),
      { minLength: MAX_TARGETS },
    ),
    bands: fc.array(
      fc.record({
        a: int(0, MAX_TARGETS - 1),
        b: int(0, MAX_TARGETS - 1),
        below: int(1, 4),
        above: int(1, 4),
        sides: fc.constantFrom("both", "both", "min", "max"),
        isSoft: fc.constantFrom(false, false, false, true),
        isOff: fc.constantFrom(...Array.from({ length: 12 }, () => false), true),
      }),
      { maxLength: 14 },
    ),
    demands: each(fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 6, arbitrary: int(0, 3_000) })),
    gpus: each(int(0, 8)),
    mins: each(int(0, 3)),
    rooms: each(fc.oneof(int(0, 4), int(5, 40))),
    sets: fc.constantFrom<readonly [number, number]>([1, 1], [1, 1], [2, 2], [3, 3], [1, 2], [1, 3], [2, 4]),
    fixedGpus: int(0, 4),
    budget: fc.option(int(0, 250), { nil: undefined, freq: 3 }),
  });

const problemsOf = (targets: fc.Arbitrary<number>): fc.Arbitrary<RandomProblem> =>
  drawOf(targets).map((drawn) => {
    const { count, base, steps, order, demands, gpus, mins, rooms, sets, fixedGpus, budget } = drawn;
    const free = order.filter((index) => index < count);
    const state = [...base];
    const couplings: OracleRule[] = [];
    for (const [at, size] of drawn.groups.entries()) {
      const members = free.splice(0, size);
      if (members.length === 0) continue;
      const k = base[members[0] as number] as number;
      for (const index of members) state[index] = k * (steps[index] as number);
      couplings.push({
        kind: "Coupling",
        name: `coupling${at}`,
        steps: members.map((index) => ({ index, replicas: steps[index] as number })),
      });
    }
    const bands = drawn.bands.flatMap(({ a, b, below, above, sides, isSoft, isOff }, at): OracleRule[] => {
      const [one, other] = [a % count, b % count];
      if (one === other) return [];
      const [p, q] = [state[one] as number, (state[other] as number) * (isOff ? 3 : 1)];
      return [
        {
          kind: "Ratio",
          name: `band${at}`,
          a: one,
          b: other,
          isSoft,
          ...(sides === "max" ? {} : { min: [p, q * below] as const }),
          ...(sides === "min" ? {} : { max: [p * above, q] as const }),
        },
      ];
    });
    const rules = new Map<Rule, OracleRule>([...couplings, ...bands].map((rule) => [solverRule(rule), rule]));
    const wanted = (soft: boolean): Rule[] =>
      [...rules].filter(([, rule]) => (rule.kind === "Ratio" && rule.isSoft) === soft).map(([rule]) => rule);
    const targets = Array.from({ length: count }, (_, index) => ({
      demandReplicas: (demands[index] as number) / 100,
      gpusPerReplica: gpus[index] as number,
      min: mins[index] as number,
      max: Math.max(mins[index] as number, (state[index] as number) - 1) + (rooms[index] as number),
    }));
    const least = targets.reduce((sum, { min, gpusPerReplica }) => sum + min * gpusPerReplica, fixedGpus) * sets[0];
    return {
      ruleOf: (rule) => rules.get(rule) as OracleRule,
      input: {
        targets,
        hard: wanted(false),
        soft: wanted(true),
        sets: { min: sets[0], max: sets[1], current: sets[0], fixedGpus },
        gpuBudget: budget === undefined ? Number.POSITIVE_INFINITY : Math.max(0, least - 3 + budget),
        removalHeadroomRatio: 0.1,
      },
    };
  });

export const problemArbitrary = problemsOf(fc.oneof(int(1, 4), int(2, 8), int(4, MAX_TARGETS)));

/** Most problems are small: HiGHS takes a hundred times longer for a large one, and what goes wrong shows in a small one. */
export const smallProblemArbitrary = problemsOf(
  fc.oneof({ weight: 9, arbitrary: int(1, 4) }, { weight: 1, arbitrary: int(4, MAX_TARGETS) }),
);

/**
 * The same with set replicas that are there already, asked for, or held back until the inside is full. */
export const problemWithSetsArbitrary: fc.Arbitrary<RandomProblem> = fc
  .tuple(
    smallProblemArbitrary,
    fc.record({
      range: fc.constantFrom<readonly [number, number]>([1, 1], [1, 4], [1, 3], [2, 4], [1, 4]),
      current: int(0, 5),
      // Most demands fit fewer set replicas than there may be, so that what keeps or adds one shows.
      loadPercent: fc.constantFrom(5, 20, 50, 100),
      asked: fc.option(int(0, 5), { nil: undefined, freq: 2 }),
      growsAfter: fc.option(fc.uniqueArray(int(0, MAX_TARGETS - 1), { minLength: 1, maxLength: 2 }), {
        nil: undefined,
        freq: 2,
      }),
    }),
  )
  .map(
    ([
      { input, ruleOf },
      {
        range: [min, max],
        current,
        loadPercent,
        asked,
        growsAfter,
      },
    ]) => ({
      ruleOf,
      input: {
        ...input,
        targets: input.targets.map((target) => ({
          ...target,
          demandReplicas: Math.round(target.demandReplicas * loadPercent) / 100,
        })),
        sets: {
          ...input.sets,
          min,
          max,
          current,
          ...(asked === undefined ? {} : { asked }),
          ...(growsAfter === undefined
            ? {}
            : { growsAfter: [...new Set(growsAfter.map((index) => index % input.targets.length))] }),
        },
      },
    }),
  );

function solverRule(rule: OracleRule): Rule {
  const indexOf = (name: string): number => Number(name);
  if (rule.kind === "Coupling") {
    const steps = rule.steps.map(({ index, replicas }) => ({ target: `${index}`, replicas }));
    return { kind: "Coupling", name: rule.name, constraints: couplingConstraints({ name: rule.name, steps }, indexOf) };
  }
  const fraction = ([numerator, denominator]: readonly [number, number]) => ({ numerator, denominator });
  const band = {
    name: rule.name,
    between: [`${rule.a}`, `${rule.b}`] as const,
    ...(rule.min === undefined ? {} : { min: fraction(rule.min) }),
    ...(rule.max === undefined ? {} : { max: fraction(rule.max) }),
    enforcement: "Hard" as const,
    transientSlackRatio: 0,
  };
  return { kind: "Ratio", name: rule.name, constraints: bandConstraints(band, indexOf) };
}
