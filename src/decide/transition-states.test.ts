/** Every state on the way: each write is one of its own, and any of them may be the last that went through. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Vector } from "./lattice.ts";
import type { Observation } from "./observation.ts";
import { policyOf, targetPolicy } from "./plant.fixture.ts";
import type { Policy } from "./policy.ts";
import { isWithinBand, type RatioBand } from "./ratio.ts";
import { planTransition, type ScaleWrite } from "./transition.ts";

const RUNS = Number(process.env["TRANSITION_RUNS"] ?? 2_000);
const TIMEOUT_MS = 3_600_000;
const NAMES = ["prefill", "decode", "frontend"] as const;
const FLOOR = 1;

const band = (a: string, b: string) =>
  fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.constantFrom(0, 0.25, 0.5)).map(
    ([low, high, transientSlackRatio]): RatioBand => ({
      name: `${a}/${b}`,
      between: [a, b],
      min: { numerator: 1, denominator: low },
      max: { numerator: high, denominator: 1 },
      enforcement: "Hard",
      transientSlackRatio,
    }),
  );
const policies = fc
  .tuple(band("prefill", "decode"), band("decode", "frontend"), fc.boolean())
  .map(([first, second, hasBoth]) =>
    policyOf({ targets: NAMES.map((name) => targetPolicy(name)), ratios: hasBoth ? [first, second] : [first] }),
  );
const counts = fc.tuple(...NAMES.map(() => fc.integer({ min: FLOOR, max: 12 })));
const states = fc.array(counts, { minLength: 1, maxLength: 2 });
const gpus = fc.tuple(...NAMES.map(() => fc.integer({ min: 0, max: 4 })));

const keeps = ({ ratios }: Policy, state: Vector, slack: (one: RatioBand) => number): boolean =>
  ratios.every((one) => {
    const at = (name: string): number => state[NAMES.indexOf(name as (typeof NAMES)[number])] as number;
    return isWithinBand(one, at(one.between[0]), at(one.between[1]), slack(one));
  });
const keepsWidened = (policy: Policy, state: Vector): boolean =>
  keeps(policy, state, ({ transientSlackRatio }) => transientSlackRatio);
const cost = (state: readonly Vector[], each: Vector): number =>
  state.reduce((sum, one) => sum + one.reduce((part, count, index) => part + count * (each[index] as number), 0), 0);

function observe(state: readonly Vector[], ready: readonly Vector[], each: Vector): Observation {
  return {
    nowMs: 0,
    monotonicMs: 0,
    set: {
      objectName: "x",
      resourceVersion: "1",
      replicas: state.length,
      ready: state.length,
      fixedGpus: 0,
      metrics: [],
    },
    targets: NAMES.map((_, index) => ({
      objects: state.map((vector, setIndex) => {
        const replicas = vector[index] as number;
        const isReady = Math.min(replicas, ready[setIndex]?.[index] ?? 0);
        return {
          setIndex,
          objectName: `x-${setIndex}-${index}`,
          resourceVersion: "1",
          replicas,
          ready: isReady,
          starting: replicas - isReady,
          pending: 0,
          overdue: 0,
          isChanging: false,
        };
      }),
      minAvailable: FLOOR,
      templateReplicas: 1,
      gpusPerReplica: each[index] as number,
      metrics: [],
    })),
    gpusInUse: cost(state, each),
    isSharing: false,
    startupsMs: [],
    foreignWriters: {},
  };
}

const apply = (state: readonly Vector[], { setIndex, target, to }: ScaleWrite): readonly Vector[] =>
  state.map((vector, at) =>
    at === setIndex ? vector.map((count, index) => (NAMES[index] === target ? to : count)) : vector,
  );

/** Whether some other order, one replica at a time, would have stayed inside. */
const hasSafeMove = (policy: Policy, state: readonly Vector[], left: readonly ScaleWrite[]): boolean =>
  left.some((write) => {
    const step = { ...write, to: write.from + Math.sign(write.to - write.from) };
    return keepsWidened(policy, apply(state, step)[write.setIndex as number] as Vector);
  });

test(
  "a write leaves a widened band only where no order of the writes could stay in it; floor and budget hold after each, whichever is the last",
  () => {
    fc.assert(
      fc.property(
        policies,
        states,
        states,
        states,
        gpus,
        fc.nat(200),
        (policy, drawn, wanted, readiness, each, budget) => {
          const desired = drawn.map((_, set) => wanted[set % wanted.length] as Vector);
          const plan = planTransition(
            policy,
            observe(
              drawn,
              drawn.map((_, set) => readiness[set % readiness.length] as Vector),
              each,
            ),
            { sets: drawn.length, perSet: desired },
            budget,
          );
          let state: readonly Vector[] = drawn;
          let held = cost(drawn, each);
          plan.now.forEach((write, at) => {
            const set = write.setIndex as number;
            const before = state;
            state = apply(state, write);
            expect(write.to).toBeGreaterThanOrEqual(FLOOR);
            // What goes down holds its GPUs until it is gone.
            held += Math.max(0, write.to - write.from) * write.gpusPerReplica;
            if (write.to > write.from && write.gpusPerReplica > 0) expect(held).toBeLessThanOrEqual(budget);
            if (!keepsWidened(policy, before[set] as Vector) || keepsWidened(policy, state[set] as Vector)) return;
            const left = plan.now.slice(at).filter(({ setIndex }) => setIndex === set);
            expect(
              hasSafeMove(policy, before, left),
              `${JSON.stringify(before)} ${write.target} ${write.from}→${write.to}`,
            ).toBe(false);
          });
          expect(plan.now.length).toBeLessThanOrEqual(drawn.length * NAMES.length);
        },
      ),
      { numRuns: RUNS },
    );
  },
  TIMEOUT_MS,
);

test(
  "writes that fail, pods that stay pending and a gang that starts again from its template end, once they are over, in what was wanted",
  () => {
    fc.assert(
      fc.property(
        policies,
        counts,
        counts,
        gpus,
        fc.array(fc.nat(3), { maxLength: 4 }),
        fc.nat(4),
        (policy, from, to, each, legs, recreatedAt) => {
          fc.pre(keeps(policy, to, () => 0));
          const budget = Math.max(cost([from], each), cost([to], each), cost([[1, 1, 1]], each));
          let state: readonly Vector[] = [from];
          let ready: readonly Vector[] = [from];
          const turn = (most: number): void => {
            const { now } = planTransition(policy, observe(state, ready, each), { sets: 1, perSet: [to] }, budget);
            for (const write of now.slice(0, most)) state = apply(state, write);
          };
          legs.forEach((most, at) => {
            if (at === recreatedAt) state = [NAMES.map(() => 1)];
            // Nothing of what was asked for becomes ready meanwhile.
            turn(most);
          });
          for (let tick = 0; tick < 40; tick++) {
            ready = state;
            turn(Infinity);
          }
          expect(state).toEqual([to]);
        },
      ),
      { numRuns: RUNS },
    );
  },
  TIMEOUT_MS,
);
