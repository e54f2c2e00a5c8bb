/**
 * Every state on the way: each write is one of its own, any of them may be the last that went through, and pods become ready and go in any order,
 * or never do.
 */
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { type Coupling, couplingConstraints } from "./coupling.ts";
import { leastAbove, satisfies, type Vector } from "./lattice.ts";
import type { Observation } from "./observation.ts";
import { policyOf, targetPolicy } from "./plant.fixture.ts";
import type { Policy } from "./policy.ts";
import { bandConstraints, isWithinBand, type RatioBand } from "./ratio.ts";
import { planTransition, type ScaleWrite } from "./transition.ts";

const RUNS = Number(process.env["TRANSITION_RUNS"] ?? 2_000);
/** Stories take twenty times as long as decisions. */
const STORIES = Number(process.env["TRANSITION_RUNS"] ?? 600);
const TIMEOUT_MS = 3_600_000;
const NAMES = ["prefill", "decode", "frontend"] as const;
const MOST = 24;

const indexOf = (name: string): number => NAMES.indexOf(name as (typeof NAMES)[number]);
const at = (vector: Vector, index: number): number => vector[index] as number;

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
const coupling = fc
  .tuple(
    fc.constantFrom<readonly [string, string]>(["prefill", "decode"], ["decode", "frontend"]),
    fc.nat(2),
    fc.nat(2),
  )
  .map(
    ([[a, b], more, most]): Coupling => ({
      name: "unit",
      steps: [
        { target: a, replicas: 1 + more },
        { target: b, replicas: 1 + most },
      ],
    }),
  );
const policies = fc
  .tuple(
    band("prefill", "decode"),
    band("decode", "frontend"),
    fc.boolean(),
    fc.option(coupling, { nil: undefined, freq: 2 }),
  )
  .map(([first, second, hasBoth, coupled]) =>
    policyOf({
      targets: NAMES.map((name) => targetPolicy(name)),
      ratios: hasBoth ? [first, second] : [first],
      ...(coupled === undefined ? {} : { couplings: [coupled] }),
    }),
  );
const three = (min: number, max: number) => fc.tuple(...NAMES.map(() => fc.integer({ min, max })));
const counts = three(0, 12);
const floors = three(1, 3);
const gpus = three(0, 4);

const constraintsOf = ({ ratios, couplings = [] }: Policy) => [
  ...couplings.flatMap((one) => couplingConstraints(one, indexOf)),
  ...ratios.flatMap((one) => bandConstraints(one, indexOf)),
];

/** A state that a decision could want: above the floor, in its ratios, in whole tuples. */
function wantedFrom(drawn: Vector, floor: Vector, policy: Policy): Vector {
  const start = drawn.map((value, index) => Math.max(value, at(floor, index)));
  const state = leastAbove(
    start,
    constraintsOf(policy),
    start.map(() => MOST),
  );
  fc.pre(state !== undefined);
  return state as Vector;
}

const keeps = ({ ratios }: Policy, state: Vector): boolean =>
  ratios.every((one) =>
    isWithinBand(one, at(state, indexOf(one.between[0])), at(state, indexOf(one.between[1])), one.transientSlackRatio),
  );
const cost = (state: Vector, each: Vector): number =>
  state.reduce((sum, count, index) => sum + count * at(each, index), 0);

interface World {
  readonly replicas: Vector;
  /** Of `replicas`. */
  readonly ready: Vector;
  /** Of those that are not ready: without a node, for good. */
  readonly stuck: Vector;
  readonly floor: Vector;
  readonly each: Vector;
  readonly gpusInUse: number;
}

