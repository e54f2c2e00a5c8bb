/**
 * The text exposition format, read line by line.
 * Format: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
 */
import { type LabelSet, labelSet, METRIC_NAME } from "./labels.ts";

export interface ExpositionSample {
  /** Metric name and labels as written: the same text is the same series, so scrapers cache by it. */
  readonly series: string;
  readonly value: number;
  /** Milliseconds since the epoch, when the line carries its own time. */
  readonly timestampMs?: number;
}

/**
 * @param known series that were read before: of a line that begins with one, only the value is looked at
 * @throws SyntaxError with the number of the line that is not in the format
 */
export function parseExposition(text: string, known?: ReadonlyMap<string, unknown>): readonly ExpositionSample[] {
  const samples: ExpositionSample[] = [];
  let start = 0;
  let lineNumber = 0;
  while (start < text.length) {
    let end = text.indexOf("\n", start);
    if (end === -1) end = text.length;
    lineNumber++;
    const first = firstNonBlank(text, start, end);
    if (first < end && text.charCodeAt(first) !== HASH) {
      const sample = known === undefined ? undefined : parseKnown(text, first, end, known);
      samples.push(sample ?? parseLine(text.slice(first, end), lineNumber));
    }
    start = end + 1;
  }
  return samples;
}

const HASH = 0x23;
const SPACE = 0x20;
const TAB = 0x09;
const RETURN = 0x0d;

function firstNonBlank(text: string, start: number, end: number): number {
  let at = start;
  for (; at < end; at++) {
    const code = text.charCodeAt(at);
    if (code !== SPACE && code !== TAB && code !== RETURN) break;
  }
  return at;
}

function parseKnown(
  text: string,
  start: number,
  end: number,
  known: ReadonlyMap<string, unknown>,
): ExpositionSample | undefined {
  const blank = text.lastIndexOf(" ", end - 1);
  if (blank <= start) return undefined;
  const series = text.slice(start, blank);
  if (!known.has(series)) return undefined;
  const value = parseValue(text.slice(blank + 1, end));
  return value === undefined ? undefined : { series, value };
}

function parseLine(line: string, lineNumber: number): ExpositionSample {
  const cut = endOfSeries(line);
  const [value = "", timestamp, extra] = line
    .slice(cut)
    .trim()
    .split(/[ \t]+/);
  const number = parseValue(value);
  const timestampMs = timestamp === undefined ? undefined : Number(timestamp);
  if (cut <= 0 || number === undefined || extra !== undefined || Number.isNaN(timestampMs)) {
    throw new SyntaxError(`line ${lineNumber} is not a sample: ${line.slice(0, 80)}`);
  }
  const series = line.slice(0, cut).trimEnd();
  return timestampMs === undefined ? { series, value: number } : { series, value: number, timestampMs };
}

/** Where the name and labels end: after the closing brace, or at the first blank when there are no labels. */
function endOfSeries(line: string): number {
  const brace = line.indexOf("{");
  const blank = line.search(/[ \t]/);
  if (brace === -1 || (blank !== -1 && blank < brace && line.slice(blank, brace).trim() !== "")) return blank;
  let quoted = false;
  for (let at = brace + 1; at < line.length; at++) {
    const char = line[at];
    if (quoted && char === "\\") at++;
    else if (char === '"') quoted = !quoted;
    else if (char === "}" && !quoted) return at + 1;
  }
  return -1;
}

function parseValue(text: string): number | undefined {
  switch (text) {
    case "NaN":
      return Number.NaN;
    case "+Inf":
    case "Inf":
      return Number.POSITIVE_INFINITY;
    case "-Inf":
      return Number.NEGATIVE_INFINITY;
    default: {
      const value = text === "" ? Number.NaN : Number(text);
      return Number.isNaN(value) ? undefined : value;
    }
  }
}

const LABEL = /\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\[\s\S])*)"\s*(?:,|$)/y;

/** The labels of `name{a="b"}`, the metric name among them. @throws SyntaxError */
export function parseSeriesText(series: string): LabelSet {
  const brace = series.indexOf("{");
  const name = (brace === -1 ? series : series.slice(0, brace)).trim();
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name)) throw new SyntaxError(`invalid metric name: ${name}`);
  const entries: [string, string][] = [[METRIC_NAME, name]];
  if (brace !== -1) {
    const body = series.slice(brace + 1, series.lastIndexOf("}"));
    LABEL.lastIndex = 0;
    while (LABEL.lastIndex < body.length && body.slice(LABEL.lastIndex).trim() !== "") {
      const at = LABEL.lastIndex;
      const match = LABEL.exec(body);
      if (match === null) throw new SyntaxError(`invalid labels at "${body.slice(at, at + 40)}"`);
      entries.push([match[1] as string, unescapeLabel(match[2] as string)]);
    }
  }
  const set = labelSet(entries);
  if (new Set(entries.map(([label]) => label)).size !== entries.length) {
    throw new SyntaxError(`duplicate label in ${series}`);
  }
  return set;
}

const unescapeLabel = (text: string): string =>
  text.includes("\\") ? text.replaceAll(/\\([\\"n])/g, (_, char: string) => (char === "n" ? "\n" : char)) : text;

/** A label value as the format wants it between its quotes. */
export const escapeLabelValue = (value: string): string =>
  !/["\\\n]/.test(value) ? value : value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");

/** A number as the format and Prometheus's HTTP API write it. */
export function formatValue(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  if (value === Number.NEGATIVE_INFINITY) return "-Inf";
  return String(value);
}
