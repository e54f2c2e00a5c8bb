/**
 * One inference engine with continuous batching, in the manner of vLLM's scheduler.
 *
 * Each step has a token budget: every decoding request takes one token, the rest goes to prompts in order, in chunks.
 *
 * What a step takes is in `step-times.ts`. A worker of several data-parallel ranks binds each prompt to the rank with the
 * least prompt tokens to compute; ranks have equal shares of the token budget and step together, so the slowest counts.
 * Decodes are spread evenly over the ranks, as the tables assume.
 *
 * With prefix caching a prompt begins after the blocks at its beginning that are there already; its last token is always
 * computed. What requests share takes room once. Decode workers get the KV of whole prompts and share nothing.
 *
 * A request is admitted when a sequence slot is free and its tokens fit in the free KV cache. When the cache cannot grow
 * by one token per running request, the request that joined last gives its blocks back and is computed again later.
 *
 * While only decodes run, the batch does not change until a request finishes, joins or the cache is full. The mean context
 * then grows by one token a step, and the grid of step times is linear in it between two of its points, so that the step
 * times are an arithmetic series: whole runs of steps are taken at once, exactly, and cut where the next point of the grid
 * is (ten points a row, each twice as far as the one before). The cost is per request, not per token.
 */
import { DecodeBatch } from "./decode-batch.ts";
import { Fifo } from "./fifo.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { PREFIX_BLOCK_TOKENS, PrefixCache, tokensBetween } from "./prefix-cache.ts";
import type { EngineProfile } from "./profiles.ts";
import type { Attempt } from "./request.ts";
import type { DecodeLine } from "./step-times.ts";

export type EngineRole = "prefill" | "decode" | "aggregated";

export interface EngineListener {
  /** A prefill engine has the first token; it keeps the KV until {@link InferenceEngine.release}. */
  prefilled(attempt: Attempt, atMs: number): void;
  /** A decode engine has room for the request: its KV is reserved, the transfer may begin. */
  transferring(attempt: Attempt, atMs: number): void;
  firstToken(attempt: Attempt, atMs: number): void;
  finished(attempt: Attempt, atMs: number): void;
  /** The request can never fit. */
  rejected(attempt: Attempt, atMs: number): void;
}

interface MixedPlan {
  readonly kind: "mixed";
  readonly startMs: number;
  readonly endMs: number;
  readonly chunks: readonly Chunk[];
}

interface Chunk {
  readonly attempt: Attempt;
  readonly tokens: number;
}

interface DecodePlan {
  readonly kind: "decode";
  readonly startMs: number;
  readonly firstMs: number;
  readonly slopeMs: number;
  done: number;
  /** Steps after which the batch has to be looked at again. */
  limit: number;
}

/** The prompts of one data-parallel rank: to compute in all, and in the step that is planned. */
interface RankLoad {
  pendingTokens: number;
  budget: number;
  tokens: number;
  squares: number;
  attended: number;
  largest: number;
}

/** vLLM's bucket edges, in seconds. */
const TTFT_BOUNDS = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160,
];
const ITL_BOUNDS = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const E2E_BOUNDS = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960];
/** vLLM's, of a model with a context of 131,072 tokens. */
const LENGTH_BOUNDS = [1, 10, 100, 1_000, 10_000].flatMap((one) => [one, 2 * one, 5 * one]).concat(100_000);

export class InferenceEngine {
  readonly profile: EngineProfile;
  readonly role: EngineRole;
  readonly kvCapacityTokens: number;
  readonly timeToFirstToken = new LatencyHistogram(TTFT_BOUNDS);
  readonly interTokenLatency = new LatencyHistogram(ITL_BOUNDS);
  readonly endToEnd = new LatencyHistogram(E2E_BOUNDS);
  /** Of the prompts of requests that ended. */
  readonly promptLengths = new LatencyHistogram(LENGTH_BOUNDS);
  promptTokens = 0;
  generationTokens = 0;
  finishedRequests = 0;
  preemptions = 0;
  /** Prompt tokens looked for in the prefix cache, and found; undefined without one. */
  readonly prefixCache: { queriedTokens: number; hitTokens: number } | undefined;