function observe(world: World): Observation {
  return {
    nowMs: 0,
    monotonicMs: 0,
    set: { objectName: "x", resourceVersion: "1", replicas: 1, ready: 1, fixedGpus: 0, metrics: [] },
    targets: NAMES.map((_, index) => {
      const replicas = at(world.replicas, index);
      const ready = Math.min(replicas, at(world.ready, index));
      const pending = Math.min(replicas - ready, at(world.stuck, index));
      return {
        objects: [
          {
            setIndex: 0,
            objectName: `x-0-${index}`,
            resourceVersion: "1",
            replicas,
            ready,
            starting: replicas - ready - pending,
            pending,
            overdue: 0,
            isChanging: false,
          },
        ],
        minAvailable: at(world.floor, index),
        templateReplicas: at(world.floor, index),
        gpusPerReplica: at(world.each, index),
        metrics: [],
      };
    }),
    gpusInUse: world.gpusInUse,
    isSharing: false,
    startupsMs: [],
    foreignWriters: {},
  };
}

const apply = (state: Vector, { target, to }: ScaleWrite): Vector =>
  state.map((count, index) => (NAMES[index] === target ? to : count));

/** Replicas by which a target moves: those of a tuple, unless the coupling is broken already. */
const unitIn = (policy: Policy, state: Vector, name: string): number =>
  (isTuple(policy, state)
    ? policy.couplings?.flatMap(({ steps }) => steps).find(({ target }) => target === name)?.replicas
    : 1) ?? 1;

/** Whether some other order, one replica or the target's share of a tuple at a time, would have stayed inside. */
const hasSafeMove = (
  policy: Policy,
  state: Vector,
  left: readonly ScaleWrite[],
  unit: (name: string) => number,
): boolean =>
  left.some(({ target, from, to, ...rest }) =>
    keeps(policy, apply(state, { ...rest, target, from, to: from + Math.sign(to - from) * unit(target) })),
  );

const isTuple = ({ couplings = [] }: Policy, state: Vector): boolean =>
  couplings.every((one) => satisfies(state, couplingConstraints(one, indexOf)));

const seen = {
  states: 0,
  outside: 0,
  byOneUp: 0,
  stuckDowns: 0,
  before: 0,
  stuckPartner: 0,
  fromNothing: 0,
  paced: 0,
  alone: 0,
};

/** What ready replicas a decision's writes may lead to, and by which exception of docs/decisions/0013 one that is out of its band may. */
function checkReady(policy: Policy, world: World, now: readonly ScaleWrite[], asked: readonly string[]): void {
  const { targets } = observe(world);
  const objects = targets.map(({ objects: [one] }) => one as NonNullable<typeof one>);
  const unit = (name: string): number => unitIn(policy, world.replicas, name);
  for (let sent = 0; sent <= now.length; sent++) {
    const legs = now.slice(0, sent);
    const state = legs.reduce(apply, world.replicas);
    for (const one of policy.ratios) {
      const [a, b] = [indexOf(one.between[0]), indexOf(one.between[1])] as const;
      const [from, to] = [objects[a], objects[b]] as readonly [(typeof objects)[number], (typeof objects)[number]];
      if (!isWithinBand(one, from.ready, to.ready, one.transientSlackRatio)) continue;
      const range = (index: number): readonly [number, number] => {
        const { ready } = objects[index] as (typeof objects)[number];
        return [Math.min(ready, at(state, index)), Math.max(ready, at(state, index))];
      };
      for (let x = range(a)[0]; x <= range(a)[1]; x++) {
        for (let y = range(b)[0]; y <= range(b)[1]; y++) {
          seen.states++;
          if (isWithinBand(one, x, y, one.transientSlackRatio)) continue;
          seen.outside++;
          const isAHigh = isWithinBand(
            { ...one, max: { numerator: 1, denominator: 0 } },
            x,
            y,
            one.transientSlackRatio,
          );
          const [high, low] = isAHigh ? [a, b] : [b, a];
          const reached = isAHigh ? x : y;
          const left = isAHigh ? y : x;
          const up = legs.find(({ target, from: was, to: next }) => target === NAMES[high] && next > was);
          const partner = objects[low] as (typeof objects)[number];
          const isLowered = left < partner.ready;
          const { ready, replicas } = objects[high] as (typeof objects)[number];
          const why = `${JSON.stringify({ ready: objects.map((o) => o.ready), from: world.replicas, state })} ${one.name} at ${x}:${y} after ${legs.map((leg) => `${leg.target} ${leg.from}→${leg.to}`).join(", ")}`;
          if (isLowered) {
            // Both go down, and neither could have without the other.
            seen.stuckDowns++;
            expect(
              now.map(({ target, from: was, to: next }) => was - next <= unit(target) && was > next),
              why,
            ).toEqual(now.map(() => true));
          } else if (reached <= Math.max(ready, replicas)) {
            // What was asked for before becomes ready: no write of this decision has led there.
            seen.before++;
          } else if (partner.ready === 0) {
            // Nothing serves yet: the first that is ready is outside, however many follow.
            seen.fromNothing++;
          } else if (
            partner.starting === 0 &&
            partner.ready < partner.replicas &&
            !asked.includes(NAMES[low] as string)
          ) {
            // Nothing of the partner is on its way, and nothing of it will be: the bounds of a stuck target are the solver's matter.
            seen.stuckPartner++;
          } else {
            seen.byOneUp++;
            expect((up?.to ?? 0) - (up?.from ?? 0), why).toBe(unit(NAMES[high] as string));
          }
        }
      }
    }
  }
}

