import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { solveMilp } from "../../test/oracle/milp.ts";
import { greatestBelow, type LatticeConstraint, leastAbove, satisfies } from "./lattice.ts";
import { bandConstraints, type RatioBand } from "./ratio.ts";
import { type SolveInput, type SolveTarget, solve } from "./solve.ts";

const band = (min: [number, number], max: [number, number]): RatioBand => ({
  name: "prefill/decode",
  between: ["prefill", "decode"],
  min: { numerator: min[0], denominator: min[1] },
  max: { numerator: max[0], denominator: max[1] },
  enforcement: "Hard",
  transientSlackRatio: 0.25,
});
const pd = (name: string): number => ["prefill", "decode"].indexOf(name);
const ratios = bandConstraints(band([1, 4], [1, 1]), pd);

const target = (demandReplicas: number, overrides: Partial<SolveTarget> = {}): SolveTarget => ({
  demandReplicas,
  gpusPerReplica: 1,
  min: 1,
  max: 100,
  ...overrides,
});
const input = (targets: readonly SolveTarget[], overrides: Partial<SolveInput> = {}): SolveInput => ({
  targets,
  hardRatios: ratios,
  softRatios: [],
  sets: { min: 1, max: 1, current: 1, fixedGpus: 0 },
  gpuBudget: Number.POSITIVE_INFINITY,
  removalHeadroomRatio: 0.1,
  ...overrides,
});

describe("worked by hand: prefill and decode, 1:4 to 1:1", () => {
  test.each<{ name: string; problem: SolveInput; perSet: number[][]; more?: Record<string, unknown> }>([
    { name: "demand inside the band is rounded up", problem: input([target(1.2), target(3.1)]), perSet: [[2, 4]] },
    { name: "much decode pulls prefill up to a quarter", problem: input([target(1), target(9)]), perSet: [[3, 9]] },
    { name: "much prefill pulls decode up to one each", problem: input([target(5), target(2)]), perSet: [[5, 5]] },
    { name: "no demand leaves the minimum", problem: input([target(0), target(0)]), perSet: [[1, 1]] },
    {
      name: "a maximum cuts its target and those that the ratio ties to it",
      problem: input([target(1, { max: 2 }), target(16)]),
      perSet: [[2, 8]],
      more: { limitedBy: ["Max"], servedRatio: 0.5 },
    },
    {
      name: "a budget cuts all roles by one served fraction",
      problem: input([target(4), target(8)], { gpuBudget: 6 }),
      perSet: [[2, 4]],
      more: { limitedBy: ["GPUBudget"], servedRatio: 0.5 },
    },
    {
      name: "what the fraction leaves of the budget goes to the role that binds next",
      problem: input([target(2), target(8)], { gpuBudget: 7 }),
      perSet: [[2, 5]],
      more: { servedRatio: 0.625 },
    },
    {
      name: "more budget is not spent past a target at its maximum (a counterexample of the law below)",
      problem: {
        ...input(
          [
            target(0, { min: 0, max: 5 }),
            target(5, { gpusPerReplica: 6, min: 0, max: 5 }),
            target(5.01, { gpusPerReplica: 4, max: 5 }),
          ],
          { gpuBudget: 29 },
        ),
        hardRatios: [
          { raised: 0, by: 1, numerator: 1, denominator: 1 },
          { raised: 1, by: 0, numerator: 1, denominator: 1 },
        ],
      },
      perSet: [[2, 2, 3]],
    },
    {
      name: "a budget below the minimum viable set keeps the minimum viable set and says so",
      problem: input([target(4, { min: 2 }), target(8, { min: 2 })], { gpuBudget: 3 }),
      perSet: [[2, 2]],
      more: { relaxed: ["GPUBudget"] },
    },
    {
      name: "a ratio without an integer solution in the bounds is given up last, and named",
      problem: input([target(1, { max: 1 }), target(5, { min: 5 })]),
      perSet: [[1, 5]],
      more: { relaxed: ["HardRatios"] },
    },
  ])("$name", ({ problem, perSet, more }) => {
    const solution = solve(problem);
    expect(solution.perSet).toEqual(perSet);
    expect(solution).toMatchObject(more ?? {});
  });

  const sets = { min: 1, max: 4, current: 1, fixedGpus: 2 };
  test("grows inside while the targets have room, then adds a whole instance", () => {
    const grown = (demand: number): readonly (readonly number[])[] =>
      solve(input([target(demand / 4, { max: 2 }), target(demand, { max: 8 })], { sets })).perSet;
    expect(grown(8)).toEqual([[2, 8]]);
    expect(grown(9)).toEqual([
      [2, 5],
      [1, 4],
    ]);
  });

  test("removes an instance only when the rest serves the demand with headroom", () => {
    const setsFor = (demand: number): number =>
      solve(input([target(1), target(demand, { max: 8 })], { sets: { ...sets, current: 2 } })).perSet.length;
    expect(setsFor(7.9)).toBe(2);
    expect(setsFor(7.1)).toBe(1);
  });

  test("a soft ratio gives way to served demand and is reported", () => {
    const problem = input([target(1), target(8, { max: 8 })], { hardRatios: [], softRatios: ratios, gpuBudget: 9 });
    expect(solve(problem)).toMatchObject({ perSet: [[1, 8]], relaxed: ["SoftRatios"] });
    expect(solve({ ...problem, gpuBudget: 10 })).toMatchObject({ perSet: [[2, 8]], relaxed: [] });
  });
});