  readonly #listener: EngineListener;
  readonly #waiting = new Fifo<Attempt>();
  readonly #recomputing = new Set<Attempt>();
  readonly #transferring = new Set<Attempt>();
  /** Prefilled, waiting for the transfer to end: with the KV tokens they keep. */
  readonly #held = new Map<Attempt, number>();
  #heldTokens = 0;
  #waitingTokens = 0;
  #prefilling: Attempt[] = [];
  #joining: Attempt[] = [];
  readonly #decoding = new DecodeBatch();
  #step = 0;
  #decodeKvTokens = 0;
  #reservedKvTokens = 0;
  #plan: MixedPlan | DecodePlan | undefined;
  #busyMs = 0;
  readonly #line: DecodeLine = { firstMs: 0, slopeMs: 0, steps: 0 };
  readonly #ranks: readonly RankLoad[];
  readonly #prefixes: PrefixCache | undefined;
  #backlogTokens = 0;

  constructor(
    profile: EngineProfile,
    role: EngineRole,
    listener: EngineListener,
    { prefixCaching = false }: { readonly prefixCaching?: boolean } = {},
  ) {
    this.profile = profile;
    this.role = role;
    const worker = profile.workers[role === "prefill" ? "prefill" : "decode"];
    this.kvCapacityTokens = worker.kvTokens;
    this.#ranks = Array.from({ length: worker.ranks }, () => ({
      pendingTokens: 0,
      budget: 0,
      tokens: 0,
      squares: 0,
      attended: 0,
      largest: 0,
    }));
    this.#listener = listener;
    if (prefixCaching && role !== "decode") {
      this.#prefixes = new PrefixCache();
      this.prefixCache = { queriedTokens: 0, hitTokens: 0 };
    }
  }

  get kvTokens(): number {
    return this.#decodeKvTokens + this.#reservedKvTokens - (this.#prefixes?.duplicateTokens ?? 0);
  }

  /** In [0, 1]. */
  get kvCacheRatio(): number {
    return this.kvTokens / this.kvCapacityTokens;
  }

  get runningRequests(): number {
    return this.#decoding.size + this.#joining.length + this.#prefilling.length;
  }

  /** Those whose KV is on its way included, as vLLM counts them. */
  get waitingRequests(): number {
    return this.#waiting.length + this.#transferring.size;
  }

  /** On a decode engine: admitted, the KV is on its way. */
  get transferringRequests(): number {
    return this.#transferring.size;
  }

  /** On a prefill engine: computed, the KV is not yet taken. */
  get heldRequests(): number {
    return this.#held.size;
  }

  /**
   * Work in tokens at `nowMs`, for least-loaded routing. What ends by then takes effect; a run of decode steps that goes on
   * is only counted, so that asking a hundred engines for every request costs little.
   */
  loadTokens(nowMs: number): number {
    if (this.nextEventMs <= nowMs) this.advanceTo(nowMs);
    const plan = this.#plan;
    const ahead = plan?.kind === "decode" ? (stepsWithin(plan, nowMs) - plan.done) * this.#decoding.size : 0;
    return this.kvTokens + ahead - this.#heldTokens + this.#waitingTokens;
  }

  /** Prompt tokens that are still to be computed, as far as it was known when they came. */
  get backlogTokens(): number {
    return this.#backlogTokens;
  }

  /** Prompt tokens that this request would not have to compute here. */
  cachedTokens({ request }: Attempt): number {
    return this.#prefixes === undefined ? 0 : tokensBetween(request, 0, this.#prefixes.match(request));
  }

  get isEmpty(): boolean {
    return this.runningRequests + this.waitingRequests + this.#held.size === 0;
  }

  /** Milliseconds of computing up to `nowMs`; the engine must have advanced to it. */
  busyMs(nowMs: number): number {
    return this.#busyMs + (this.#plan === undefined ? 0 : Math.max(0, nowMs - this.#stepStartMs()));
  }

  /** Infinity when nothing is going on. */
  get nextEventMs(): number {
    const plan = this.#plan;
    if (plan === undefined) return Number.POSITIVE_INFINITY;
    return plan.kind === "mixed" ? plan.endMs : plan.startMs + seriesMs(plan, plan.limit);
  }

  submit(attempt: Attempt, nowMs: number): void {
    this.advanceTo(nowMs);
    attempt.engineArrivedMs = nowMs;
    // A request lives on one rank.
    if (attempt.request.inputTokens + 1 > this.kvCapacityTokens / this.#ranks.length) {
      this.#listener.rejected(attempt, nowMs);
      return;
    }
    this.#waiting.push(attempt);
    this.#waitingTokens += contextTokens(attempt);
    if (this.role !== "decode") {
      attempt.backlogTokens = attempt.request.inputTokens - this.cachedTokens(attempt);
      this.#backlogTokens += attempt.backlogTokens;
    }
    this.#wake(nowMs);
  }

  /** A decode engine's KV of this request has arrived. */
  join(attempt: Attempt, nowMs: number): void {
    this.advanceTo(nowMs);
    if (!this.#transferring.delete(attempt)) return;
    this.#deliverFirstToken(attempt, nowMs);
    if (attempt.generatedTokens >= attempt.request.outputTokens) {
      this.#reservedKvTokens -= contextTokens(attempt);
      this.#finish(attempt, nowMs);
    } else this.#joining.push(attempt);
    this.#wake(nowMs);
  }

  /** The KV of this request will not come: its prefill engine died. */
  abandon(attempt: Attempt, nowMs: number): void {
    this.advanceTo(nowMs);
    if (!this.#transferring.delete(attempt)) return;
    this.#reservedKvTokens -= contextTokens(attempt);
    this.#wake(nowMs);
  }

  /** The KV that a prefill engine kept is no longer needed. */
  release(attempt: Attempt, nowMs: number): void {
    this.advanceTo(nowMs);
    const tokens = this.#held.get(attempt);
    if (tokens === undefined) return;
    this.#held.delete(attempt);
    this.#releaseBlocks(attempt);
    this.#heldTokens -= tokens;
    this.#reservedKvTokens -= tokens;
    this.#wake(nowMs);
  }

  /** Everything it holds is lost. */
  kill(nowMs: number): readonly Attempt[] {
    this.advanceTo(nowMs);
    const lost = [
      ...this.#decoding.drain(),
      ...this.#joining,
      ...this.#prefilling,
      ...this.#transferring,
      ...this.#held.keys(),
      ...this.#waiting.drain(),
    ];
    this.#joining = [];
    this.#prefilling = [];
    this.#transferring.clear();
    this.#held.clear();
    this.#recomputing.clear();
    this.#heldTokens = 0;
    this.#waitingTokens = 0;
    this.#decodeKvTokens = 0;
    this.#reservedKvTokens = 0;
    this.#backlogTokens = 0;
    this.#prefixes?.clear();
    for (const rank of this.#ranks) rank.pendingTokens = 0;
    this.#plan = undefined;
    return lost;
  }

  /** Brings the engine to `nowMs`; every step that ends by then has taken effect. */
  advanceTo(nowMs: number): void {
    while (this.#plan !== undefined) {
      const plan = this.#plan;
      if (plan.kind === "mixed") {
        if (plan.endMs > nowMs) return;
        this.#completeMixed(plan);
        this.#planNext(plan.endMs);
      } else {
        this.#completeDecodes(plan, nowMs);
        if (plan.done < plan.limit) return;
        const endMs = plan.startMs + seriesMs(plan, plan.limit);
        this.#retire(endMs);
        this.#planNext(endMs);
      }
    }
  }

  #stepStartMs(): number {
    const plan = this.#plan;
    if (plan === undefined) return 0;
    return plan.kind === "mixed" ? plan.startMs : plan.startMs + seriesMs(plan, plan.done);
  }

  /** Something new waits: an idle engine begins, a decoding one looks again at the end of the step it is in. */
  #wake(nowMs: number): void {
    if (this.role === "decode") this.#admitTransfers(nowMs);
    const plan = this.#plan;
    if (plan === undefined) this.#planNext(nowMs);
    else if (plan.kind === "decode") {
      // What was just reserved is no longer there for the batch to grow into.
      const room = Math.floor((this.kvCapacityTokens - this.kvTokens) / this.#decoding.size);
      const boundary = this.#joining.length > 0 || this.#canAdmit();
      plan.limit = Math.min(plan.limit, plan.done + (boundary ? 1 : Math.max(1, room)));
    }
  }

  #planNext(startMs: number): void {
    this.#plan = undefined;
    this.#takeJoining();
    if (this.role === "decode") this.#admitTransfers(startMs);
    this.#makeRoomForNextTokens(startMs);
    this.#prefixes?.trim(this.kvCapacityTokens - this.kvTokens);
    const chunks = this.#takeChunks(startMs);
    const batch = this.#decoding.size;
    const { stepTimes } = this.profile;
    if (chunks.length > 0) {
      const endMs = startMs + this.#promptsMs(chunks) + stepTimes.decodesBesideMs(batch, this.#decodeKvTokens);
      this.#plan = { kind: "mixed", startMs, endMs, chunks };
    } else if (batch > 0) {
      const room = Math.floor((this.kvCapacityTokens - this.kvTokens) / batch);
      stepTimes.decodeLine(batch, this.#decodeKvTokens, this.#line);
      const { firstMs, slopeMs, steps } = this.#line;
      const limit = Math.max(1, Math.min(this.#decoding.nextFinishStep - this.#step, room, steps));
      this.#plan = { kind: "decode", startMs, firstMs, slopeMs, done: 0, limit };
    }
  }

  /** Of the slowest rank. */
  #promptsMs(chunks: readonly Chunk[]): number {
    for (const rank of this.#ranks) {
      rank.tokens = 0;
      rank.squares = 0;
      rank.attended = 0;
      rank.largest = 0;
    }
    for (const { attempt, tokens } of chunks) {
      const rank = this.#rankOf(attempt);
      rank.tokens += tokens;
      rank.squares += tokens * tokens;
      rank.attended += tokens * attempt.prefilledTokens;
      rank.largest = Math.max(rank.largest, tokens);
    }
    let slowestMs = 0;
    for (const { tokens, squares, attended, largest } of this.#ranks) {
      if (tokens === 0) continue;
      slowestMs = Math.max(slowestMs, this.profile.stepTimes.promptsMs(tokens, squares, attended, largest));
    }
    return slowestMs;
  }

  #rankOf({ rank }: Attempt): RankLoad {
    return this.#ranks[rank] as RankLoad;
  }

  /** The one with the least prompt tokens to compute, among those that have room in this step. */
  #leastLoadedRank(): number {
    const ranks = this.#ranks;
    let best = -1;
    for (let index = 0; index < ranks.length; index++) {
      const { budget, pendingTokens } = ranks[index] as RankLoad;
      if (budget > 0 && (best < 0 || pendingTokens < (ranks[best] as RankLoad).pendingTokens)) best = index;
    }
    return best;
  }

  #takeJoining(): void {
    if (this.#joining.length === 0) return;
    for (const attempt of this.#joining) {
      this.#reservedKvTokens -= contextTokens(attempt);
      this.#startDecoding(attempt);
    }
    this.#joining = [];
  }

  #startDecoding(attempt: Attempt): void {
    attempt.joinStep = this.#step;
    attempt.joinTokens = contextTokens(attempt);
    attempt.finishStep = this.#step + attempt.request.outputTokens - attempt.generatedTokens;
    this.#decodeKvTokens += attempt.joinTokens;
    this.#decoding.join(attempt);
  }

  /** Preempts, latest first, until every decoding request can get one more token. */
  #makeRoomForNextTokens(nowMs: number): void {
    while (
      this.#decoding.size > 0 &&
      this.kvTokens + this.#decoding.size + this.#prefilling.length > this.kvCapacityTokens
    ) {
      const victim = this.#decoding.takeLatest() as Attempt;
      this.#leaveBatch(victim);
      if (this.#decoding.size === 0 && this.#reservedKvTokens === 0) {
        // Alone in the cache and still too large: it ends here, as an engine ends a request at its context length.
        this.#finish(victim, nowMs);
        return;
      }
      this.preemptions++;
      victim.prefilledTokens = 0;
      this.#recomputing.add(victim);
      this.#waiting.pushFront(victim);
      this.#waitingTokens += contextTokens(victim);
    }
  }

  #leaveBatch(attempt: Attempt): void {
    const steps = this.#step - attempt.joinStep;
    attempt.generatedTokens += steps;
    this.#decodeKvTokens -= attempt.joinTokens + steps;
    this.#releaseBlocks(attempt);
  }

  #releaseBlocks(attempt: Attempt): void {
    this.#prefixes?.release(attempt.request, attempt.heldBlocks);
    attempt.heldBlocks = 0;
  }

  /** What of its prompt is computed by now is there for others. */
  #shareBlocks(attempt: Attempt): void {
    const { request, prefilledTokens, heldBlocks } = attempt;
    if (this.#prefixes === undefined || request.blocks === undefined) return;
    const isWhole = prefilledTokens >= request.inputTokens;
    const blocks = isWhole ? request.blocks.length : Math.floor(prefilledTokens / PREFIX_BLOCK_TOKENS);
    if (blocks <= heldBlocks) return;
    this.#prefixes.hold(request, heldBlocks, blocks);
    attempt.heldBlocks = blocks;
  }

  /** Takes what is there of the beginning of a prompt; the last token is computed all the same. */
  #findBlocks(attempt: Attempt): void {
    if (this.#prefixes === undefined) return;
    const { request } = attempt;
    const blocks = this.#prefixes.match(request);
    this.#prefixes.hold(request, 0, blocks);
    attempt.heldBlocks = blocks;
    attempt.prefilledTokens = Math.min(tokensBetween(request, 0, blocks), contextTokens(attempt) - 1);
    if (this.prefixCache === undefined || this.#recomputing.has(attempt)) return;
    this.prefixCache.queriedTokens += request.inputTokens;
    this.prefixCache.hitTokens += attempt.prefilledTokens;
  }

  #canAdmit(): boolean {
    const head = this.#head();
    return head !== undefined && this.#needsPrefill(head) && this.#fits(head);
  }

  #needsPrefill(attempt: Attempt): boolean {
    return this.role !== "decode" || this.#recomputing.has(attempt);
  }

  #fits(attempt: Attempt): boolean {
    const slots = this.runningRequests + this.#transferring.size;
    const free = this.kvCapacityTokens - this.kvTokens + (this.#prefixes?.heldTokens(attempt.request) ?? 0);
    // One token to grow for each request in the batch, or an admission would cause a preemption at once.
    return (
      slots < this.profile.maxRequests &&
      contextTokens(attempt) + this.#decoding.size + this.#prefilling.length + 1 <= free
    );
  }

  /** The next waiting request that still has a client. */
  #head(): Attempt | undefined {
    for (let head = this.#waiting.peek(); head !== undefined; head = this.#waiting.peek()) {
      if (!head.cancelled) return head;
      this.#waiting.shift();
      this.#recomputing.delete(head);
      this.#waitingTokens -= contextTokens(head);
      this.#computed(head);
    }
    return undefined;
  }

  #admit(nowMs: number): Attempt {
    const attempt = this.#waiting.shift() as Attempt;
    attempt.admittedMs ??= nowMs;
    this.#waitingTokens -= contextTokens(attempt);
    this.#reservedKvTokens += contextTokens(attempt);
    this.#findBlocks(attempt);
    this.#prefixes?.trim(this.kvCapacityTokens - this.kvTokens);
    return attempt;
  }

  #computed(attempt: Attempt): void {
    this.#backlogTokens -= attempt.backlogTokens;
    attempt.backlogTokens = 0;
  }

  #admitTransfers(nowMs: number): void {
    for (let head = this.#head(); head !== undefined; head = this.#head()) {
      if (this.#needsPrefill(head) || !this.#fits(head)) return;
      const attempt = this.#admit(nowMs);
      this.#transferring.add(attempt);
      this.#listener.transferring(attempt, nowMs);
    }
  }

  #takeChunks(nowMs: number): readonly Chunk[] {
    const budget = Math.floor((this.profile.maxBatchedTokens - this.#decoding.size) / this.#ranks.length);
    for (const rank of this.#ranks) rank.budget = budget;
    const chunks: Chunk[] = [];
    for (const attempt of this.#prefilling) this.#takeChunk(attempt, chunks);
    for (let rank = this.#leastLoadedRank(); rank >= 0 && this.#canAdmit(); rank = this.#leastLoadedRank()) {
      const attempt = this.#admit(nowMs);
      attempt.rank = rank;
      this.#rankOf(attempt).pendingTokens += contextTokens(attempt) - attempt.prefilledTokens;
      this.#prefilling.push(attempt);
      this.#takeChunk(attempt, chunks);
    }
    return chunks;
  }

  #takeChunk(attempt: Attempt, chunks: Chunk[]): void {
    const rank = this.#rankOf(attempt);
    const tokens = Math.min(rank.budget, contextTokens(attempt) - attempt.prefilledTokens);
    if (tokens > 0) chunks.push({ attempt, tokens });
    rank.budget -= tokens;
  }

  #completeMixed({ startMs, endMs, chunks }: MixedPlan): void {
    this.#busyMs += endMs - startMs;
    const batch = this.#decoding.size;
    if (batch > 0) this.interTokenLatency.observe((endMs - startMs) / 1000, batch);
    this.#step++;
    this.#decodeKvTokens += batch;
    this.generationTokens += batch;
    this.#retire(endMs);
    for (const { attempt, tokens } of chunks) {
      attempt.prefilledTokens += tokens;
      this.#rankOf(attempt).pendingTokens -= tokens;
      this.#shareBlocks(attempt);
      if (attempt.prefilledTokens >= contextTokens(attempt)) this.#completePrefill(attempt, endMs);
    }
  }

  #completePrefill(attempt: Attempt, endMs: number): void {
    // Prompts are computed in order, so that it is the first or close to it.
    this.#prefilling.splice(this.#prefilling.indexOf(attempt), 1);
    this.#computed(attempt);
    if (this.#recomputing.delete(attempt)) {
      this.#reservedKvTokens -= contextTokens(attempt);
      this.#startDecoding(attempt);
      return;
    }
    this.promptTokens += attempt.request.inputTokens;
    this.generationTokens++;
    if (this.role === "prefill") {
      this.timeToFirstToken.observe((endMs - attempt.engineArrivedMs) / 1000);
      this.endToEnd.observe((endMs - attempt.engineArrivedMs) / 1000);
      this.finishedRequests++;
      this.promptLengths.observe(attempt.request.inputTokens);
      this.#held.set(attempt, contextTokens(attempt));
      this.#heldTokens += contextTokens(attempt);
      attempt.generatedTokens = 1;
      this.#listener.prefilled(attempt, endMs);
      return;
    }
    this.#reservedKvTokens -= contextTokens(attempt);
    this.#deliverFirstToken(attempt, endMs);
    if (attempt.generatedTokens >= attempt.request.outputTokens) {
      this.#releaseBlocks(attempt);
      this.#finish(attempt, endMs);
    } else this.#startDecoding(attempt);
  }

  /** On a decode engine the token came with the transfer: the prefill engine computed it. */
  #deliverFirstToken(attempt: Attempt, atMs: number): void {
    attempt.generatedTokens = 1;
    this.timeToFirstToken.observe((atMs - attempt.engineArrivedMs) / 1000);
    this.#listener.firstToken(attempt, atMs);
  }

  #completeDecodes(plan: DecodePlan, nowMs: number): void {
    const steps = stepsWithin(plan, nowMs) - plan.done;
    if (steps <= 0) return;
    const batch = this.#decoding.size;
    const firstMs = plan.firstMs + plan.slopeMs * plan.done;
    this.interTokenLatency.observeRamp(firstMs / 1000, plan.slopeMs / 1000, steps, batch);
    this.#busyMs += seriesMs(plan, plan.done + steps) - seriesMs(plan, plan.done);
    plan.done += steps;
    this.#step += steps;
    this.#decodeKvTokens += steps * batch;
    this.generationTokens += steps * batch;
  }

  /** Requests that have their last token leave the batch. */
  #retire(atMs: number): void {
    for (let done = this.#decoding.takeFinished(this.#step); done !== undefined; ) {
      this.#leaveBatch(done);
      this.#finish(done, atMs);
      done = this.#decoding.takeFinished(this.#step);
    }
  }

  #finish(attempt: Attempt, atMs: number): void {
    this.finishedRequests++;
    this.promptLengths.observe(attempt.request.inputTokens);
    this.endToEnd.observe((atMs - attempt.engineArrivedMs) / 1000);
    this.#listener.finished(attempt, atMs);
  }
}

