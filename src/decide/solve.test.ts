import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { problemArbitrary } from "../../test/oracle/random-problem.ts";
import { couplingConstraints } from "./coupling.ts";
import { satisfies } from "./lattice.ts";
import { bandConstraints, type RatioBand } from "./ratio.ts";
import { type Rule, type SolveInput, type SolveTarget, solve } from "./solve.ts";

/** Problems that each law is tried on; `SOLVE_RUNS=100000` in the nightly tier. */
const RUNS = Number(process.env["SOLVE_RUNS"] ?? 1_000);
vi.setConfig({ testTimeout: Math.max(60_000, 10 * RUNS) });

const band = (min: [number, number], max: [number, number]): RatioBand => ({
  name: "prefill/decode",
  between: ["prefill", "decode"],
  min: { numerator: min[0], denominator: min[1] },
  max: { numerator: max[0], denominator: max[1] },
  enforcement: "Hard",
  transientSlackRatio: 0.25,
});
const pd = (name: string): number => ["prefill", "decode"].indexOf(name);
const rule = (name: string, constraints: Rule["constraints"]): Rule => ({ kind: "Ratio", name, constraints });
const ratios = [rule("prefill/decode", bandConstraints(band([1, 4], [1, 1]), pd))];
const pair = (name: string, prefill: number, decode: number): Rule => ({
  kind: "Coupling",
  name,
  constraints: couplingConstraints(
    {
      name,
      steps: [
        { target: "prefill", replicas: prefill },
        { target: "decode", replicas: decode },
      ],
    },
    pd,
  ),
});

const target = (demandReplicas: number, overrides: Partial<SolveTarget> = {}): SolveTarget => ({
  demandReplicas,
  gpusPerReplica: 1,
  min: 1,
  max: 100,
  ...overrides,
});
const input = (targets: readonly SolveTarget[], overrides: Partial<SolveInput> = {}): SolveInput => ({
  targets,
  hard: ratios,
  soft: [],
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
        hard: [
          rule("equal", [
            { raised: 0, by: 1, numerator: 1, denominator: 1, step: 1 },
            { raised: 1, by: 0, numerator: 1, denominator: 1, step: 1 },
          ]),
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
    const problem = input([target(1), target(8, { max: 8 })], { hard: [], soft: ratios, gpuBudget: 9 });
    expect(solve(problem)).toMatchObject({ perSet: [[1, 8]], relaxed: ["SoftRatios"] });
    expect(solve({ ...problem, gpuBudget: 10 })).toMatchObject({ perSet: [[2, 8]], relaxed: [] });
  });
});

describe("couplings", () => {
  test.each<{ name: string; problem: SolveInput; perSet: number[][]; more?: Record<string, unknown> }>([
    {
      name: "targets come as whole tuples",
      problem: input([target(2.5), target(3)], { hard: [pair("unit", 1, 2)] }),
      perSet: [[3, 6]],
    },
    {
      name: "in each set replica by itself",
      problem: input([target(3), target(5)], {
        hard: [pair("unit", 1, 2)],
        sets: { min: 2, max: 2, current: 2, fixedGpus: 0 },
      }),
      perSet: [
        [2, 4],
        [1, 2],
      ],
    },
    {
      name: "nothing at all is a tuple too, where the minima admit it",
      problem: input([target(0, { min: 0 }), target(0, { min: 0 })], { hard: [pair("unit", 2, 3)] }),
      perSet: [[0, 0]],
    },
    {
      name: "a budget takes whole tuples away",
      problem: input([target(4), target(8)], { hard: [pair("unit", 1, 2)], gpuBudget: 8 }),
      perSet: [[2, 4]],
      more: { servedRatio: 0.5, gpus: 6, limitedBy: ["GPUBudget"] },
    },
    {
      name: "with a ratio across it",
      problem: input([target(1), target(1), target(9)], {
        hard: [
          pair("unit", 1, 2),
          rule("decode/router", [{ raised: 1, by: 2, numerator: 1, denominator: 3, step: 1 }]),
        ],
      }),
      perSet: [[2, 4, 9]],
    },
    {
      name: "is kept before a ratio that contradicts it",
      problem: input([target(1), target(1)], { hard: [pair("unit", 1, 5), ...ratios] }),
      perSet: [[1, 5]],
      more: { relaxed: ["HardRatios"], givenUp: [{ relaxation: "HardRatios", kind: "Ratio", name: "prefill/decode" }] },
    },
  ])("$name", ({ problem, perSet, more }) => {
    const solution = solve(problem);
    expect(solution.perSet).toEqual(perSet);
    expect(solution).toMatchObject(more ?? {});
  });
});

