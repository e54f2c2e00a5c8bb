/** A process that runs trials one after the other: takes a job, answers with its result. */
import type { Scenario } from "../../src/trial/scenario.ts";
import { tryOut } from "../../src/trial/try-out.ts";
import { caseOf } from "./cases.ts";
import { contestantOf, type Job, type JobResult } from "./job.ts";
import { scenarioOf } from "./scenario-of.ts";
import { stepsOf } from "./steps.ts";
import { missWorthsOf } from "./worth.ts";

const data = process.argv[2] ?? "";
/** Jobs come sorted by traffic: the next one mostly wants the same. */
let last: { readonly key: string; readonly scenario: Scenario } | undefined;

process.on("message", async (job: Job) => {
  try {
    const began = performance.now();
    const one = caseOf(job.case);
    const part = one[job.part];
    if (part === undefined) throw new RangeError(`${job.case} has no part for ${job.part}`);
    const key = JSON.stringify([job.case, job.part, job.seed]);
    if (last?.key !== key) last = { key, scenario: scenarioOf(one, { data, part, seed: job.seed }) };
    const scenario = { ...last.scenario, faults: job.faults ?? [] };
    const result = await tryOut(contestantOf(job.contestant), {
      scenario,
      autoscaler: job.contestant.name,
      seed: job.seed,
      missWorths: missWorthsOf(scenario),
      steps: job.part === "report" ? stepsOf(one, scenario) : [],
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
