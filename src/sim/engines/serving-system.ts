/**
 * One serving system (all pods of one PodCliqueSet): routes requests over its frontends and engines.
 *
 * A frontend sends a request to a prefill or aggregated engine of any set replica; a prefill engine hands its KV to a
 * decode engine of its own set replica, where the transfer is local. Which one is the routing's choice. A request whose engine,
 * prefill engine or frontend dies is tried once more from the start, then fails.
 */
import type { EventQueue } from "./event-queue.ts";
import { Fifo } from "./fifo.ts";
import type { Frontend } from "./frontend.ts";
import { type EngineRole, InferenceEngine } from "./inference-engine.ts";
import { type EngineProfile, transferMs } from "./profiles.ts";
import { type Attempt, newAttempt, type Request } from "./request.ts";
import type { RequestLog } from "./request-log.ts";
import { Router, type Routing } from "./routing.ts";

export interface EngineHandle {
  readonly key: string;
  readonly setReplica: string;
  readonly engine: InferenceEngine;
  draining: boolean;
  /** Prefilled here, with no decode engine to go to. */
  readonly handoffs: Attempt[];
  scheduledMs: number;
  readonly wake: (atMs: number) => void;
}

export interface ServingSystemOptions {
  readonly events: EventQueue;
  /** A client gives up when it has no first token by then. */
  readonly firstTokenTimeoutMs: number;
  /** Attempts in all, for requests whose engine dies. */
  readonly maxAttempts: number;
  readonly log: RequestLog;
  /** Default: least-loaded. */
  readonly routing?: Routing;
  /** Default: false. Engines that compute prompts keep what others may begin with. */
  readonly prefixCaching?: boolean;
}

interface Arriving {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly blocks?: readonly number[];
}

export class ServingSystem {
  readonly #options: ServingSystemOptions;
  readonly #engines = new Map<string, EngineHandle>();
  readonly #frontends = new Map<string, Frontend>();
  /** Begun and not ended. */
  #attempts = 0;
  readonly #entryRouter: Router;
  readonly #decodeRouter: Router;
  /** The decode engines of each set replica. */
  readonly #decoders = new Map<string, EngineHandle[]>();
  /** In the order of their timeouts. */
  readonly #impatient = new Fifo<Request>();
  /** Arrived while no frontend was ready. */
  readonly #ingress = new Fifo<Attempt>();
  readonly log: RequestLog;
  /** Systems without frontend pods take requests at the engines. */
  usesFrontends = false;

  constructor(options: ServingSystemOptions) {
    this.#options = options;
    this.#entryRouter = new Router(options.routing ?? "least-loaded");
    this.#decodeRouter = new Router(options.routing ?? "least-loaded");
    this.log = options.log;
  }

  get inFlight(): number {
    return this.#attempts;
  }

  engine(key: string): EngineHandle | undefined {
    return this.#engines.get(key);
  }

  frontend(key: string): Frontend | undefined {
    return this.#frontends.get(key);
  }