/** All that holds for the writes of one decision, whichever is the last that goes through. */
function checkWrites(
  policy: Policy,
  world: World,
  wanted: Vector,
  budget: number,
): { readonly now: readonly ScaleWrite[] } {
  const { now, later } = planTransition(policy, observe(world), { sets: 1, perSet: [wanted] }, budget);
  let state = world.replicas;
  let held = world.gpusInUse;
  now.forEach((write, place) => {
    const index = indexOf(write.target);
    const before = state;
    state = apply(state, write);
    // What is below its floor is never taken further down, and what is above not below it.
    expect(write.to, `floor of ${write.target}`).toBeGreaterThanOrEqual(
      Math.min(write.from + 1, at(world.floor, index)),
    );
    expect(write.to !== write.from && Math.sign(write.to - write.from)).toBe(Math.sign(at(wanted, index) - write.from));
    // What goes down holds its GPUs until it is gone.
    held += Math.max(0, write.to - write.from) * write.gpusPerReplica;
    if (write.to > write.from && write.gpusPerReplica > 0) expect(held).toBeLessThanOrEqual(budget);
    if (!keeps(policy, before) || keeps(policy, state)) return;
    expect(
      hasSafeMove(policy, before, now.slice(place), (name) => unitIn(policy, world.replicas, name)),
      `${JSON.stringify(before)} ${write.target} ${write.from}→${write.to}`,
    ).toBe(false);
  });
  expect(new Set(now.map(({ target }) => target)).size).toBe(now.length);
  if (isTuple(policy, world.replicas)) expect(isTuple(policy, state), `tuples of ${state}`).toBe(true);
  checkReady(
    policy,
    world,
    now,
    NAMES.filter((_, index) => at(wanted, index) > at(world.replicas, index)),
  );
  // Each write and what is left of it make up what was asked for.
  for (const write of later) {
    seen.paced++;
    if (now.every(({ target }) => target !== write.target)) seen.alone++;
    expect(write.from).toBe(at(state, indexOf(write.target)));
    expect(write.to).toBe(at(wanted, indexOf(write.target)));
  }
  return { now };
}

const worldOf = (replicas: Vector, ready: Vector, stuck: Vector, floor: Vector, each: Vector): World => ({
  replicas,
  ready: ready.map((count, index) => Math.min(count, at(replicas, index))),
  stuck,
  floor,
  each,
  gpusInUse: cost(replicas, each),
});

