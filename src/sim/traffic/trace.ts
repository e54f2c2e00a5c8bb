/**
 * Replay of recorded requests, one a line, sorted by arrival. Pure.
 *
 * Of further columns only `blocks` is read, and only when the header has it: the ids of the prompt's 512-token blocks as ranges, `0-13 40`.
 */
import type { Random } from "../../random.ts";
import type { GeneratedArrival } from "./generate.ts";
import { DEFAULT_COLUMNS, fieldsOf, readHeader, type TraceColumns } from "./trace-columns.ts";

/**
 * `arrival_seconds,input_tokens,output_tokens[,…]` without a header; with one, in any order and by the names that other tools use.
 *
 * @throws SyntaxError with the number of the first bad line
 */
export function parseTrace(csv: string): readonly GeneratedArrival[] {
  const arrivals: GeneratedArrival[] = [];
  let columns: TraceColumns = DEFAULT_COLUMNS;
  let originSeconds = 0;
  let previousSeconds = Number.NEGATIVE_INFINITY;
  const lines = csv.replace(/^\uFEFF/, "").split("\n");
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === "") continue;
    if (index === 0 && /^["a-z_]/i.test(line)) {
      columns = readHeader(line);
      continue;
    }
    const fields = fieldsOf(line);
    const readSeconds = columns.arrivalSeconds(fields[columns.arrival]);
    if (arrivals.length === 0) originSeconds = columns.originSeconds(readSeconds);
    const seconds = readSeconds - originSeconds;
    const inputTokens = numberOf(fields[columns.input]);
    const outputTokens = numberOf(fields[columns.output]);
    if (
      !(inputTokens > 0 && outputTokens >= 0 && Number.isFinite(seconds + inputTokens + outputTokens)) ||
      (seconds < 0 && arrivals.length === 0)
    ) {
      throw new SyntaxError(`line ${index + 1}: expected ${columns.expected}, got "${line}"`);
    }
    if (seconds < previousSeconds) throw new SyntaxError(`line ${index + 1}: arrivals must be sorted`);
    previousSeconds = seconds;
    const arrival = { atMs: seconds * 1000, inputTokens, outputTokens: Math.max(1, outputTokens) };
    const { blocks } = columns;
    if (blocks === undefined) arrivals.push(arrival);
    else arrivals.push({ ...arrival, blocks: parseBlocks(fields[blocks] ?? "", inputTokens, index + 1) });
  }
  if (arrivals.length === 0) throw new SyntaxError("the trace holds no request");
  return arrivals;
}

const BLOCK_TOKENS = 512;

/** @throws SyntaxError naming the line */
function parseBlocks(text: string, inputTokens: number, line: number): readonly number[] {
  const blocks: number[] = [];
  const most = Math.ceil(inputTokens / BLOCK_TOKENS);
  for (const range of text.trim().split(/ +/)) {
    const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
    if (first === undefined || Number(last) < Number(first)) {
      throw new SyntaxError(`line ${line}: blocks must be ids and ranges of ids like "0-13 40", got "${text}"`);
    }
    // Before they are written out: a range may be as long as its digits say.
    if (blocks.length + Number(last) - Number(first) + 1 > most) {
      throw new SyntaxError(
        `line ${line}: more blocks than ${inputTokens} input tokens have (${most} of ${BLOCK_TOKENS})`,
      );
    }
    for (let id = Number(first); id <= Number(last); id++) blocks.push(id);
  }
  return blocks;
}

const numberOf = (field: string | undefined): number => (field ? Number(field) : Number.NaN);

export interface ReplayOptions {
  /** Skips what arrives before; time 0 of the stream is here. */
  readonly startSeconds?: number;
  readonly durationSeconds?: number;
  /**
   * Load relative to the trace, by superposition: whole copies, each shifted by its own random time of up to a minute
   * (keeps the shape of the day, smooths bursts), and a random share of one more copy for the rest. Default 1. Copies are
   * other users: they share no prompt with the trace or with each other.
   */
  readonly rateFactor?: number;
  /** Each arrival is delayed by up to this, uniformly: for logs whose times are rounded down to steps, such as the 3 s of Mooncake. Default 0. */
  readonly jitterSeconds?: number;
  readonly random: Random;
}

const MAX_SHIFT_MS = 60_000;

export function replayTrace(trace: readonly GeneratedArrival[], options: ReplayOptions): readonly GeneratedArrival[] {
  const {
    startSeconds = 0,
    durationSeconds = Number.POSITIVE_INFINITY,
    rateFactor = 1,
    jitterSeconds = 0,
    random,
  } = options;
  if (!(rateFactor > 0 && Number.isFinite(rateFactor))) {
    throw new RangeError(`rateFactor must be a positive number, got ${rateFactor}`);
  }
  if (!(jitterSeconds >= 0 && Number.isFinite(jitterSeconds))) {
    throw new RangeError(`jitterSeconds must be a number from 0, got ${jitterSeconds}`);
  }
  const endMs = durationSeconds * 1000;
  const window = trace
    .map((arrival) => ({ ...arrival, atMs: arrival.atMs - startSeconds * 1000 }))
    .filter(({ atMs }) => atMs >= 0 && atMs < endMs);
  const ids = 1 + trace.reduce((most, { blocks = [] }) => blocks.reduce((a, b) => Math.max(a, b), most), -1);
  const copies: GeneratedArrival[] = [];
  for (let copy = 0; copy < rateFactor; copy++) {
    const share = Math.min(1, rateFactor - copy);
    const shiftMs = copy === 0 ? 0 : random.next() * MAX_SHIFT_MS;
    for (const arrival of window) {
      if (share < 1 && random.next() >= share) continue;
      const atMs = arrival.atMs + shiftMs + (jitterSeconds > 0 ? random.next() * jitterSeconds * 1000 : 0);
      if (atMs >= endMs) continue;
      const { blocks } = arrival;
      if (blocks === undefined || copy === 0) copies.push({ ...arrival, atMs });
      else copies.push({ ...arrival, atMs, blocks: blocks.map((id) => id + copy * ids) });
    }
  }
  return copies.sort((a, b) => a.atMs - b.atMs);
}