describe("what has piled up, under a budget", () => {
  const queue = (gpuBudget: number, more: Partial<SolveTarget> = {}) =>
    solve(input([target(20, { loadReplicas: 10, ...more }), target(10)], { hard: [], gpuBudget }));
  test.each([
    { gpuBudget: 30, perSet: [[20, 10]], backlogRatio: 1, servedRatio: 1, limitedBy: [] },
    { gpuBudget: 25, perSet: [[15, 10]], backlogRatio: 0.5, servedRatio: 0.75, limitedBy: ["GPUBudget"] },
    { gpuBudget: 20, perSet: [[10, 10]], backlogRatio: 0, servedRatio: 0.5, limitedBy: ["GPUBudget"] },
    { gpuBudget: 10, perSet: [[5, 5]], backlogRatio: 0, servedRatio: 0.25, limitedBy: ["GPUBudget"] },
  ])("$gpuBudget GPUs: the load of both first", ({ gpuBudget, ...expected }) => {
    expect(queue(gpuBudget)).toMatchObject(expected);
  });

  test.each<{ name: string; problem: SolveInput; perSet: number[][]; more?: Record<string, unknown> }>([
    {
      name: "takes what costs nothing, however the load is cut",
      problem: input([target(12), target(20, { loadReplicas: 2, gpusPerReplica: 0 })], { hard: [], gpuBudget: 10 }),
      perSet: [[10, 20]],
      more: { backlogRatio: 1 },
    },
    ...[1.95, 2, 2.05, 3].map((load) => ({
      name: `takes what a load of ${load} cannot use`,
      problem: input([target(load, { gpusPerReplica: 8 }), target(10, { loadReplicas: 2 })], {
        hard: [],
        gpuBudget: 23,
      }),
      perSet: [[2, 7]],
    })),
    {
      name: "takes what is left where the load is at its maximum in each set replica that the budget has room for",
      problem: input([target(20.5, { max: 10 }), target(16, { loadReplicas: 4 })], {
        hard: [],
        gpuBudget: 70,
        sets: { min: 1, max: 4, current: 2, fixedGpus: 16 },
      }),
      perSet: [
        [10, 8],
        [10, 8],
      ],
      more: { limitedBy: ["Max", "GPUBudget"], atMax: [0] },
    },
    {
      name: "takes it to the last replica",
      problem: input([target(1_000, { loadReplicas: 10, gpusPerReplica: 8, max: 2_000 })], {
        hard: [],
        gpuBudget: 7_930,
      }),
      perSet: [[991]],
    },
    {
      name: "is at no maximum that the budget does not reach",
      problem: input([target(20, { loadReplicas: 2, max: 12 }), target(4)], { hard: [], gpuBudget: 10 }),
      perSet: [[6, 4]],
      more: { limitedBy: ["GPUBudget"], atMax: [] },
    },
    {
      name: "counts what a ratio gives it",
      problem: input([target(8, { loadReplicas: 4 }), target(8), target(12)], {
        hard: [
          rule("equal", [
            { raised: 0, by: 1, numerator: 1, denominator: 1, step: 1 },
            { raised: 1, by: 0, numerator: 1, denominator: 1, step: 1 },
          ]),
        ],
        gpuBudget: 20,
      }),
      perSet: [[6, 6, 8]],
      more: { backlogRatio: 0.5 },
    },
    {
      name: "leaves gpuBudget.min alone: the budget is asked for",
      problem: input([target(1_000, { loadReplicas: 10, gpusPerReplica: 8, max: 2_000 }), target(10)], {
        hard: [],
        gpuBudget: 1_000,
        gpuFloor: 1_000,
      }),
      perSet: [[123, 10]],
      more: { isRaisedToFloor: false },
    },
  ])("$name", ({ problem, perSet, more = {} }) => {
    expect(solve(problem)).toMatchObject({ perSet, ...more });
  });

  test("comes with the load where nobody knows how much of it that is", () => {
    expect(queue(20, { loadReplicas: Number.NaN }).perSet).toEqual([[13, 7]]);
  });
});

