/**
 * A recorded run: one line of JSON for each evaluation, with all that went into it and the decision that came out. Decided again it must come out the
 * same, byte for byte. The policy is written when it changed, the memory where it is not the one that the evaluation before left behind (the first
 * turn, a write in between), so that a steady policy costs its observation and its decision. Pure.
 */
import { decide } from "../decide/decide.ts";
import type { Decision } from "../decide/decision.ts";
import type { Memory } from "../decide/memory.ts";
import type { Observation } from "../decide/observation.ts";
import type { Policy } from "../decide/policy.ts";
import type { Evaluation } from "./evaluation-queue.ts";
import { decodeExact, encodeExact } from "./exact-json.ts";

/** Bumped when a line changes its shape, or `Policy`, `Observation` or `Memory` change theirs. */
const VERSION = 3;

interface RecordedTurn {
  readonly recording: typeof VERSION;
  readonly key: string;
  readonly policy?: Policy;
  readonly memory?: Memory;
  readonly observation: Observation;
  readonly decision: Decision;
}

export interface Recording {
  /** @returns the line, without its end */
  add(evaluation: Evaluation, result: { readonly decision: Decision; readonly memory: Memory }): string;
  /** What follows stands alone, as in a new file. */
  restart(): void;
}

export function createRecording(): Recording {
  const known = new Map<string, { policy: string; memory: string }>();
  return {
    add({ key, policy, observation, memory }, result) {
      const before = known.get(key);
      const texts = { policy: encodeExact(policy), memory: encodeExact(memory) };
      known.set(key, { policy: texts.policy, memory: encodeExact(result.memory) });
      return encodeExact({
        recording: VERSION,
        key,
        ...(before?.policy === texts.policy ? {} : { policy }),
        ...(before?.memory === texts.memory ? {} : { memory }),
        observation,
        decision: result.decision,
      } satisfies RecordedTurn);
    },
    restart: () => known.clear(),
  };
}

export interface ReplayedTurn {
  /** `namespace/name` of the policy. */
  readonly key: string;
  readonly decision: Decision;
  /** The recorded decision; absent where it is the same, byte for byte. */
  readonly recorded?: Decision;
}

/** A line that cannot be replayed, said with the way out; the caller knows its number. */
export class RecordingError extends Error {
  override readonly name = "RecordingError";
}

export interface Replay {
  /** @throws RecordingError */
  next(line: string): ReplayedTurn;
}

export function startReplay(): Replay {
  const known = new Map<string, { policy: Policy; memory: Memory }>();
  return {
    next(line) {
      const turn = readTurn(line);
      const before = known.get(turn.key);
      const policy = turn.policy ?? before?.policy;
      const memory = turn.memory ?? before?.memory;
      if (policy === undefined || memory === undefined) {
        const missing = policy === undefined ? "policy" : "memory";
        throw new RecordingError(
          `${turn.key} has no ${missing} up to here: the recording must be replayed from its first line`,
        );
      }
      const result = decide(policy, turn.observation, memory);
      known.set(turn.key, { policy, memory: decodeExact(encodeExact(result.memory)) as Memory });
      const isSame = encodeExact(result.decision) === encodeExact(turn.decision);
      return { key: turn.key, decision: result.decision, ...(isSame ? {} : { recorded: turn.decision }) };
    },
  };
}

function readTurn(line: string): RecordedTurn {
  let turn: Partial<RecordedTurn> | null;
  try {
    turn = decodeExact(line) as Partial<RecordedTurn> | null;
  } catch (error) {
    throw new RecordingError(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof turn !== "object" || turn === null || turn.recording === undefined)
    throw new RecordingError(`not a line of a recording: it has no field "recording"`);
  if (turn.recording !== VERSION)
    throw new RecordingError(`recording version ${turn.recording}: this program replays version ${VERSION}`);
  if (typeof turn.key !== "string" || turn.observation === undefined || turn.decision === undefined)
    throw new RecordingError(`not a line of a recording: it needs "key", "observation" and "decision"`);
  return turn as RecordedTurn;
}