const bandArbitrary = fc
  .record({
    p: fc.integer({ min: 1, max: 4 }),
    q: fc.integer({ min: 1, max: 6 }),
    wider: fc.integer({ min: 1, max: 4 }),
  })
  .map(({ p, q, wider }) => band([p, q], [p * wider, q]));

const problemArbitrary = fc
  .record({
    targetCount: fc.integer({ min: 2, max: 4 }),
    bands: fc.array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 }), bandArbitrary), {
      maxLength: 3,
    }),
    demands: fc.array(
      fc.integer({ min: 0, max: 3_000 }).map((hundredths) => hundredths / 100),
      { minLength: 4, maxLength: 4 },
    ),
    gpus: fc.array(fc.integer({ min: 1, max: 8 }), { minLength: 4, maxLength: 4 }),
    mins: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 4 }),
    rooms: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 4, maxLength: 4 }),
    sets: fc.integer({ min: 1, max: 3 }),
    fixedGpus: fc.integer({ min: 0, max: 4 }),
    budget: fc.option(fc.integer({ min: 1, max: 200 }), { nil: Number.POSITIVE_INFINITY }),
  })
  .map(({ targetCount, bands, demands, gpus, mins, rooms, sets, fixedGpus, budget }) => {
    const constraints: LatticeConstraint[] = bands.flatMap(([a, b, ratio]) =>
      a % targetCount === b % targetCount
        ? []
        : bandConstraints(ratio, (name) => (name === "prefill" ? a : b) % targetCount),
    );
    return input(
      Array.from({ length: targetCount }, (_, index) => ({
        demandReplicas: demands[index] as number,
        gpusPerReplica: gpus[index] as number,
        min: mins[index] as number,
        max: (mins[index] as number) + (rooms[index] as number),
      })),
      { hardRatios: constraints, sets: { min: sets, max: sets, current: sets, fixedGpus }, gpuBudget: budget },
    );
  });

/** The same problem as a mixed-integer program; `e` deals the larger shares freely, ours nests them. */
function asMilp({ targets, hardRatios, sets: { min: sets, fixedGpus } }: SolveInput, budget?: number): string {
  const x = (set: number, index: number): string => `x_${set}_${index}`;
  const rows: string[] = [];
  const bounds: string[] = [];
  const integers: string[] = [];
  const binaries: string[] = [];
  const cost: string[] = [];
  for (let set = 0; set < sets; set++) {
    targets.forEach(({ gpusPerReplica, min, max }, index) => {
      integers.push(x(set, index));
      bounds.push(`${min} <= ${x(set, index)} <= ${max}`);
      cost.push(`${gpusPerReplica} ${x(set, index)}`);
    });
    for (const { raised, by, numerator, denominator } of hardRatios) {
      rows.push(`${denominator} ${x(set, raised)} - ${numerator} ${x(set, by)} >= 0`);
    }
  }
  targets.forEach(({ demandReplicas }, index) => {
    const total = Math.ceil(demandReplicas - 1e-9);
    const extras: string[] = [];
    for (let set = 0; set < sets; set++) {
      if (budget !== undefined) {
        rows.push(`${x(set, index)} - ${demandReplicas} lambda >= 0`);
      } else {
        const extra = `e_${set}_${index}`;
        extras.push(extra);
        binaries.push(extra);
        rows.push(`${x(set, index)} - ${extra} >= ${Math.floor(total / sets)}`);
      }
    }
    if (extras.length > 0) rows.push(`${extras.join(" + ")} = ${total % sets}`);
  });
  if (budget !== undefined) {
    rows.push(`${cost.join(" + ")} <= ${budget - sets * fixedGpus}`);
    bounds.push("0 <= lambda <= 1");
  }
  const objective = budget === undefined ? `Minimize\n obj: ${cost.join(" + ")}` : "Maximize\n obj: lambda";
  return `${objective}\nSubject To\n${rows.map((row, at) => ` c${at}: ${row}`).join("\n")}\nBounds\n ${bounds.join("\n ")}\nGeneral\n ${integers.join(" ")}\n${binaries.length > 0 ? `Binary\n ${binaries.join(" ")}\n` : ""}End\n`;
}

