/** One decision, on what ready-made policies see in the embedded world under load: all stages, without I/O. */
import { decide } from "../src/decide/decide.ts";
import { type Evaluation, inProcessQueue } from "../src/jobs/evaluation-queue.ts";
import { seededRandom } from "../src/random.ts";
import { constant, generateTraffic } from "../src/sim/traffic/generate.ts";
import { simulate } from "../test/sim/simulation.ts";
import { percentile, type Row } from "./measure.ts";

const LENGTHS = { input: { medianTokens: 1_000, spreadP90: 2 }, output: { medianTokens: 400, spreadP90: 1.8 } };
const ROUNDS = 40;

export async function benchDecide(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const example of ["multinode-prefill-decode", "prefill-decode", "prefill-decode-slo"]) {
    const evaluations = await evaluationsOf(example);
    const decided: number[][] = evaluations.map(() => []);
    const explained: number[][] = evaluations.map(() => []);
    for (let round = 0; round < ROUNDS; round++) {
      evaluations.forEach(({ policy, observation, memory }, index) => {
        const start = performance.now();
        const { decision } = decide(policy, observation, memory);
        const decidedAt = performance.now();
        // They are worked out when they are read.
        decision.targets.map(({ neighbours }) => neighbours);
        // The first rounds meet code that is not compiled yet.
        if (round < ROUNDS / 4) return;
        decided[index]?.push((decidedAt - start) * 1000);
        explained[index]?.push((performance.now() - start) * 1000);
      });
    }
    const figures = (times: number[][]): string => {
      const medians = times.map((one) => percentile(one, 0.5));
      return `p50 ${percentile(medians, 0.5).toFixed(0)} µs, slowest of ${medians.length} situations ${Math.max(...medians).toFixed(0)} µs`;
    };
    const targets = `${evaluations[0]?.policy.targets.length} targets`;
    rows.push({ what: `decide, ${example} (${targets})`, value: figures(decided), aim: "< 500 µs" });
    rows.push({ what: `decide, ${example}, with why not one more and one less`, value: figures(explained) });
  }
  return rows;
}

/** Half an hour of a ramp up and down. */
async function evaluationsOf(example: string): Promise<readonly Evaluation[]> {
  const kept: Evaluation[] = [];
  const queue = inProcessQueue();
  const simulation = await simulate({
    seed: 3,
    example,
    evaluations: {
      ...queue,
      evaluate(evaluation) {
        kept.push(evaluation);
        return queue.evaluate(evaluation);
      },
    },
  });
  await simulation.untilAvailable();
  const stages = [4, 24, 40, 12, 2].map((requestsPerSecond) => ({
    durationSeconds: 360,
    requestsPerSecond: constant(requestsPerSecond),
    ...LENGTHS,
  }));
  simulation.attach(generateTraffic(stages, seededRandom(3)));
  await simulation.clock.advance(1_800_000);
  simulation.stop();
  return kept;
}
