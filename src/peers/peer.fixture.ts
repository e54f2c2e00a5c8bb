/** What tests of peers share: a system to look at, and a run of decisions over time. */
import type { Parameters, PeerContext, PeerDefinition, PeerPerformance, PeerRole, RoleCounts } from "./peer.ts";

export const names = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `r${index}`);

/** A prefill of 1 ms a token, a decode step of 10 ms + 0.1 ms a request, room for 100,000 tokens: easy to work with by hand. */
export const PERFORMANCE: PeerPerformance = {
  prefillSeconds: (inputTokens) => inputTokens / 1000,
  decodeStepSeconds: (batch) => 0.01 + 0.0001 * batch,
  kvTokens: 100_000,
  maxRequests: 1024,
  maxBatchedTokens: 1000,
  prefillGpus: 1,
  decodeGpus: 1,
};

export const contextOf = (roles: readonly PeerRole[], performance: Partial<PeerPerformance> = {}): PeerContext => ({
  roles,
  slo: { ttftSeconds: 0.5, itlSeconds: 0.05 },
  performance: { ...PERFORMANCE, ...performance },
});

/** By default as many as the spec says are ready, and bounds are wide. */
export interface Seen {
  readonly spec: number;
  readonly ready?: number;
  readonly starting?: number;
  readonly pending?: number;
  readonly min?: number;
  readonly max?: number;
  readonly gpus?: number;
}

export const countsOf = ({
  spec,
  starting = 0,
  pending = 0,
  ready = spec - starting - pending,
  min = 1,
  max = 10_000,
  gpus = 1,
}: Seen): RoleCounts => ({
  specReplicas: spec,
  ready: names(ready),
  starting,
  pending,
  minReplicas: min,
  maxReplicas: max,
  gpusPerReplica: gpus,
});

export const defaultsOf = ({ parameters }: PeerDefinition): Parameters =>
  Object.fromEntries(Object.entries(parameters).map(([name, parameter]) => [name, parameter.default]));

export interface Look {
  readonly roles: { readonly [Role in PeerRole]?: Seen };
  /** Values of the first replicas, by name of the query; undefined: that one has no sample. */
  readonly perReplica?: Readonly<Record<string, readonly (number | undefined)[]>>;
  readonly totals?: Readonly<Record<string, number>>;
  readonly gpuBudget?: number;
}

export interface Run {
  /** Decides on what is seen at that second. @returns replicas by role; a role that is left alone is absent */
  at(second: number, look: Look): { readonly [Role in PeerRole]?: number };
}

export function run(
  definition: PeerDefinition,
  roles: readonly PeerRole[],
  parameters: Parameters = {},
  performance: Partial<PeerPerformance> = {},
): Run {
  const peer = definition.create({ ...defaultsOf(definition), ...parameters }, contextOf(roles, performance));
  let memory = peer.initialMemory;
  return {
    at(second, { roles: seen, perReplica = {}, totals = {}, gpuBudget }) {
      const decided = peer.decide(
        {
          nowMs: second * 1000,
          roles: new Map(Object.entries(seen).map(([role, one]) => [role as PeerRole, countsOf(one)])),
          perReplica: Object.fromEntries(
            Object.entries(perReplica).map(([query, values]) => [
              query,
              new Map(values.flatMap((value, index) => (value === undefined ? [] : [[`r${index}`, value] as const]))),
            ]),
          ),
          totals,
          ...(gpuBudget === undefined ? {} : { gpuBudget }),
        },
        memory,
      );
      memory = decided.memory;
      return Object.fromEntries(decided.replicas);
    },
  };
}