describe("what gives way is named, and is as little as possible", () => {
  const soft = (name: string, numerator: number): Rule =>
    rule(name, [{ raised: 0, by: 1, numerator, denominator: 4, step: 1 }]);

  test("of two soft ratios only the one that costs served demand, whichever comes first", () => {
    const problem = input([target(1), target(8, { max: 8 })], { hard: [], gpuBudget: 10 });
    const want = { perSet: [[2, 8]], givenUp: [{ relaxation: "SoftRatios", kind: "Ratio", name: "half" }] };
    expect(solve({ ...problem, soft: [soft("quarter", 1), soft("half", 2)] })).toMatchObject(want);
    expect(solve({ ...problem, soft: [soft("half", 2), soft("quarter", 1)] })).toMatchObject(want);
  });

  test("of soft ratios that exclude each other the first is kept", () => {
    const twice = rule("twice", [{ raised: 1, by: 0, numerator: 2, denominator: 1, step: 1 }]);
    const same = rule("same", [{ raised: 0, by: 1, numerator: 1, denominator: 1, step: 1 }]);
    const problem = input([target(3, { max: 4 }), target(3, { max: 8 })], { hard: [] });
    expect(solve({ ...problem, soft: [twice, same] })).toMatchObject({ perSet: [[3, 6]], givenUp: [{ name: "same" }] });
    expect(solve({ ...problem, soft: [same, twice] })).toMatchObject({
      perSet: [[3, 3]],
      givenUp: [{ name: "twice" }],
    });
  });

  test("a hard ratio gives way before the budget does, and demand is served with what is left", () => {
    // The ratio needs 3 prefill for the 9 decode of the minimum viable set: 12 GPUs.
    const problem = input([target(1), target(10, { min: 9 })], { gpuBudget: 11 });
    expect(solve(problem)).toMatchObject({ perSet: [[1, 10]], gpus: 11, relaxed: ["HardRatios"], servedRatio: 1 });
    expect(solve({ ...problem, gpuBudget: 12 })).toMatchObject({ perSet: [[3, 9]], relaxed: [], servedRatio: 0.9 });
  });

  test("of several hard ratios the others stay", () => {
    const impossible = rule("impossible", [{ raised: 0, by: 1, numerator: 3, denominator: 1, step: 1 }]);
    const solution = solve(input([target(1, { max: 2 }), target(5)], { hard: [impossible, ...ratios] }));
    expect(solution).toMatchObject({ perSet: [[2, 5]], givenUp: [{ name: "impossible" }] });
    expect(solution.kept).toEqual(ratios[0]?.constraints);
  });

  test("rules that meet only at millions of replicas are given up, not looked for", () => {
    const all = [target(3), target(7), target(5)].map((one) => ({ ...one, max: 2 ** 31 - 1 }));
    const exactly = (name: string, [a, b]: readonly [number, number], first: number, second: number) =>
      rule(name, [
        { raised: a, by: b, numerator: first, denominator: second, step: 1 },
        { raised: b, by: a, numerator: second, denominator: first, step: 1 },
      ]);
    const hard = [exactly("first", [0, 1], 46_338, 46_337), exactly("second", [1, 2], 46_327, 46_328)];
    expect(solve(input(all, { hard }))).toMatchObject({
      perSet: [[3, 7, 5]],
      givenUp: [{ name: "first" }, { name: "second" }],
    });
    const near = [exactly("first", [0, 1], 4, 3), exactly("second", [1, 2], 5, 7)];
    expect(solve(input(all, { hard: near }))).toMatchObject({ perSet: [[20, 15, 21]], givenUp: [] });
  });

  test("the target whose maximum cuts the demand is named, not the one it holds down", () => {
    expect(solve(input([target(1, { max: 2 }), target(16)])).atMax).toEqual([0]);
    expect(solve(input([target(1), target(16, { max: 9 })])).atMax).toEqual([1]);
    expect(solve(input([target(1), target(16)])).atMax).toEqual([]);
  });
});

