/** Laws of every peer: whatever it sees, it gives whole replicas within bounds, the same for the same, and leaves its memory alone. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PEERS } from "./all.ts";
import { contextOf, defaultsOf, names } from "./peer.fixture.ts";
import type { Parameters, PeerDefinition, PeerInput, PeerRole, RoleCounts } from "./peer.ts";

const SYSTEMS: readonly (readonly PeerRole[])[] = [["prefill", "decode"], ["aggregated"]];

/** Anything that an exporter or a query may bring. */
const reading = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: 0, max: 200, noNaN: true }) },
  { weight: 2, arbitrary: fc.constantFrom(0, 1, 0.7, 5) },
  { weight: 2, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -1, 1e300) },
);

const counts: fc.Arbitrary<RoleCounts> = fc
  .record({
    specReplicas: fc.nat(20),
    ready: fc.nat(20).map(names),
    starting: fc.nat(3),
    pending: fc.nat(3),
    minReplicas: fc.nat(4),
    above: fc.nat(20),
    gpusPerReplica: fc.integer({ min: 1, max: 8 }),
  })
  .map(({ above, ...rest }) => ({ ...rest, maxReplicas: rest.minReplicas + above }));

interface Seen {
  readonly counts: readonly RoleCounts[];
  readonly samples: readonly (readonly [string, number][] | undefined)[];
  readonly totals: readonly (number | undefined)[];
  readonly gpuBudget: number | undefined;
  readonly waitedMs: number;
}

const seen: fc.Arbitrary<Seen> = fc.record({
  counts: fc.array(counts, { minLength: 2, maxLength: 2 }),
  samples: fc.array(
    fc.option(fc.array(fc.tuple(fc.constantFrom(...names(22)), reading), { maxLength: 22 }), {
      nil: undefined,
      freq: 5,
    }),
    { minLength: 8, maxLength: 8 },
  ),
  totals: fc.array(fc.option(reading, { nil: undefined, freq: 4 }), { minLength: 8, maxLength: 8 }),
  gpuBudget: fc.option(fc.nat(80), { nil: undefined }),
  waitedMs: fc.constantFrom(0, 1_000, 5_000, 15_000, 30_000, 180_000, 900_000),
});

/** Sometimes from the corners of what random search may try. */
const parametersOf = (definition: PeerDefinition): fc.Arbitrary<Parameters> =>
  fc
    .array(fc.constantFrom("default", "min", "max"), { minLength: 8, maxLength: 8 })
    .map((corners) =>
      Object.fromEntries(
        Object.entries(definition.parameters).map(([name, one], index) => [
          name,
          one[corners[index] as "default" | "min" | "max"],
        ]),
      ),
    );

function inputOf(
  one: Seen,
  nowMs: number,
  roles: readonly PeerRole[],
  queries: Readonly<Record<string, { per: string }>>,
): PeerInput {
  const entries = Object.entries(queries);
  const of = (per: string): string[] => entries.filter(([, query]) => query.per === per).map(([name]) => name);
  return {
    nowMs,
    roles: new Map(roles.map((role, index) => [role, one.counts[index] as RoleCounts])),
    perReplica: Object.fromEntries(
      of("Replica").flatMap((name, index) => {
        const samples = one.samples[index % one.samples.length];
        return samples === undefined ? [] : [[name, new Map(samples)]];
      }),
    ),
    totals: Object.fromEntries(
      of("Total").flatMap((name, index) => {
        const total = one.totals[index % one.totals.length];
        return total === undefined ? [] : [[name, total]];
      }),
    ),
    ...(one.gpuBudget === undefined ? {} : { gpuBudget: one.gpuBudget }),
  };
}

const cases = PEERS.flatMap((definition) =>
  SYSTEMS.map((roles) => [definition.name, roles.join(" and "), definition, roles] as const),
);

test.each(cases)("%s on %s", (_name, _system, definition, roles) => {
  fc.assert(
    fc.property(parametersOf(definition), fc.array(seen, { minLength: 1, maxLength: 6 }), (parameters, looks) => {
      const peer = definition.create(parameters, contextOf(roles));
      let memory = peer.initialMemory;
      let nowMs = 0;
      for (const look of looks) {
        nowMs += look.waitedMs;
        const input = inputOf(look, nowMs, roles, peer.queries);
        const before = structuredClone(memory);
        const decided = peer.decide(input, memory);
        expect(memory).toEqual(before);
        expect(peer.decide(input, memory)).toEqual(decided);
        for (const [role, replicas] of decided.replicas) {
          const { minReplicas, maxReplicas } = input.roles.get(role) as RoleCounts;
          expect(Number.isInteger(replicas)).toBe(true);
          expect(replicas).toBeGreaterThanOrEqual(minReplicas);
          expect(replicas).toBeLessThanOrEqual(maxReplicas);
        }
        memory = decided.memory;
      }
    }),
    { numRuns: 60 },
  );
});

test.each(cases)("%s on %s remembers a bounded past", (_name, _system, definition, roles) => {
  const peer = definition.create(defaultsOf(definition), contextOf(roles));
  const sizeAfter = (decisions: number): number => {
    let memory = peer.initialMemory;
    for (let i = 0; i < decisions; i++) {
      const load = 3 + Math.sin(i / 7);
      const role = {
        specReplicas: 4,
        ready: names(4),
        starting: 0,
        pending: 0,
        minReplicas: 1,
        maxReplicas: 9,
        gpusPerReplica: 1,
      };
      memory = peer.decide(
        {
          nowMs: i * peer.tickMs,
          roles: new Map(roles.map((one) => [one, role])),
          perReplica: Object.fromEntries(
            Object.keys(peer.queries).map((name) => [
              name,
              new Map(names(4).map((replica) => [replica, load] as const)),
            ]),
          ),
          totals: Object.fromEntries(Object.keys(peer.queries).map((name) => [name, load])),
        },
        memory,
      ).memory;
    }
    return JSON.stringify(memory).length;
  };
  expect(sizeAfter(1_500)).toBeLessThan(20_000);
});

describe("definitions", () => {
  test("every autoscaler of the benchmark is there once", () => {
    expect(PEERS.map(({ name }) => name)).toEqual([
      "hpa",
      "hpa-external",
      "keda",
      "keda-production-stack",
      "kpa",
      "aibrix-apa",
      "aibrix-apa-fixed",
      "wva-v1",
      "wva-v2",
      "dynamo-load-v1",
      "dynamo-load",
      "dynamo-load-latency",
      "dynamo-sla-load",
      "dynamo-sla-v1",
      "dynamo-sla",
      "kthena",
      "heteroscale-style",
      "ray-serve",
    ]);
  });

  test.each(PEERS.map((definition) => [definition.name, definition] as const))(
    "%s says that it is a re-implementation, and its defaults are in range",
    (_, definition) => {
      expect(definition.title).toContain("re-implemented");
      const parameters = Object.values(definition.parameters);
      expect(parameters.length).toBeLessThanOrEqual(6);
      for (const { default: value, min, max, scale } of parameters) {
        expect(min).toBeLessThanOrEqual(value);
        expect(value).toBeLessThanOrEqual(max);
        expect(scale === "log" ? min > 0 : min < max).toBe(true);
      }
    },
  );

  test.each(cases)("%s on %s asks only for roles of the system", (_name, _system, definition, roles) => {
    const { queries } = definition.create(defaultsOf(definition), contextOf(roles));
    const wrong = Object.values(queries).filter(({ promql, role }) => {
      const asked = [...promql.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name);
      return asked.some((name) => name !== role) || (role !== undefined && !roles.includes(role));
    });
    expect(wrong).toEqual([]);
  });
});