describe("against the MILP solver HiGHS", () => {
  test("the least joint state costs what the optimum costs", async () => {
    await fc.assert(
      fc.asyncProperty(problemArbitrary, async (problem) => {
        const unbounded = { ...problem, gpuBudget: Number.POSITIVE_INFINITY };
        const oracle = await solveMilp(asMilp(unbounded));
        const ours = solve(unbounded);
        if (oracle === undefined) {
          expect(ours.servedRatio < 1 || ours.relaxed.length > 0).toBe(true);
        } else {
          expect(ours.relaxed).toEqual([]);
          expect(ours.gpus - problem.sets.min * problem.sets.fixedGpus).toBe(Math.round(oracle.objective));
        }
      }),
      { numRuns: 150 },
    );
  });

  test("the served fraction under a budget is the greatest there is", async () => {
    await fc.assert(
      fc.asyncProperty(problemArbitrary, fc.integer({ min: 1, max: 150 }), async (drawn, budget) => {
        const problem = { ...drawn, sets: { ...drawn.sets, min: 1, max: 1, current: 1 }, gpuBudget: budget };
        // A maximum cuts its own target only, which one common fraction does not express.
        const roomy = { ...problem, targets: problem.targets.map((one) => ({ ...one, max: 1_000 })) };
        const oracle = await solveMilp(asMilp(roomy, budget));
        const ours = solve(roomy);
        if (oracle === undefined) expect(ours.relaxed).not.toEqual([]);
        else {
          const fractions = roomy.targets.map(({ demandReplicas }, index) =>
            demandReplicas > 0 ? (ours.perSet[0]?.[index] as number) / demandReplicas : 1,
          );
          expect(Math.min(1, ...fractions)).toBeCloseTo(oracle.objective, 5);
        }
      }),
      { numRuns: 150 },
    );
  });
});

describe("laws", () => {
  test("bounds and, unless named as given up, ratios and budget hold in every set replica", () => {
    fc.assert(
      fc.property(problemArbitrary, (problem) => {
        const solution = solve(problem);
        for (const vector of solution.perSet) {
          vector.forEach((replicas, index) => {
            expect(replicas).toBeGreaterThanOrEqual(problem.targets[index]?.min as number);
            expect(replicas).toBeLessThanOrEqual(problem.targets[index]?.max as number);
          });
          if (!solution.relaxed.includes("HardRatios")) expect(satisfies(vector, problem.hardRatios)).toBe(true);
        }
        if (!solution.relaxed.includes("GPUBudget")) expect(solution.gpus).toBeLessThanOrEqual(problem.gpuBudget);
      }),
      { numRuns: 2_000 },
    );
  });

  test("more budget never serves less", () => {
    fc.assert(
      fc.property(
        problemArbitrary,
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 0, max: 50 }),
        (problem, budget, more) => {
          const servedWith = (gpuBudget: number): number => solve({ ...problem, gpuBudget }).servedRatio;
          expect(servedWith(budget + more)).toBeGreaterThanOrEqual(servedWith(budget) - 1e-9);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test("least above and greatest below are what they say, by enumeration", () => {
    const box = fc.tuple(fc.integer({ min: 0, max: 6 }), fc.integer({ min: 0, max: 6 }));
    fc.assert(
      fc.property(bandArbitrary, box, (ratio, [a, b]) => {
        const constraints = bandConstraints(ratio, pd);
        const all = Array.from({ length: 49 }, (_, at) => [Math.floor(at / 7), at % 7]).filter((v) =>
          satisfies(v, constraints),
        );
        const above = all.filter((v) => (v[0] as number) >= a && (v[1] as number) >= b);
        const below = all.filter((v) => (v[0] as number) <= a && (v[1] as number) <= b);
        const least = leastAbove([a, b], constraints, [6, 6]);
        const greatest = greatestBelow([a, b], constraints, [0, 0]);
        expect(least).toEqual(
          above.find((v) =>
            above.every((w) => (v[0] as number) <= (w[0] as number) && (v[1] as number) <= (w[1] as number)),
          ),
        );
        expect(greatest).toEqual(
          below.find((v) =>
            below.every((w) => (v[0] as number) >= (w[0] as number) && (v[1] as number) >= (w[1] as number)),
          ),
        );
      }),
    );
  });
});
