/**
 * Reads the answer to an instant query from its bytes. A fleet's answer has 100,000 series, and the next answer to the same query has the same ones in
 * the same order: what did not change is recognised byte by byte, so that an answer costs its values and little more. Only the plain form of a vector
 * is read here, as the Prometheus HTTP API documents it (`/api/v1/query`, result type `vector`); everything else is left to JSON.parse.
 */
import type { Labels, Sample, SampleVector } from "./metrics-source.ts";

export interface VectorReader {
  /**
   * @param query whose answer it is
   * @param body of the response, UTF-8; nothing of it is kept
   * @returns undefined when it is anything but a successful vector in the plain form
   */
  read(query: string, body: Buffer): SampleVector | undefined;
}

/** The label sets of an answer in their order. Answers to several queries about the same pods share one. */
interface Layout {
  /** The label sets as JSON, one after the other. */
  readonly texts: Buffer;
  /** By series: where its text begins; one more at the end. */
  readonly starts: Uint32Array;
  readonly labels: readonly Labels[];
}

/** Distinct layouts that are kept; the one not seen for longest goes first. */
const MAX_LAYOUTS = 64;
const MAX_KEPT_BYTES = 128 * 1024 * 1024;

export function createVectorReader(): VectorReader {
  /** Oldest use first. */
  const layouts = new Set<Layout>();
  const layoutOfQuery = new Map<string, Layout>();
  const scratch = new Scratch();

  function use(query: string, layout: Layout): void {
    layouts.delete(layout);
    layouts.add(layout);
    layoutOfQuery.set(query, layout);
    let bytesKept = 0;
    for (const { texts } of layouts) bytesKept += texts.length;
    for (const oldest of layouts) {
      if (layouts.size <= MAX_LAYOUTS && bytesKept <= MAX_KEPT_BYTES) break;
      layouts.delete(oldest);
      bytesKept -= oldest.texts.length;
      for (const [text, one] of layoutOfQuery) if (one === oldest) layoutOfQuery.delete(text);
    }
  }

  /** Of the same query, or of one about the same pods. */
  function likely(query: string, body: Buffer, start: number): Layout | undefined {
    const own = layoutOfQuery.get(query);
    if (own !== undefined) return own;
    for (const layout of [...layouts].reverse())
      if (placeOfSame(body, start + METRIC.length, layout, 0) === 0) return layout;
    return undefined;
  }

  return {
    read(query, body) {
      const start = startOfSeries(body);
      if (start === undefined) return undefined;
      const answer = readSeries(body, start, likely(query, body, start), scratch);
      if (answer === undefined) return undefined;
      use(query, answer.layout);
      return answer.samples;
    },
  };
}

interface Answer {
  readonly samples: SampleVector;
  readonly layout: Layout;
}

/** One moment, many values: what an answer costs between two layouts that are the same. */
class ColumnVector implements SampleVector {
  readonly labels: readonly Labels[];
  readonly #timestampSeconds: number;
  readonly #values: Float64Array;

  constructor(labels: readonly Labels[], timestampSeconds: number, values: Float64Array) {
    this.labels = labels;
    this.#timestampSeconds = timestampSeconds;
    this.#values = values;
  }

  get length(): number {
    return this.#values.length;
  }

  at(index: number): Sample | undefined {
    const labels = this.labels[index];
    const value = this.#values[index];
    return labels === undefined || value === undefined
      ? undefined
      : { labels, timestampSeconds: this.#timestampSeconds, value };
  }

  *[Symbol.iterator](): Iterator<Sample> {
    for (let index = 0; index < this.length; index++) yield this.at(index) as Sample;
  }
}

/** What is written down while an answer is read, and used again for the next. */
class Scratch {
  values = new Float64Array(1_024);
  /** Start and end of each label set in the body. */
  ranges = new Uint32Array(2_048);

