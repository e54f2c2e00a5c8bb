/** The joint solve, p50 and p99 per call, on random problems of 3 and of 8 targets. */
import { bandConstraints, type RatioBand } from "../src/decide/ratio.ts";
import { type SolveInput, solve } from "../src/decide/solve.ts";
import { type Random, seededRandom } from "../src/random.ts";
import { percentile, type Row } from "./measure.ts";

const PROBLEMS = 20_000;

export function benchSolver(): readonly Row[] {
  return [3, 8].map((targetCount) => {
    const random = seededRandom(targetCount);
    const problems = Array.from({ length: PROBLEMS }, () => problem(targetCount, random));
    for (const one of problems.slice(0, 2_000)) solve(one);
    const micros = problems.map((one) => {
      const start = performance.now();
      solve(one);
      return (performance.now() - start) * 1000;
    });
    return {
      what: `solve, ${targetCount} targets, 1-4 set replicas, ratios, budget`,
      value: `p50 ${percentile(micros, 0.5).toFixed(1)} µs, p99 ${percentile(micros, 0.99).toFixed(1)} µs`,
      aim: "p99 < 100 µs",
    };
  });
}

function problem(targetCount: number, random: Random): SolveInput {
  const upTo = (limit: number): number => Math.floor(random.next() * limit);
  const names = Array.from({ length: targetCount }, (_, index) => `t${index}`);
  const ratios = names.slice(1).flatMap((name, index): readonly RatioBand[] => [
    {
      name,
      between: [names[index] as string, name],
      min: { numerator: 1, denominator: 2 + upTo(4) },
      max: { numerator: 1 + upTo(3), denominator: 1 },
      enforcement: "Hard",
      transientSlackRatio: 0.25,
    },
  ]);
  return {
    targets: names.map(() => ({
      demandReplicas: random.next() * 40,
      gpusPerReplica: 1 + upTo(8),
      min: 1,
      max: 16 + upTo(16),
    })),
    hard: ratios.map((band) => ({
      kind: "Ratio",
      name: band.name,
      constraints: bandConstraints(band, (name) => names.indexOf(name)),
    })),
    soft: [],
    sets: { min: 1, max: 4, current: 1 + upTo(4), fixedGpus: upTo(3) },
    // A third of the problems is cut by its budget.
    gpuBudget: random.next() < 1 / 3 ? 40 + upTo(200) : Number.POSITIVE_INFINITY,
    removalHeadroomRatio: 0.1,
  };
}
