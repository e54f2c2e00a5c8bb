/** Traffic whose right answer is known: one change at a time, in requests of known lengths. */
import { type Random, seededRandom } from "../../random.ts";
import {
  burst,
  constant,
  type GeneratedArrival,
  generateTraffic,
  type LengthShape,
  lengthMean,
  type Phase,
  type RateShape,
  ramp,
  sine,
} from "./generate.ts";

export interface SyntheticTraffic {
  readonly name: string;
  /** One sentence for people. */
  readonly about: string;
  readonly durationSeconds: number;
  /** Clients at the same time, each with its phases one after the other. */
  readonly clients: readonly { readonly client: string; readonly phases: readonly Phase[] }[];
  /** When the load changes at once, up or down. */
  readonly stepsAtSeconds: readonly number[];
}

const MINUTE = 60;
const INPUT: LengthShape = { medianTokens: 1_024, spreadP90: 1 };
const OUTPUT: LengthShape = { medianTokens: 256, spreadP90: 1 };
const tokens = (medianTokens: number, spreadP90 = 1): LengthShape => ({ medianTokens, spreadP90 });

type Part = readonly [minutes: number, shape: RateShape, input?: LengthShape, output?: LengthShape];

const phasesOf = (parts: readonly Part[]): readonly Phase[] =>
  parts.map(([minutes, requestsPerSecond, input = INPUT, output = OUTPUT]) => ({
    durationSeconds: minutes * MINUTE,
    requestsPerSecond,
    input,
    output,
  }));

interface Recipe {
  readonly about: string;
  readonly clients: (perSecond: number) => Readonly<Record<string, readonly Part[]>>;
  readonly stepsAtMinutes?: readonly number[];
}

const one =
  (parts: (perSecond: number) => readonly Part[]): Recipe["clients"] =>
  (perSecond) => ({ all: parts(perSecond) });

const stepBy = (factor: number): Recipe => ({
  about: `steady, ×${factor} at once for half an hour, and back`,
  clients: one((base) => [
    [20, constant(base)],
    [30, constant(factor * base)],
    [20, constant(base)],
  ]),
  stepsAtMinutes: [20, 50],
});

const sineOf = (periodMinutes: number): Recipe => ({
  about: `two periods of ${periodMinutes} minutes between 1 and 5 times the rate`,
  clients: one((base) => [[2 * periodMinutes, sine(3 * base, 2 * base, periodMinutes * MINUTE)]]),
});

const RECIPES = {
  "step-x2": stepBy(2),
  "step-x5": stepBy(5),
  ramp: {
    about: "half an hour up to 5 times the rate, ten minutes there, half an hour down",
    clients: one((base) => [
      [10, constant(base)],
      [30, ramp(base, 5 * base)],
      [10, constant(5 * base)],
      [30, ramp(5 * base, base)],
      [10, constant(base)],
    ]),
  },
  "sine-30": sineOf(30),
  "sine-60": sineOf(60),
  square: {
    about: "ten minutes at 4 times the rate, ten minutes at the rate, three times",
    clients: one((base) => [
      [10, constant(base)],
      [60, burst(base, 4 * base, 10 * MINUTE, 20 * MINUTE)],
    ]),
    stepsAtMinutes: [10, 20, 30, 40, 50, 60],
  },
  impulse: {
    about: "one minute at 10 times the rate",
    clients: one((base) => [
      [20, constant(base)],
      [1, constant(10 * base)],
      [24, constant(base)],
    ]),
    stepsAtMinutes: [20, 21],
  },
  "zero-gap": {
    about: "half an hour without a request",
    clients: one((base) => [
      [20, constant(base)],
      [30, constant(0)],
      [20, constant(base)],
    ]),
    stepsAtMinutes: [20, 50],
  },
  "input-shift": {
    about: "prompts of 512 tokens, 4096 for half an hour, and back, at a constant rate",
    clients: one((base) => [
      [20, constant(base), tokens(512)],
      [30, constant(base), tokens(4_096)],
      [20, constant(base), tokens(512)],
    ]),
    stepsAtMinutes: [20, 50],
  },
  "output-shift": {
    about: "answers of 128 tokens, 768 for half an hour, and back, at a constant rate",
    clients: one((base) => [
      [20, constant(base), INPUT, tokens(128)],
      [30, constant(base), INPUT, tokens(768)],
      [20, constant(base), INPUT, tokens(128)],
    ]),
    stepsAtMinutes: [20, 50],
  },
  "tenant-mix": {
    about: "chat that comes and goes, code completion in bursts, and summaries of long documents, at the same time",
    clients: (base) => ({
      chat: [[80, sine(base, 0.6 * base, 40 * MINUTE), tokens(800, 2.5), tokens(250, 2)]],
      code: [[80, burst(0.3 * base, 2 * base, 5 * MINUTE, 20 * MINUTE), tokens(2_000, 2), tokens(30, 2)]],
      summaries: [
        [30, constant(0.05 * base), tokens(8_000, 1.5), tokens(300, 1.5)],
        [30, constant(0.2 * base), tokens(8_000, 1.5), tokens(300, 1.5)],
        [20, constant(0.05 * base), tokens(8_000, 1.5), tokens(300, 1.5)],
      ],
    }),
    stepsAtMinutes: [5, 20, 25, 30, 40, 45, 60, 65],
  },
} satisfies Readonly<Record<string, Recipe>>;

