/** Whatever is admitted and whatever is observed: a decision or a hold, with a reason, that can be written and remembered. */
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { anyObservation } from "./any-observation.fixture.ts";
import { admittedPolicies } from "./any-policy.fixture.ts";
import { permittedInterval } from "./behavior.ts";
import { decide } from "./decide.ts";
import type { Decision } from "./decision.ts";
import { emptyMemory, type Memory, objectKey, recordWrites } from "./memory.ts";
import type { Observation } from "./observation.ts";
import { once } from "./once.ts";
import { isInPanic } from "./panic.ts";
import { type Policy, readPolicy } from "./policy.ts";

/**
 * Policies, each with one to four observations one after the other; `npm run test:nightly` judges more than 100,000 decisions by each law. Most moves are
 * exempt from the limit of a rate: fewer than these would not notice.
 */
const RUNS = Number(process.env["DECIDE_RUNS"] ?? 250);
const MAX_TURNS = 4;
/** The nightly tier takes minutes. */
const TIMEOUT_MS = 3_600_000;

interface Case {
  readonly policy: Policy;
  readonly observation: Observation;
  readonly memory: Memory;
  readonly decision: Decision;
  readonly next: Memory;
}

/** The memory goes from one case to the next, and through a checkpoint as after a restart. */
function playCase(policy: Policy, draw: fc.GeneratorValue, judge: (one: Case) => void): void {
  let memory: Memory = emptyMemory;
  let nowMs = Date.UTC(2026, 0, 1);
  let monotonicMs = nowMs;
  const turns = draw(fc.integer, { min: 1, max: MAX_TURNS });
  for (let turn = 0; turn < turns; turn++) {
    const observation = anyObservation(draw, policy, nowMs, monotonicMs);
    const { decision, memory: next } = decide(policy, observation, memory);
    judge({ policy, observation, memory, decision, next });
    const done = decision.transition.now.slice(0, draw(fc.integer, { min: 0, max: 4 }));
    memory = JSON.parse(JSON.stringify(recordWrites(next, policy, done, monotonicMs))) as Memory;
    monotonicMs += draw(() => fc.constantFrom(1_000, 15_000, 600_000));
    // The clock on the wall may be set.
    nowMs += draw(() => fc.constantFrom(1_000, 15_000, 86_400_000, -3_600_000));
  }
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0;
const indexOf = ({ targets }: Policy, name: string): number => targets.findIndex((one) => one.name === name);

/** Paths of what JSON has no word for. */
function badNumbers(value: unknown, path = "memory"): readonly string[] {
  if (typeof value === "number") return Number.isFinite(value) ? [] : [`${path} is ${value}`];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, one]) => badNumbers(one, `${path}.${key}`));
}

