/** The joint solve, p50 and p99 per call, on random problems of 3 and of 8 targets; and beside the MILP solver HiGHS on some of the same problems. */
import { offerOf } from "../src/decide/offer.ts";
import { bandConstraints, type RatioBand } from "../src/decide/ratio.ts";
import { type Rule, type SolveInput, solve } from "../src/decide/solve.ts";
import { type Random, seededRandom } from "../src/random.ts";
import { goalOracle } from "../test/oracle/goal-milp.ts";
import type { OracleRule } from "../test/oracle/random-problem.ts";
import { percentile, type Row } from "./measure.ts";

const PROBLEMS = 20_000;
/** HiGHS takes a tenth of a second for each. */
const ORACLE_PROBLEMS = 60;
const ROUNDS = 100;

export async function benchSolver(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const targetCount of [3, 8, 12]) {
    const random = seededRandom(targetCount);
    const problems = Array.from({ length: PROBLEMS }, () => problem(targetCount, random));
    for (const one of problems.slice(0, 2_000)) solve(one);
    const micros = timed(problems, solve);
    rows.push({
      what: `solve, ${targetCount} targets, 1-4 set replicas, ratios, budget`,
      value: `p50 ${percentile(micros, 0.5).toFixed(1)} µs, p99 ${percentile(micros, 0.99).toFixed(1)} µs`,
      aim: "p99 < 100 µs",
    });
    if (targetCount === 8) rows.push(await besideHighs(problems), offers(problems));
  }
  return rows;
}

function timed(problems: readonly SolveInput[], work: (problem: SolveInput) => unknown): number[] {
  return problems.map((one) => {
    const start = performance.now();
    work(one);
    return (performance.now() - start) * 1000;
  });
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** Both solve the same problems in the same run; the ratio is of the means, ours over many rounds. */
async function besideHighs(problems: readonly SolveInput[]): Promise<Row> {
  const same = problems.slice(0, ORACLE_PROBLEMS);
  const highsMicros: number[] = [];
  let agreed = 0;
  for (const one of same) {
    const start = performance.now();
    const oracle = await goalOracle({ ...one, sets: { ...one.sets, current: one.sets.min } }, oracleRule);
    highsMicros.push((performance.now() - start) * 1000);
    const { gpus, servedRatio } = solve({ ...one, sets: { ...one.sets, current: one.sets.min } });
    if (gpus === oracle.gpus && Math.abs(servedRatio - oracle.servedRatio) < 1e-5) agreed++;
  }
  const ours = Array.from({ length: ROUNDS }, () => timed(same, solve)).flat();
  const ratio = mean(highsMicros) / mean(ours);
  return {
    what: `HiGHS on ${same.length} of them (same answer on ${agreed})`,
    value: `mean ${(mean(highsMicros) / 1000).toFixed(1)} ms = ${ratio.toFixed(0)} × solve`,
    aim: "≥ 1,000 ×",
  };
}

function offers(problems: readonly SolveInput[]): Row {
  const micros = timed(problems.slice(0, 2_000), (problem) => offerOf(problem, problem.gpuBudget));
  return {
    what: "offer to a shared budget, 8 targets, 21 points of the curve",
    value: `p50 ${percentile(micros, 0.5).toFixed(0)} µs, p90 ${percentile(micros, 0.9).toFixed(0)} µs`,
  };
}

/** The oracle's reading of a rule, off the constraints: all bands here have both sides. */
function oracleRule({ kind, name, constraints }: Rule): OracleRule {
  if (kind === "Coupling") {
    return { kind, name, steps: constraints.map(({ by, denominator }) => ({ index: by, replicas: denominator })) };
  }
  const [least, most] = constraints as [Rule["constraints"][number], Rule["constraints"][number]];
  return {
    kind,
    name,
    a: least.raised,
    b: least.by,
    min: [least.numerator, least.denominator],
    max: [most.denominator, most.numerator],
    isSoft: false,
  };
}

function problem(targetCount: number, random: Random): SolveInput {
  const upTo = (limit: number): number => Math.floor(random.next() * limit);
  const names = Array.from({ length: targetCount }, (_, index) => `t${index}`);
  const indexOf = (name: string): number => names.indexOf(name);
  const bands = names.slice(1).map(
    (name, index): RatioBand => ({
      name,
      between: [names[index] as string, name],
      min: { numerator: 1, denominator: 2 + upTo(4) },
      max: { numerator: 1 + upTo(3), denominator: 1 },
      enforcement: "Hard",
      transientSlackRatio: 0.25,
    }),
  );
  const rules = bands.map(
    (band): Rule => ({
      kind: "Ratio",
      name: band.name,
      constraints: bandConstraints(band, indexOf),
    }),
  );
  return {
    targets: names.map(() => ({
      demandReplicas: random.next() * 40,
      gpusPerReplica: 1 + upTo(8),
      min: 1,
      max: 16 + upTo(16),
    })),
    hard: rules,
    soft: [],
    sets: { min: 1, max: 4, current: 1 + upTo(4), fixedGpus: upTo(3) },
    // A third of the problems is cut by its budget.
    gpuBudget: random.next() < 1 / 3 ? 40 + upTo(200) : Number.POSITIVE_INFINITY,
    removalHeadroomRatio: 0.1,
  };
}
