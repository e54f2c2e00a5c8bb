/** The whole system on virtual time with the demo's workload and load: simulated seconds per real second, and memory. */
import { seededRandom } from "../src/random.ts";
import { dayInMiniature, generateTraffic } from "../src/sim/traffic/generate.ts";
import { simulate } from "../test/sim/simulation.ts";
import { collectGarbage, megabytes, type Row, seconds } from "./measure.ts";

const DURATION_SECONDS = 1_800;

export async function benchWorld(): Promise<readonly Row[]> {
  const simulation = await simulate({ seed: 1 });
  await simulation.untilAvailable();
  simulation.attach(
    generateTraffic(
      dayInMiniature({
        durationSeconds: DURATION_SECONDS,
        baseRequestsPerSecond: 2.9,
        peakRequestsPerSecond: 24,
        input: { medianTokens: 1_000, spreadP90: 2 },
        output: { medianTokens: 900, spreadP90: 1.8 },
      }),
      seededRandom(2),
    ),
  );
  const taken = await seconds(() => simulation.clock.advance(DURATION_SECONDS * 1000));
  collectGarbage();
  const { rss, heapUsed } = process.memoryUsage();
  const { arrived } = simulation.traffic();
  simulation.stop();
  return [
    {
      what: `whole system, ${DURATION_SECONDS} s of the demo's load (${arrived} requests)`,
      value: `${(DURATION_SECONDS / taken).toFixed(0)} simulated s a second`,
      aim: "> 200",
    },
    {
      what: "resident memory, whole system in one process",
      value: `${megabytes(rss)} (heap ${megabytes(heapUsed)})`,
      aim: "< 250 MB",
    },
  ];
}