type SyntheticName = keyof typeof RECIPES;

export const SYNTHETIC_SCENARIOS = Object.keys(RECIPES) as readonly SyntheticName[];

/**
 * @param requestsPerSecond the rate that all others are multiples of
 * @throws RangeError for an unknown name, with those that exist, and for a rate that is none
 */
export function syntheticScenario(name: string, requestsPerSecond: number): SyntheticTraffic {
  if (!Object.hasOwn(RECIPES, name)) {
    throw new RangeError(`there is no synthetic scenario "${name}": take one of ${SYNTHETIC_SCENARIOS.join(", ")}`);
  }
  if (!(requestsPerSecond > 0 && Number.isFinite(requestsPerSecond))) {
    throw new RangeError(`requestsPerSecond must be a positive number, got ${requestsPerSecond}`);
  }
  const recipe: Recipe = RECIPES[name as SyntheticName];
  const clients = Object.entries(recipe.clients(requestsPerSecond)).map(([client, parts]) => ({
    client,
    phases: phasesOf(parts),
  }));
  return {
    name,
    about: recipe.about,
    durationSeconds: Math.max(...clients.map(({ phases }) => secondsOf(phases))),
    clients,
    stepsAtSeconds: (recipe.stepsAtMinutes ?? []).map((minutes) => minutes * MINUTE),
  };
}

const secondsOf = (phases: readonly Phase[]): number =>
  phases.reduce((sum, { durationSeconds }) => sum + durationSeconds, 0);

/** By arrival, with the client's name where there are several. The stream of one client stays the same whatever the others do. */
export function* syntheticArrivals({ clients }: SyntheticTraffic, random: Random): Generator<GeneratedArrival> {
  const streams = clients.map(({ phases }) => generateTraffic(phases, seededRandom(random.next() * 2 ** 32)));
  const heads = streams.map((stream) => stream.next().value as GeneratedArrival | undefined);
  for (;;) {
    let first = -1;
    for (const [index, head] of heads.entries()) {
      if (head !== undefined && (first < 0 || head.atMs < heads[first]!.atMs)) first = index;
    }
    const arrival = heads[first];
    if (arrival === undefined) return;
    const { client } = clients[first]!;
    yield clients.length > 1 ? { ...arrival, client } : arrival;
    heads[first] = streams[first]!.next().value as GeneratedArrival | undefined;
  }
}

/** What one client asks for at a time; lengths are means. */
export interface ClientLoad {
  readonly client: string;
  readonly requestsPerSecond: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** @param atSeconds at the moment of a step, the load after it */
export function loadAt({ clients }: SyntheticTraffic, atSeconds: number): readonly ClientLoad[] {
  return clients.flatMap(({ client, phases }) => {
    let startSeconds = 0;
    for (const { durationSeconds, requestsPerSecond, input, output } of phases) {
      const elapsed = atSeconds - startSeconds;
      if (elapsed >= 0 && elapsed < durationSeconds) {
        return {
          client,
          requestsPerSecond: Math.max(0, requestsPerSecond(elapsed, durationSeconds)),
          inputTokens: lengthMean(input),
          outputTokens: lengthMean(output),
        };
      }
      startSeconds += durationSeconds;
    }
    return [];
  });
}

/**
 * The known answer: replicas that keep up with the load at a time when it flows evenly.
 *
 * @param replicaSeconds of one replica's time that a request of these lengths takes
 * @param usedRatio of a replica's time, in (0, 1]: what is left is for bursts. Default 1
 */
export function requiredReplicas(
  traffic: SyntheticTraffic,
  atSeconds: number,
  replicaSeconds: (inputTokens: number, outputTokens: number) => number,
  usedRatio = 1,
): number {
  const busy = loadAt(traffic, atSeconds).reduce(
    (sum, { requestsPerSecond, inputTokens, outputTokens }) =>
      sum + requestsPerSecond * replicaSeconds(inputTokens, outputTokens),
    0,
  );
  // 10 × 0.1 is a hair more than 1.
  return Math.max(0, Math.ceil(busy / usedRatio - 1e-9));
}