describe("number of set replicas", () => {
  const sets = { min: 1, max: 4, current: 1, fixedGpus: 0 };

  test("is decided by cost: three replicas round a ratio better than two", () => {
    // 10 decode at 1:4 need 2 + 2 prefill in two set replicas of 5, and 1 + 1 + 1 in three.
    const targets = [target(0, { gpusPerReplica: 8 }), target(10, { max: 8 })];
    const quarter = [rule("quarter", [{ raised: 0, by: 1, numerator: 1, denominator: 4, step: 1 }])];
    const solution = solve(input(targets, { hard: quarter, sets: { ...sets, current: 2 } }));
    expect(solution.perSet).toEqual([
      [1, 4],
      [1, 3],
      [1, 3],
    ]);
  });

  test.each([1, 2, 3, 4])("of numbers that cost the same the one that is there stays: %i", (current) => {
    const even = input([target(4, { min: 0 })], { hard: [], sets: { ...sets, current } });
    expect(solve(even).perSet).toHaveLength(current);
  });

  test("is no dearer with more of them where the first serves everything", () => {
    expect(solve(input([target(0, { min: 0 }), target(4, { min: 0 })], { sets })).perSet).toHaveLength(1);
  });

  test("what is asked for the sets themselves is given as far as the budget goes", () => {
    const asking = { ...sets, asked: 3 };
    expect(solve(input([target(1), target(1)], { sets: asking })).perSet).toHaveLength(3);
    expect(solve(input([target(1), target(1)], { sets: asking, gpuBudget: 5 }))).toMatchObject({
      perSet: [
        [1, 1],
        [1, 1],
      ],
      relaxed: [],
    });
  });

  describe("spill: the set grows only after the named targets", () => {
    const targets = [target(3, { max: 2 }), target(6, { max: 12 })];
    const free = input(targets, { hard: [] });

    test.each([
      { name: "prefill is at its maximum: one is added", growsAfter: [0], want: 2 },
      { name: "decode is not at its maximum: none is", growsAfter: [1], want: 1 },
      { name: "all of them have to be", growsAfter: [0, 1], want: 1 },
      { name: "without the rule it is decided by demand", growsAfter: undefined, want: 2 },
    ])("$name", ({ growsAfter, want }) => {
      const range = growsAfter === undefined ? sets : { ...sets, growsAfter };
      expect(solve({ ...free, sets: range }).perSet).toHaveLength(want);
    });

    test("the sets' own metrics do not pass it", () => {
      const range = { ...sets, growsAfter: [1], asked: 4 };
      expect(solve({ ...free, sets: range }).perSet).toHaveLength(1);
    });

    test("what is there already may stay", () => {
      const range = { ...sets, current: 2, growsAfter: [1] };
      expect(solve({ ...free, sets: range }).perSet).toHaveLength(2);
    });
  });
});