  grow(): void {
    const { values, ranges } = this;
    this.values = new Float64Array(2 * values.length);
    this.values.set(values);
    this.ranges = new Uint32Array(2 * ranges.length);
    this.ranges.set(ranges);
  }
}

function readSeries(body: Buffer, start: number, before: Layout | undefined, scratch: Scratch): Answer | undefined {
  /** Absent while all is as before. */
  let labels: Labels[] | undefined = before === undefined ? [] : undefined;
  let timestampSeconds = Number.NaN;
  const done = (count: number): Answer => {
    const values = scratch.values.slice(0, count);
    if (before !== undefined && labels === undefined && before.labels.length === count)
      return { samples: new ColumnVector(before.labels, timestampSeconds, values), layout: before };
    const layout = layoutOf(body, scratch.ranges, labels ?? before?.labels.slice(0, count) ?? []);
    return { samples: new ColumnVector(layout.labels, timestampSeconds, values), layout };
  };
  if (body[start] === CLOSE_LIST) return done(0);
  let place = 0;
  let timestampText = -1;
  let timestampLength = 0;
  let at = start;
  for (let count = 0; ; ) {
    if (!hasAt(body, at, METRIC)) return undefined;
    const metricStart = at + METRIC.length;
    const same = before === undefined ? undefined : placeOfSame(body, metricStart, before, place);
    const metricEnd =
      before === undefined || same === undefined
        ? endOfObject(body, metricStart)
        : metricStart + lengthOf(before, same);
    if (metricEnd === undefined || !hasAt(body, metricEnd, VALUE)) return undefined;
    if (labels === undefined && same !== place) labels = before?.labels.slice(0, count) ?? [];

    const timeStart = metricEnd + VALUE.length;
    if (timestampText === -1) {
      const timeEnd = body.indexOf(COMMA, timeStart);
      if (timeEnd === -1) return undefined;
      timestampText = timeStart;
      timestampLength = timeEnd + 1 - timeStart;
      timestampSeconds = Number(body.toString("latin1", timeStart, timeEnd));
      if (Number.isNaN(timestampSeconds)) return undefined;
    }
    // An instant vector is of one moment; one that is not is read elsewhere.
    if (!isSameText(body, timeStart, timestampText, timestampLength)) return undefined;
    const valueStart = timeStart + timestampLength + 1;
    if (body[valueStart - 1] !== QUOTE) return undefined;
    const valueEnd = endOfValue(body, valueStart);
    if (!hasAt(body, valueEnd, END_OF_VALUE)) return undefined;
    const known = same === undefined ? undefined : before?.labels[same];
    labels?.push(known ?? (JSON.parse(body.toString("utf8", metricStart, metricEnd)) as Labels));
    if (same !== undefined) place = same + 1;
    if (count === scratch.values.length) scratch.grow();
    scratch.values[count] = numberAt(body, valueStart, valueEnd);
    scratch.ranges[2 * count] = metricStart;
    scratch.ranges[2 * count + 1] = metricEnd;
    count++;
    at = valueEnd + END_OF_VALUE.length;
    if (body[at] === CLOSE_LIST) return done(count);
    if (body[at] !== COMMA) return undefined;
    at++;
  }
}

/** @param ranges of the label sets in the body: start and end of each */
function layoutOf(body: Buffer, ranges: Uint32Array, labels: readonly Labels[]): Layout {
  const starts = new Uint32Array(labels.length + 1);
  for (let series = 0; series < labels.length; series++) {
    const length = (ranges[2 * series + 1] as number) - (ranges[2 * series] as number);
    starts[series + 1] = (starts[series] as number) + length;
  }
  const texts = Buffer.allocUnsafeSlow(starts[labels.length] as number);
  for (let series = 0; series < labels.length; series++)
    body.copy(texts, starts[series], ranges[2 * series], ranges[2 * series + 1]);
  return { texts, starts, labels };
}

const bytes = (text: string): Buffer => Buffer.from(text, "latin1");
const SUCCESS = bytes('"status":"success"');
const VECTOR = bytes('"resultType":"vector","result":[');
const METRIC = bytes('{"metric":');
const VALUE = bytes(',"value":[');
const END_OF_VALUE = bytes('"]}');
const OPEN = 0x7b;
const CLOSE = 0x7d;
const CLOSE_LIST = 0x5d;
const QUOTE = 0x22;
const ESCAPE = 0x5c;
const COMMA = 0x2c;
const DOT = 0x2e;
const ZERO = 0x30;
/** What servers write before the first series fits in here. */
const HEAD_BYTES = 256;

function startOfSeries(body: Buffer): number | undefined {
  const head = body.subarray(0, HEAD_BYTES);
  const at = head.indexOf(VECTOR);
  const status = head.indexOf(SUCCESS);
  return at === -1 || status === -1 || status > at ? undefined : at + VECTOR.length;
}

function hasAt(body: Buffer, at: number, text: Buffer): boolean {
  for (let index = 0; index < text.length; index++) if (body[at + index] !== text[index]) return false;
  return true;
}

/** Pods that went since the last answer, as many as one gang may have; those that came are found where they are not expected. */
const LOOK_AHEAD = 32;

/** @returns the series of the answer before with the label set that begins at `start`, from `place` on */
function placeOfSame(body: Buffer, start: number, before: Layout, place: number): number | undefined {
  const last = Math.min(place + LOOK_AHEAD, before.labels.length);
  for (let series = place; series < last; series++) {
    const from = before.starts[series] as number;
    const length = lengthOf(before, series);
    if (start + length > body.length) continue;
    if (body.compare(before.texts, from, from + length, start, start + length) === 0) return series;
  }
  return undefined;
}

const lengthOf = ({ starts }: Layout, series: number): number =>
  (starts[series + 1] as number) - (starts[series] as number);

function isSameText(body: Buffer, at: number, other: number, length: number): boolean {
  for (let index = 0; index < length; index++) if (body[at + index] !== body[other + index]) return false;
  return true;
}

/** @returns the position after the brace that closes a flat object; braces inside of strings do not count */
function endOfObject(body: Buffer, start: number): number | undefined {
  if (body[start] !== OPEN) return undefined;
  let isInString = false;
  for (let at = start + 1; at < body.length; at++) {
    const byte = body[at];
    if (isInString) {
      if (byte === ESCAPE) at++;
      else if (byte === QUOTE) isInString = false;
    } else if (byte === QUOTE) isInString = true;
    else if (byte === CLOSE) return at + 1;
    else if (byte === OPEN) return undefined;
  }
  return undefined;
}

function endOfValue(body: Buffer, start: number): number {
  let at = start;
  while (at < body.length && body[at] !== QUOTE) at++;
  return at;
}

/** Digits whose number, and whose power of ten, a double holds exactly: their quotient is then rounded once, as IEEE 754 asks. */
const MAX_EXACT_DIGITS = 15;

function numberAt(body: Buffer, start: number, end: number): number {
  let digits = 0;
  let decimals = 0;
  let isAfterDot = false;
  const length = end - start;
  if (length > 0 && length <= MAX_EXACT_DIGITS) {
    let at = start;
    for (; at < end; at++) {
      const byte = body[at] as number;
      if (byte === DOT && !isAfterDot && at > start && at < end - 1) {
        isAfterDot = true;
        continue;
      }
      const digit = byte - ZERO;
      if (digit < 0 || digit > 9) break;
      digits = digits * 10 + digit;
      if (isAfterDot) decimals++;
    }
    if (at === end) return digits / (POWERS_OF_TEN[decimals] as number);
  }
  return readNumber(body.toString("latin1", start, end));
}

const POWERS_OF_TEN = Array.from({ length: MAX_EXACT_DIGITS + 1 }, (_, power) => 10 ** power);

/** Prometheus writes `NaN`, `+Inf` and `-Inf`. */
export function readNumber(text: string): number {
  if (text === "+Inf") return Number.POSITIVE_INFINITY;
  if (text === "-Inf") return Number.NEGATIVE_INFINITY;
  return text === "" ? Number.NaN : Number(text);
}
