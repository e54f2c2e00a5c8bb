/**
 * Replay of recorded requests: `arrival_seconds,input_tokens,output_tokens[,…]`, one a line, sorted by arrival. Pure.
 *
 * Of further columns only `blocks` is read, and only when the header has it: the ids of the prompt's 512-token blocks as ranges, `0-13 40`.
 */
import type { Random } from "../../random.ts";
import type { GeneratedArrival } from "./generate.ts";

/** @throws SyntaxError with the number of the first bad line */
export function parseTrace(csv: string): readonly GeneratedArrival[] {
  const arrivals: GeneratedArrival[] = [];
  let previousSeconds = Number.NEGATIVE_INFINITY;
  let blocksColumn = -1;
  const lines = csv.split("\n");
  for (const [index, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === "") continue;
    if (index === 0 && /^[a-z_]/i.test(line)) {
      checkHeader(line);
      blocksColumn = line.split(",").findIndex((name) => name.trim() === "blocks");
      continue;
    }
    const fields = line.split(",");
    const [seconds = Number.NaN, inputTokens = Number.NaN, outputTokens = Number.NaN] = fields
      .slice(0, 3)
      .map((field) => (field.trim() === "" ? Number.NaN : Number(field)));
    if (
      !(seconds >= 0 && inputTokens > 0 && outputTokens >= 0 && Number.isFinite(seconds + inputTokens + outputTokens))
    ) {
      throw new SyntaxError(`line ${index + 1}: expected arrival_seconds,input_tokens,output_tokens, got "${line}"`);
    }
    if (seconds < previousSeconds) throw new SyntaxError(`line ${index + 1}: arrivals must be sorted`);
    previousSeconds = seconds;
    const arrival = { atMs: seconds * 1000, inputTokens, outputTokens: Math.max(1, outputTokens) };
    if (blocksColumn < 0) arrivals.push(arrival);
    else arrivals.push({ ...arrival, blocks: parseBlocks(fields[blocksColumn] ?? "", inputTokens, index + 1) });
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

const COLUMNS = ["arrival_seconds", "input_tokens", "output_tokens"];

/** Columns in another order would be replayed as something else. */
function checkHeader(line: string): void {
  const names = line.split(",").map((name) => name.trim());
  if (COLUMNS.every((column, index) => names[index] === column)) return;
  throw new SyntaxError(`line 1: the columns must be ${COLUMNS.join(",")}[,…], got "${line}"`);
}

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
  readonly random: Random;
}

const MAX_SHIFT_MS = 60_000;

export function replayTrace(trace: readonly GeneratedArrival[], options: ReplayOptions): readonly GeneratedArrival[] {
  const { startSeconds = 0, durationSeconds = Number.POSITIVE_INFINITY, rateFactor = 1, random } = options;
  if (!(rateFactor > 0 && Number.isFinite(rateFactor))) {
    throw new RangeError(`rateFactor must be a positive number, got ${rateFactor}`);
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
      const atMs = arrival.atMs + shiftMs;
      if (atMs >= endMs) continue;
      const { blocks } = arrival;
      if (blocks === undefined || copy === 0) copies.push({ ...arrival, atMs });
      else copies.push({ ...arrival, atMs, blocks: blocks.map((id) => id + copy * ids) });
    }
  }
  return copies.sort((a, b) => a.atMs - b.atMs);
}
