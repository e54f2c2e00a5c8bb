/** What every EvaluationQueue does, wherever it evaluates. */
import { afterEach, describe, expect, test } from "vitest";
import { decide } from "../../src/decide/decide.ts";
import type { Evaluation, EvaluationQueue } from "../../src/jobs/evaluation-queue.ts";
import { sampleEvaluation } from "./jobs-samples.ts";

export function describeEvaluationQueue(name: string, make: () => Promise<EvaluationQueue>): void {
  describe(`EvaluationQueue: ${name}`, () => {
    let queue: EvaluationQueue | undefined;
    afterEach(async () => {
      await queue?.close();
      queue = undefined;
    });
    const open = async (): Promise<EvaluationQueue> => {
      queue = await make();
      return queue;
    };
    const expected = ({ policy, observation, memory }: Evaluation) => decide(policy, observation, memory);

    test("the answer is the decision, number by number", async () => {
      const evaluation = sampleEvaluation();
      expect(await (await open()).evaluate(evaluation)).toEqual(expected(evaluation));
    });

    test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
      "a reading of %s is not finite there either",
      async (value) => {
        const evaluation = sampleEvaluation({ value });
        const result = await (await open()).evaluate(evaluation);
        expect(result).toEqual(expected(evaluation));
        expect(result.decision.stages.find(({ stage }) => stage === "collect")?.reason).toBe("NonFinite");
      },
    );

    test("memory goes from one evaluation to the next", async () => {
      const evaluations = await open();
      let memory = sampleEvaluation().memory;
      for (let turn = 1; turn <= 3; turn++) {
        const evaluation = sampleEvaluation({ atMs: 1_000_000 + turn * 15_000, memory });
        const result = await evaluations.evaluate(evaluation);
        expect(result).toEqual(expected(evaluation));
        expect(result.memory.decisions).toBe(turn);
        memory = result.memory;
      }
    });

    test("many policies at once get each their own answer", async () => {
      const evaluations = await open();
      const many = Array.from({ length: 50 }, (_, index) =>
        sampleEvaluation({ key: `serving/p${index}`, value: 0.2 + index / 50 }),
      );
      const results = await Promise.all(many.map((one) => evaluations.evaluate(one)));
      expect(results).toEqual(many.map(expected));
    });

    test("two evaluations of one policy at once get each their own answer", async () => {
      const evaluations = await open();
      const pair = [sampleEvaluation({ value: 0.1 }), sampleEvaluation({ value: 0.95 })];
      const results = await Promise.all(pair.map((one) => evaluations.evaluate(one)));
      expect(results).toEqual(pair.map(expected));
    });

    test("what cannot be decided is the caller's error, and no reason to be degraded", async () => {
      const evaluations = await open();
      const broken = { ...sampleEvaluation(), policy: {} as Evaluation["policy"] };
      await expect(evaluations.evaluate(broken)).rejects.toThrow(TypeError);
      expect(evaluations.degraded).toBeUndefined();
    });

    test("all is well, so nothing is degraded", async () => {
      const evaluations = await open();
      await evaluations.evaluate(sampleEvaluation());
      expect(evaluations.degraded).toBeUndefined();
    });
  });
}