const LAWS = {
  "gives whole numbers, a reason in words, and a memory that survives a checkpoint; and the same again": ({
    policy,
    observation,
    memory,
    decision,
    next,
  }: Case): void => {
    const { desired, transition, targets, message, reason } = decision;
    expect(
      isCount(desired.sets) && desired.perSet.every((vector) => vector.every(isCount)),
      `desired ${JSON.stringify(desired)}`,
    ).toBe(true);
    for (const { from, to, target } of [...transition.now, ...transition.later])
      expect(isCount(from) && isCount(to) && from !== to, `${target} ${from}→${to}`).toBe(true);
    for (const { name, goal, desired: wanted } of targets) expect(isCount(goal) && isCount(wanted), name).toBe(true);
    expect(message.length > 0 && reason.length > 0 && !/NaN|undefined|Infinity/.test(message), message).toBe(true);
    expect(badNumbers(next), "numbers that a checkpoint cannot hold").toEqual([]);
    expect(JSON.stringify(decide(policy, observation, memory))).toBe(JSON.stringify({ decision, memory: next }));
  },
  "never writes a target below the minimum viable set, and no up past the budget, also with the others refused": ({
    policy,
    observation,
    decision,
  }: Case): void => {
    let gpusInUse = observation.gpusInUse;
    const { override } = observation;
    const written = decision.transition.now.map(({ level, target, setIndex }) => `${level} ${target} ${setIndex}`);
    expect(new Set(written).size, "one write an object").toBe(written.length);
    const limit = override?.force === true ? Infinity : (decision.budget.gpusMax ?? Infinity);
    for (const { level, target, from, to, gpusPerReplica } of decision.transition.now) {
      if (to > from) {
        gpusInUse += (to - from) * gpusPerReplica;
        if (gpusPerReplica > 0) expect(gpusInUse, `GPUs after ${target} ${from}→${to}`).toBeLessThanOrEqual(limit);
      }
      if (level === "PodCliqueSet" || to > from || decision.zero?.isAsleep === true) continue;
      const index = indexOf(policy, target);
      // By force a person may go down to what Grove itself needs.
      const floor = Math.max(
        observation.targets[index]?.minAvailable ?? 0,
        override === undefined ? (policy.targets[index]?.minViableOverride ?? 0) : 0,
      );
      expect(to, `floor of ${target}`).toBeGreaterThanOrEqual(floor);
    }
  },
  "never passes a rate limit that no bound, override, panic or want of nodes overrules": ({
    policy,
    observation,
    memory,
    decision,
    next,
  }: Case): void => {
    if (observation.override !== undefined || decision.zero !== undefined) return;
    if (decision.stages.some(({ reason }) => ["CapacityPending", "Schedule"].includes(reason))) return;
    for (const { level, target, setIndex = 0, from, to } of decision.transition.now) {
      const { behavior, minReplicas, maxReplicas, minViableOverride } = policy.targets[indexOf(policy, target)] ?? {};
      if (level === "PodCliqueSet" || behavior === undefined || isInPanic(next.panics[target], observation.monotonicMs))
        continue;
      const floor = Math.max(
        minReplicas ?? 0,
        minViableOverride ?? 0,
        observation.targets[indexOf(policy, target)]?.minAvailable ?? 0,
      );
      if (from < floor || from > (maxReplicas ?? 0)) continue;
      const { events = [] } = memory.objects[objectKey(target, setIndex)] ?? {};
      const { lo, hi } = permittedInterval(
        from,
        behavior,
        { recommendations: [[observation.monotonicMs, to]], events },
        observation.monotonicMs,
      );
      expect(to >= lo && to <= hi, `${target} ${from}→${to} in ${lo} to ${hi}: ${decision.message}`).toBe(true);
    }
  },
};

type Law = keyof typeof LAWS;

/** A run of `fc.gen()` is kept until its property ends, at 100 kB each. */
const RUNS_AT_A_TIME = 500;

/** What broke a law first. */
const broken = new Map<Law, unknown>();
let decisions = 0;

/** Each case is judged by every law: a policy that admission takes is far more work to find than to decide by. */
const play = once(() => {
  const { seed = 0 } = fc.readConfigureGlobal();
  for (let first = 0; first < RUNS; first += RUNS_AT_A_TIME) {
    // Shrinking replays a drawn world many times over, and says less than the numbers below do.
    const part = { numRuns: Math.min(RUNS_AT_A_TIME, RUNS - first), seed: seed + first, endOnFailure: true };
    let run = 0;
    fc.assert(
      fc.property(admittedPolicies, fc.gen(), ({ spec }, draw) => {
        run++;
        playCase(readPolicy(spec), draw, (one) =>
          judge(one, () => `case ${run} of seed ${part.seed}, ${JSON.stringify(spec)}`),
        );
      }),
      part,
    );
  }
  return broken;
});

function judge(one: Case, name: () => string): void {
  decisions++;
  for (const law of Object.keys(LAWS) as Law[]) {
    if (broken.has(law)) continue;
    try {
      LAWS[law](one);
    } catch (cause) {
      broken.set(law, new Error(`${name()}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause }));
    }
  }
}

test.each(Object.keys(LAWS) as Law[])(
  "any policy, any observation: %s",
  (law) => {
    const error = play().get(law);
    if (error !== undefined) throw error;
    expect(decisions).toBeGreaterThan(RUNS);
  },
  TIMEOUT_MS,
);

afterAll(() => {
  if (process.env["DECIDE_RUNS"] !== undefined) process.stdout.write(`any-case: ${decisions} decisions\n`);
});