describe("gpuBudget.min", () => {
  test.each<{ name: string; problem: SolveInput; perSet: number[][]; raised: boolean }>([
    {
      name: "is met in the mix that the demand gives",
      problem: input([target(1), target(2)], { gpuFloor: 9 }),
      perSet: [[3, 6]],
      raised: true,
    },
    {
      name: "does nothing where demand is above it",
      problem: input([target(3), target(7)], { gpuFloor: 9 }),
      perSet: [[3, 7]],
      raised: false,
    },
    {
      name: "without demand grows the minimum viable set",
      problem: input([target(0), target(0)], { gpuFloor: 5 }),
      perSet: [[3, 3]],
      raised: true,
    },
    {
      name: "ends at the maxima",
      problem: input([target(1, { max: 2 }), target(2, { max: 3 })], { gpuFloor: 50 }),
      perSet: [[2, 3]],
      raised: true,
    },
    {
      name: "adds set replicas where those there are full",
      problem: input([target(1, { max: 2 }), target(2, { max: 2 })], {
        gpuFloor: 6,
        sets: { min: 1, max: 3, current: 1, fixedGpus: 0 },
      }),
      perSet: [
        [1, 2],
        [1, 2],
      ],
      raised: true,
    },
    {
      name: "adds set replicas whose GPUs are those of no target",
      problem: input([target(1, { gpusPerReplica: 0 }), target(1, { gpusPerReplica: 0 })], {
        gpuFloor: 3,
        sets: { min: 1, max: 3, current: 1, fixedGpus: 2 },
      }),
      perSet: [
        [1, 1],
        [1, 1],
      ],
      raised: true,
    },
    {
      name: "gives way to the hard budget by less than a replica",
      problem: input([target(1, { gpusPerReplica: 4 }), target(1, { gpusPerReplica: 4 })], {
        gpuFloor: 14,
        gpuBudget: 14,
      }),
      perSet: [[1, 2]],
      raised: true,
    },
  ])("$name", ({ problem, perSet, raised }) => {
    expect(solve(problem)).toMatchObject({ perSet, isRaisedToFloor: raised });
  });

  test("is reached wherever maxima and budget admit it, and serves no less", () => {
    fc.assert(
      fc.property(problemArbitrary, fc.integer({ min: 1, max: 200 }), ({ input: drawn }, gpuFloor) => {
        const plain = solve(drawn);
        const raised = solve({ ...drawn, gpuFloor });
        expect(raised.servedRatio).toBe(plain.servedRatio);
        expect(raised.gpus).toBeGreaterThanOrEqual(plain.gpus);
        expect(raised.gpus).toBeLessThanOrEqual(Math.max(drawn.gpuBudget, plain.gpus));
        for (const vector of raised.perSet) expect(satisfies(vector, raised.kept)).toBe(true);
        if (drawn.gpuBudget !== Number.POSITIVE_INFINITY || plain.givenUp.length > 0) return;
        const everything = solve({
          ...drawn,
          targets: drawn.targets.map((one) => ({ ...one, demandReplicas: 1e6 })),
          sets: { ...drawn.sets, min: drawn.sets.max },
        });
        if (everything.givenUp.length === 0)
          expect(raised.gpus).toBeGreaterThanOrEqual(Math.min(gpuFloor, everything.gpus));
      }),
      { numRuns: RUNS },
    );
  });
});

