/** A process that runs trials one after the other: takes a job, answers with its result. */
import type { MissWorth } from "../../src/trial/measures/cost.ts";
import type { KnownStep } from "../../src/trial/measures/reaction.ts";
import type { Scenario } from "../../src/trial/scenario.ts";
import { tryOut } from "../../src/trial/try-out.ts";
import { type Case, caseOf } from "./cases.ts";
import { contestantOf, type Job, type JobResult } from "./job.ts";
import { scenarioOf } from "./scenario-of.ts";
import { stepsOf } from "./steps.ts";
import { missWorthsOf } from "./worth.ts";

const data = process.argv[2] ?? "";
interface Prepared {
  readonly key: string;
  readonly scenario: Scenario;
  readonly missWorths: readonly MissWorth[];
  readonly steps: readonly KnownStep[];
}

/** Jobs come sorted by traffic: the next one mostly wants the same. */
let last: Prepared | undefined;

function prepare(key: string, one: Case, { part, seed }: Job): Prepared {
  const found = one[part];
  if (found === undefined) throw new RangeError(`${one.name} has no part for ${part}`);
  const scenario = scenarioOf(one, { data, part: found, seed });
  return {
    key,
    scenario,
    missWorths: missWorthsOf(scenario),
    steps: part === "report" ? stepsOf(one, scenario) : [],
  };
}

process.on("message", async (job: Job) => {
  try {
    const began = performance.now();
    const key = JSON.stringify([job.case, job.part, job.seed]);
    if (last?.key !== key) last = prepare(key, caseOf(job.case), job);
    const { scenario, missWorths, steps } = last;
    const result = await tryOut(contestantOf(job.contestant), {
      scenario: { ...scenario, faults: job.faults ?? [] },
      autoscaler: job.contestant.name,
      seed: job.seed,
      missWorths,
      steps,
      stopwatch: () => performance.now(),
    });
    const answer: JobResult = { ...result, seconds: (performance.now() - began) / 1000 };
    process.send?.({ result: answer });
  } catch (error) {
    process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
// Whoever started it is gone.
process.on("disconnect", () => process.exit(0));