/** KV tokens of a request outside the decoding batch. */
const contextTokens = ({ request, generatedTokens }: Attempt): number => request.inputTokens + generatedTokens;

/** Duration of the first `steps` steps of a run: each is longer than the one before by the slope. */
function seriesMs({ firstMs, slopeMs }: DecodePlan, steps: number): number {
  return steps * firstMs + (slopeMs * steps * (steps - 1)) / 2;
}

/**
 * How many whole steps of the run end by `nowMs`, at most its limit. Compared in the very terms of `nextEventMs`: a
 * rounding difference between the two would leave the last step of a run unfinished for ever.
 */
function stepsWithin(plan: DecodePlan, nowMs: number): number {
  const { startMs, firstMs, slopeMs, limit } = plan;
  if (endsBy(plan, limit, nowMs)) return limit;
  const elapsedMs = nowMs - startMs;
  const half = firstMs - slopeMs / 2;
  const root = slopeMs > 0 ? (Math.sqrt(half * half + 2 * slopeMs * elapsedMs) - half) / slopeMs : elapsedMs / firstMs;
  let steps = Math.max(0, Math.min(limit, Math.floor(root)));
  while (steps < limit && endsBy(plan, steps + 1, nowMs)) steps++;
  while (steps > 0 && !endsBy(plan, steps, nowMs)) steps--;
  return steps;
}

const endsBy = (plan: DecodePlan, steps: number, nowMs: number): boolean =>
  plan.startMs + seriesMs(plan, steps) <= nowMs;