describe("laws", () => {
  const holdSets = (problem: SolveInput): SolveInput => ({
    ...problem,
    sets: { ...problem.sets, max: problem.sets.min },
  });
  const scaled = (problem: SolveInput, factor: number): SolveInput => ({
    ...problem,
    targets: problem.targets.map((one) => ({ ...one, demandReplicas: one.demandReplicas * factor })),
  });
  const isAbove = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]): boolean =>
    a.every((vector, set) => vector.every((value, index) => value >= (b[set]?.[index] as number)));

  test("bounds and, unless named as given up, every rule and the budget hold in every set replica", () => {
    fc.assert(
      fc.property(problemArbitrary, fc.integer({ min: 0, max: 5 }), ({ input: problem }, current) => {
        const solution = solve({ ...problem, sets: { ...problem.sets, current } });
        const givenUp = new Set(solution.givenUp.map(({ name }) => name));
        for (const vector of solution.perSet) {
          vector.forEach((replicas, index) => {
            expect(replicas).toBeGreaterThanOrEqual(problem.targets[index]?.min as number);
            expect(replicas).toBeLessThanOrEqual(problem.targets[index]?.max as number);
          });
          for (const { name, constraints } of [...problem.hard, ...problem.soft])
            if (!givenUp.has(name)) expect(satisfies(vector, constraints), name).toBe(true);
        }
        if (!solution.relaxed.includes("GPUBudget")) expect(solution.gpus).toBeLessThanOrEqual(problem.gpuBudget);
      }),
      { numRuns: RUNS },
    );
  });

  test("more budget never serves less; with the same set replicas and rules nothing shrinks", () => {
    fc.assert(
      fc.property(problemArbitrary, fc.integer({ min: 0, max: 50 }), ({ input: problem }, more) => {
        const less = solve(problem);
        const richer = solve({ ...problem, gpuBudget: problem.gpuBudget + more });
        if (less.relaxed.includes("HardRatios") || less.relaxed.includes("GPUBudget")) return;
        expect(richer.servedRatio).toBeGreaterThanOrEqual(less.servedRatio - 1e-9);
        const held = solve({ ...holdSets(problem), soft: [] });
        const grown = solve({ ...holdSets(problem), soft: [], gpuBudget: problem.gpuBudget + more });
        expect(isAbove(grown.perSet, held.perSet)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  test("more demand never takes fewer GPUs, and with the same set replicas nothing shrinks", () => {
    const demands = fc.array(fc.integer({ min: 0, max: 500 }), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(problemArbitrary, demands, ({ input: drawn }, more) => {
        const problem = { ...drawn, gpuBudget: Number.POSITIVE_INFINITY, soft: [] };
        const busier = {
          ...problem,
          targets: problem.targets.map((one, index) => ({
            ...one,
            demandReplicas: one.demandReplicas + (more[index] as number) / 100,
          })),
        };
        expect(isAbove(solve(holdSets(busier)).perSet, solve(holdSets(problem)).perSet)).toBe(true);
        const after = solve(busier);
        if (after.servedRatio >= 1) expect(after.gpus).toBeGreaterThanOrEqual(solve(problem).gpus);
      }),
      { numRuns: RUNS },
    );
  });

  test("more demand in the same mix never shrinks anything under a budget", () => {
    fc.assert(
      fc.property(problemArbitrary, fc.integer({ min: 100, max: 300 }), ({ input: drawn }, percent) => {
        const problem = { ...holdSets(drawn), soft: [] };
        expect(isAbove(solve(scaled(problem, percent / 100)).perSet, solve(problem).perSet)).toBe(true);
      }),
      { numRuns: RUNS },
    );
  });

  test("what has piled up takes nothing from what comes: with the same set replicas nothing is below its goal for the load alone", () => {
    const seen = { cut: 0, partly: 0, loadCut: 0 };
    const shares = fc.array(fc.integer({ min: 20, max: 120 }), { minLength: 12, maxLength: 12 });
    fc.assert(
      fc.property(problemArbitrary, shares, ({ input: drawn }, percents) => {
        const problem = { ...holdSets(drawn), soft: [] };
        const flowOf = ({ demandReplicas }: SolveTarget, index: number): number =>
          (demandReplicas * (percents[index] as number)) / 100;
        const asked = {
          ...problem,
          targets: problem.targets.map((one, index) => ({ ...one, loadReplicas: flowOf(one, index) })),
        };
        const load = {
          ...problem,
          targets: problem.targets.map((one, index) => ({
            ...one,
            demandReplicas: Math.min(one.demandReplicas, flowOf(one, index)),
          })),
        };
        const both = solve(asked);
        expect(isAbove(both.perSet, solve(load).perSet)).toBe(true);
        const alike = solve(problem);
        expect(both.limitedBy.includes("GPUBudget")).toBe(alike.limitedBy.includes("GPUBudget"));
        expect(both.loadRatio).toBeGreaterThanOrEqual(both.servedRatio - 1e-9);
        if (!both.limitedBy.includes("GPUBudget")) expect(both).toEqual(alike);
        else {
          seen.cut++;
          if (both.backlogRatio > 0) seen.partly++;
          else if (solve(load).limitedBy.includes("GPUBudget")) seen.loadCut++;
        }
      }),
      { numRuns: RUNS },
    );
    expect(Math.min(seen.cut, seen.partly, seen.loadCut)).toBeGreaterThan(20);
  });

  test("numbers that are none never throw and never give replicas that are none", () => {
    const odd = fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 1e300, 1e-300);
    fc.assert(
      fc.property(problemArbitrary, fc.array(odd, { minLength: 24, maxLength: 24 }), ({ input: problem }, values) => {
        const solution = solve({
          ...problem,
          targets: problem.targets.map((one, index) => ({
            ...one,
            demandReplicas: values[index] as number,
            ...(index % 2 === 0 ? { loadReplicas: values[12 + index] as number } : {}),
          })),
        });
        for (const ratio of [solution.loadRatio, solution.backlogRatio]) expect(ratio >= 0 && ratio <= 1).toBe(true);
        for (const vector of solution.perSet)
          for (const value of vector) expect(Number.isSafeInteger(value)).toBe(true);
        expect(solution.servedRatio).toBeGreaterThanOrEqual(0);
        expect(solution.servedRatio).toBeLessThanOrEqual(1);
      }),
      { numRuns: RUNS },
    );
  });
});