  advanceTo(nowMs: number): void {
    for (const { engine } of this.#engines.values()) engine.advanceTo(nowMs);
  }

  addEngine(key: string, setReplica: string, role: EngineRole, profile: EngineProfile, nowMs: number): void {
    const handle: EngineHandle = {
      key,
      setReplica,
      draining: false,
      handoffs: [],
      scheduledMs: Number.POSITIVE_INFINITY,
      wake: (atMs) => this.#wake(handle, atMs),
      engine: new InferenceEngine(
        profile,
        role,
        {
          prefilled: (attempt, atMs) => this.#handOff(attempt, handle, atMs),
          transferring: (attempt, atMs) => this.#transfer(attempt, handle, atMs),
          // Clients are behind their engine by what is neither queue nor computing.
          firstToken: (attempt, atMs) => this.#firstToken(attempt, atMs + profile.ttftOverheadMs),
          finished: (attempt, atMs) => this.#finish(attempt, atMs + profile.ttftOverheadMs),
          rejected: (attempt, atMs) => this.#fail(attempt, atMs),
        },
        { prefixCaching: this.#options.prefixCaching ?? false },
      ),
    };
    this.#engines.set(key, handle);
    if (role === "decode") this.#decoders.set(setReplica, [...this.#decodersOf(setReplica), handle]);
    this.#offerWork(nowMs);
  }

  /** What the engine still held is tried again elsewhere, or fails. */
  removeEngine(key: string, nowMs: number): void {
    const handle = this.#engines.get(key);
    if (handle === undefined) return;
    this.#engines.delete(key);
    const { setReplica } = handle;
    this.#decoders.set(
      setReplica,
      this.#decodersOf(setReplica).filter((decoder) => decoder !== handle),
    );
    for (const attempt of handle.engine.kill(nowMs)) this.#lose(attempt, nowMs);
  }

  addFrontend(frontend: Frontend, nowMs: number): void {
    this.#frontends.set(frontend.key, frontend);
    for (const attempt of this.#ingress.drain()) this.#enter(attempt, nowMs);
  }

  removeFrontend(key: string, nowMs: number): void {
    const frontend = this.#frontends.get(key);
    if (frontend === undefined) return;
    this.#frontends.delete(key);
    for (const attempt of [...frontend.inFlight]) this.#lose(attempt, nowMs);
  }

  arrive({ inputTokens, outputTokens, blocks }: Arriving, nowMs: number): void {
    const asked = {
      arrivedMs: nowMs,
      inputTokens: Math.max(1, Math.round(inputTokens)),
      outputTokens: Math.max(1, Math.round(outputTokens)),
    };
    const request: Request = {
      id: this.log.arrive(asked),
      arrivedMs: nowMs,
      inputTokens: asked.inputTokens,
      outputTokens: asked.outputTokens,
      blocks,
      attempts: 0,
      current: undefined,
      ended: false,
    };
    this.#begin(request, nowMs);
    this.#impatient.push(request);
    if (this.#impatient.length === 1) this.#awaitTimeout(request);
  }

  /** One event for the oldest request instead of one for each: nearly all have ended long before. */
  #awaitTimeout({ arrivedMs }: Request): void {
    const { events, firstTokenTimeoutMs } = this.#options;
    events.schedule(arrivedMs + firstTokenTimeoutMs, (atMs) => {
      for (let oldest = this.#impatient.peek(); oldest !== undefined; oldest = this.#impatient.peek()) {
        if (!oldest.ended && oldest.arrivedMs + firstTokenTimeoutMs > atMs) {
          this.#awaitTimeout(oldest);
          return;
        }
        this.#impatient.shift();
        const { current } = oldest;
        if (current !== undefined && current.firstTokenMs === undefined) this.#fail(current, atMs);
      }
    });
  }

  #begin(request: Request, nowMs: number): void {
    const attempt = newAttempt(request);
    this.#attempts++;
    this.#enter(attempt, nowMs);
  }

  #enter(attempt: Attempt, nowMs: number): void {
    if (attempt.cancelled) return;
    if (!this.usesFrontends) {
      this.#route(attempt, nowMs);
      return;
    }
    const frontend = soonest(this.#frontends.values(), nowMs);
    if (frontend === undefined) {
      this.#ingress.push(attempt);
      return;
    }
    attempt.frontend = frontend;
    this.#options.events.schedule(frontend.accept(attempt, nowMs), (atMs) => {
      if (!attempt.cancelled) this.#route(attempt, atMs);
    });
  }

  #route(attempt: Attempt, nowMs: number): void {
    const handle = this.#firstEngine(attempt, nowMs);
    if (handle === undefined) {
      (attempt.frontend?.unrouted ?? this.#ingress).push(attempt);
      return;
    }
    attempt.prefill = handle;
    handle.engine.submit(attempt, nowMs);
    this.#touch(handle);
  }

  /** Prefill engines count only where a decode engine can take over. */
  #firstEngine(attempt: Attempt, nowMs: number): EngineHandle | undefined {
    // Most engines are of the set replica of the one before.
    let asked: string | undefined;
    let canHandOver = false;
    const isOpen = ({ draining, engine, setReplica }: EngineHandle): boolean => {
      if (draining || engine.role === "decode") return false;
      if (engine.role === "aggregated") return true;
      if (setReplica !== asked) {
        asked = setReplica;
        canHandOver = this.#decodersOf(setReplica).some((decoder) => !decoder.draining);
      }
      return canHandOver;
    };
    return this.#entryRouter.pick(this.#engines.values(), isOpen, attempt, nowMs);
  }

  #decodersOf(setReplica: string): readonly EngineHandle[] {
    return this.#decoders.get(setReplica) ?? [];
  }

  #handOff(attempt: Attempt, prefill: EngineHandle, nowMs: number): void {
    if (attempt.cancelled) {
      this.#releaseLater(attempt, prefill, nowMs);
      return;
    }
    const decode = this.#decodeRouter.pick(
      this.#decodersOf(prefill.setReplica),
      ({ draining }) => !draining,
      attempt,
      nowMs,
    );
    if (decode === undefined) {
      prefill.handoffs.push(attempt);
      return;
    }
    // Not at once: the prefill engine is in the middle of a step, and the decode engine may answer back.
    this.#options.events.schedule(nowMs, (atMs) => {
      if (attempt.cancelled) return;
      if (this.#engines.get(decode.key) !== decode || decode.draining) this.#handOff(attempt, prefill, atMs);
      else {
        decode.engine.submit(attempt, atMs);
        this.#touch(decode);
      }
    });
  }

  #transfer(attempt: Attempt, decode: EngineHandle, nowMs: number): void {
    const arrivalMs = nowMs + transferMs(decode.engine.profile, attempt.request.inputTokens);
    this.#options.events.schedule(arrivalMs, (atMs) => {
      const { prefill } = attempt;
      if (attempt.cancelled) decode.engine.abandon(attempt, atMs);
      else {
        prefill?.engine.release(attempt, atMs);
        attempt.prefill = undefined;
        decode.engine.join(attempt, atMs);
      }
      if (prefill !== undefined) this.#touch(prefill);
      this.#touch(decode);
    });
  }

  #firstToken(attempt: Attempt, nowMs: number): void {
    if (attempt.cancelled || attempt.firstTokenMs !== undefined) return;
    attempt.frontend?.firstToken(attempt, nowMs);
    attempt.firstTokenMs = nowMs;
    this.log.firstToken(attempt.request.id, nowMs - attempt.request.arrivedMs);
  }

  #finish(attempt: Attempt, nowMs: number): void {
    if (attempt.cancelled) return;
    const { arrivedMs, id } = attempt.request;
    const { firstTokenMs = nowMs, generatedTokens } = attempt;
    const itlMs = generatedTokens > 1 ? (nowMs - firstTokenMs) / (generatedTokens - 1) : 0;
    attempt.frontend?.end(attempt, { success: true, durationMs: nowMs - arrivedMs, itlMs });
    this.#leave(attempt);
    attempt.request.current = undefined;
    attempt.request.ended = true;
    this.log.complete(id, { itlMs, outputTokens: generatedTokens });
  }

  #fail(attempt: Attempt, nowMs: number): void {
    if (attempt.cancelled) return;
    this.#cancel(attempt, nowMs);
    attempt.request.ended = true;
    this.log.fail(attempt.request.id);
  }

  /** Its engine or frontend is gone. */
  #lose(attempt: Attempt, nowMs: number): void {
    if (attempt.cancelled) return;
    this.#cancel(attempt, nowMs);
    const { arrivedMs, attempts } = attempt.request;
    const { maxAttempts, firstTokenTimeoutMs } = this.#options;
    if (attempts >= maxAttempts || nowMs - arrivedMs >= firstTokenTimeoutMs) {
      attempt.request.ended = true;
      this.log.fail(attempt.request.id);
      return;
    }
    this.log.retried++;
    this.#options.events.schedule(nowMs, (atMs) => this.#begin(attempt.request, atMs));
  }

  #cancel(attempt: Attempt, nowMs: number): void {
    const { frontend, prefill } = attempt;
    attempt.cancelled = true;
    attempt.request.current = undefined;
    frontend?.end(attempt, { success: false });
    this.#leave(attempt);
    if (prefill !== undefined) this.#releaseLater(attempt, prefill, nowMs);
  }

  #releaseLater(attempt: Attempt, prefill: EngineHandle, nowMs: number): void {
    this.#options.events.schedule(nowMs, (atMs) => {
      prefill.engine.release(attempt, atMs);
      this.#touch(prefill);
    });
  }

  /** A new engine may be what waiting requests need. */
  #offerWork(nowMs: number): void {
    for (const handle of this.#engines.values()) {
      for (const attempt of handle.handoffs.splice(0)) this.#handOff(attempt, handle, nowMs);
    }
    const waiting = [...this.#frontends.values()].flatMap(({ unrouted }) => unrouted.drain());
    if (!this.usesFrontends) waiting.push(...this.#ingress.drain());
    for (const attempt of waiting) if (!attempt.cancelled) this.#route(attempt, nowMs);
  }

  /** Schedules the engine's next event when it changed. */
  #touch(handle: EngineHandle): void {
    const nextMs = handle.engine.nextEventMs;
    if (nextMs === handle.scheduledMs) return;
    handle.scheduledMs = nextMs;
    if (nextMs < Number.POSITIVE_INFINITY) this.#options.events.schedule(nextMs, handle.wake);
  }

  /** The time of an event of this engine has come, unless it was planned anew since. */
  #wake(handle: EngineHandle, atMs: number): void {
    if (handle.scheduledMs !== atMs || this.#engines.get(handle.key) !== handle) return;
    handle.scheduledMs = Number.NaN;
    handle.engine.advanceTo(atMs);
    this.#touch(handle);
  }

  #leave(attempt: Attempt): void {
    attempt.frontend = undefined;
    attempt.prefill = undefined;
    this.#attempts--;
  }
}

/** The first of the least: maps keep the order of insertion, so ties are broken the same way every time. */
function soonest(frontends: Iterable<Frontend>, nowMs: number): Frontend | undefined {
  let best: Frontend | undefined;
  for (const frontend of frontends) {
    if (!frontend.draining && (best === undefined || frontend.readyAtMs(nowMs) < best.readyAtMs(nowMs)))
      best = frontend;
  }
  return best;
}
