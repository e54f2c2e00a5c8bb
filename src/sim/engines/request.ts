/** One user request, and the attempts to serve it: a request whose engine dies is tried once more from the start. */
import type { Frontend } from "./frontend.ts";
import type { EngineHandle } from "./serving-system.ts";

export interface Request {
  readonly id: number;
  readonly arrivedMs: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Ids of the blocks of its prompt, in order; absent: it shares nothing. */
  readonly blocks?: readonly number[] | undefined;
  attempts: number;
  /** The attempt under way; undefined between two of them, and when the request has ended. */
  current: Attempt | undefined;
  /** Completed or failed for good. */
  ended: boolean;
}

export interface Attempt {
  readonly request: Request;
  /** Where it is; undefined: nowhere yet, or it has ended. */
  frontend: Frontend | undefined;
  /** The engine that has its prompt, until a decode engine has its KV. */
  prefill: EngineHandle | undefined;
  /** Its engine or frontend is gone or it timed out: whatever still comes out of an engine is dropped. */
  cancelled: boolean;
  /** Prompt tokens computed so far by the engine that holds it. */
  prefilledTokens: number;
  /** Blocks from the beginning of its prompt that it holds in the prefix cache of its engine. */
  heldBlocks: number;
  /** What its engine's backlog has of it. */
  backlogTokens: number;
  /** Data-parallel rank that computes the prompt. */
  rank: number;
  /** Output tokens so far. */
  generatedTokens: number;
  /** When it came to the engine that holds it. */
  engineArrivedMs: number;
  /** When its first engine took it out of the queue. */
  admittedMs: number | undefined;
  firstTokenMs: number | undefined;
  /** Step of its engine at which it joined the decoding batch, and the step that gives its last token. */
  joinStep: number;
  finishStep: number;
  /** KV tokens it held when it joined. */
  joinTokens: number;
}

export function newAttempt(request: Request): Attempt {
  request.attempts++;
  const attempt: Attempt = {
    request,
    frontend: undefined,
    prefill: undefined,
    cancelled: false,
    prefilledTokens: 0,
    heldBlocks: 0,
    backlogTokens: 0,
    rank: 0,
    generatedTokens: 0,
    engineArrivedMs: 0,
    admittedMs: undefined,
    firstTokenMs: undefined,
    joinStep: 0,
    finishStep: 0,
    joinTokens: 0,
  };
  request.current = attempt;
  return attempt;
}