describe("the writes of one decision", () => {
  test(
    "keep slack, budget, floor and tuples, whichever is the last, whatever becomes ready or goes first, and whatever never does",
    () => {
      fc.assert(
        fc.property(
          policies,
          counts,
          fc.tuple(counts, fc.boolean()),
          three(0, 2),
          counts,
          fc.tuple(floors, gpus),
          fc.nat(200),
          (policy, from, [ready, isAllReady], stuck, to, [floor, each], budget) => {
            const isFromDecision = budget % 3 > 0;
            const state = isFromDecision ? wantedFrom(from, floor, policy) : from;
            const wanted = wantedFrom(to, floor, policy);
            checkWrites(policy, worldOf(state, isAllReady ? state : ready, stuck, floor, each), wanted, budget);
          },
        ),
        { numRuns: RUNS },
      );
      // Seen, not only allowed for.
      expect(Object.entries(seen).filter(([, times]) => times === 0)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});

/** One thing that happens between two decisions. */
const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("Ready" as const), target: fc.nat(2), pods: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("Gone" as const), gpus: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("Stuck" as const), target: fc.nat(2), pods: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("Lost" as const), target: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.constant({ kind: "Recreated" as const }) },
);

test(
  "writes that fail, pods that stay pending, are lost, go slowly, and a gang that starts again from its template: all of it holds at each decision, and in the end there is what was wanted",
  () => {
    fc.assert(
      fc.property(
        policies,
        fc.tuple(counts, counts, counts),
        fc.tuple(floors, gpus),
        fc.array(fc.record({ sent: fc.nat(3), events: fc.array(event, { maxLength: 4 }), swaps: fc.boolean() }), {
          maxLength: 6,
        }),
        (policy, [from, first, second], [floor, each], turns) => {
          const wants = [wantedFrom(first, floor, policy), wantedFrom(second, floor, policy)] as const;
          let world = worldOf(wantedFrom(from, floor, policy), [MOST, MOST, MOST], [0, 0, 0], floor, each);
          const budget = Math.max(...[world.replicas, ...wants, floor].map((state) => cost(state, each)));
          let wanted: Vector = wants[0];
          /** GPUs of what was taken away and is not gone. */
          let leaving = 0;
          const set = (change: Partial<World>): void => {
            const next = { ...world, ...change };
            world = { ...next, gpusInUse: cost(next.replicas, each) + leaving };
          };
          const turn = (most: number): void => {
            const { now } = checkWrites(policy, world, wanted, budget);
            for (const write of now.slice(0, most)) {
              const index = indexOf(write.target);
              leaving += Math.max(0, write.from - write.to) * at(each, index);
              const replicas = apply(world.replicas, write);
              set({ replicas, ready: world.ready.map((count, one) => Math.min(count, at(replicas, one))) });
            }
          };
          const change = (of: Vector, target: number, by: (value: number) => number): Vector =>
            of.map((value, index) => (index === target ? by(value) : value));
          for (const { sent, events, swaps } of turns) {
            turn(sent);
            for (const one of events) {
              if (one.kind === "Ready") {
                const most = at(world.replicas, one.target);
                set({ ready: change(world.ready, one.target, (value) => Math.min(most, value + one.pods)) });
              } else if (one.kind === "Gone") {
                leaving = Math.max(0, leaving - one.gpus);
                set({});
              } else if (one.kind === "Stuck") set({ stuck: change(world.stuck, one.target, () => one.pods) });
              else if (one.kind === "Lost") {
                set({ ready: change(world.ready, one.target, (value) => Math.max(0, value - 1)) });
              } else {
                leaving += world.replicas.reduce(
                  (sum, count, index) => sum + Math.max(0, count - at(floor, index)) * at(each, index),
                  0,
                );
                set({ replicas: floor, ready: [0, 0, 0] });
              }
            }
            if (swaps) wanted = wanted === wants[0] ? wants[1] : wants[0];
          }
          for (let tick = 0; tick < 3 * MOST; tick++) {
            leaving = 0;
            set({ ready: world.replicas, stuck: [0, 0, 0] });
            turn(Infinity);
          }
          expect(world.replicas).toEqual(wanted);
        },
      ),
      { numRuns: STORIES },
    );
  },
  TIMEOUT_MS,
);

afterAll(() => {
  if (process.env["TRANSITION_RUNS"] !== undefined) process.stdout.write(`transitions ${JSON.stringify(seen)}\n`);
});
