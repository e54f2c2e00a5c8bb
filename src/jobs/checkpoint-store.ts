/**
 * The CheckpointStore port: what a decision must remember over a restart (stabilization windows, rate-limit history, forecasts, learned start-up
 * times). Losing it is safe: an empty memory decides nothing rash. It is plain JSON and bounded.
 */
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { keyOf } from "../api/kubernetes/meta.ts";
import { type Memory, withoutWindows } from "../decide/memory.ts";

export interface CheckpointStore {
  /** Undefined: nothing usable is stored. */
  load(policy: ScalingPolicy): Promise<Memory | undefined>;
  /** @returns where this store keeps it in the policy's status: what writes it down, for the turns whose status is written */
  save(policy: ScalingPolicy, memory: Memory): Promise<CheckpointWriter | undefined>;
}

/** @returns text for `status.checkpoint`, without stabilization windows where it would be too long with them; undefined when it is even so */
export type CheckpointWriter = () => string | undefined;

/** Bumped when the shape of `Memory` changes; an older checkpoint is then dropped. */
const VERSION = 4;

export const serializeMemory = (memory: Memory): string => JSON.stringify({ version: VERSION, memory });

export function parseMemory(text: string | undefined): Memory | undefined {
  if (text === undefined) return undefined;
  try {
    const { version, memory } = JSON.parse(text) as { version?: number; memory?: Memory };
    return version === VERSION ? memory : undefined;
  } catch {
    return undefined;
  }
}

/** What the schema of `status.checkpoint` admits; a longer text would make every status write fail. */
const STATUS_MAX_LENGTH = 262_144;

/** In the policy's own status: needs nothing but the API server. */
export function statusCheckpoints(): CheckpointStore {
  return {
    load: async ({ status }) => parseMemory(status?.checkpoint),
    save: async (_, memory) => () => {
      const whole = serializeMemory(memory);
      if (whole.length <= STATUS_MAX_LENGTH) return whole;
      const text = serializeMemory(withoutWindows(memory));
      return text.length > STATUS_MAX_LENGTH ? undefined : text;
    },
  };
}

/** In this process only; for the embedded world and tests. */
export function memoryCheckpoints(): CheckpointStore {
  const stored = new Map<string, string>();
  return {
    load: async (policy) => parseMemory(stored.get(keyOf(policy))),
    async save(policy, memory) {
      stored.set(keyOf(policy), serializeMemory(memory));
      return undefined;
    },
  };
}
