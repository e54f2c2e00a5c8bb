/** Which columns of a CSV of requests are what: names of ours, of the Azure files, of BurstGPT, Vidur and load generators. Pure. */
import { parseTime } from "../../api/kubernetes/time.ts";

export interface TraceColumns {
  readonly arrival: number;
  readonly input: number;
  readonly output: number;
  /** Absent: the file has none. */
  readonly blocks?: number;
  /** For messages: what a line should hold. */
  readonly expected: string;
  /** NaN for what is no time. */
  arrivalSeconds(field: string | undefined): number;
  /** What is taken from all arrivals, by the first of them: dates start at 0, seconds since the start stay as they are. */
  originSeconds(firstSeconds: number): number;
}

const ARRIVAL_SECONDS = ["arrivalseconds", "arrivedat", "arrivaltime", "timestamp", "time", "datetime", "starttime"];
const ARRIVAL_MS = ["arrivalms", "arrivalmilliseconds", "timestampms", "timems"];
const INPUT = [
  "inputtokens",
  "contexttokens",
  "prompttokens",
  "requesttokens",
  "inputlength",
  "promptlength",
  "isl",
  "numprefilltokens",
];
const OUTPUT = [
  "outputtokens",
  "generatedtokens",
  "completiontokens",
  "responsetokens",
  "outputlength",
  "osl",
  "numdecodetokens",
];

/** Longer than any trace lasts: such seconds count from an epoch. */
const EPOCH_FROM_SECONDS = 1e8;
/** In seconds that is the year 5138: milliseconds that do not say so. */
const MILLISECONDS_FROM = 1e11;

function columnsAt(
  names: { readonly arrival: string; readonly input: string; readonly output: string },
  at: { readonly arrival: number; readonly input: number; readonly output: number },
  perSecond: number,
): TraceColumns {
  return {
    ...at,
    expected: Object.entries({
      [names.arrival]: at.arrival,
      [names.input]: at.input,
      [names.output]: at.output,
    })
      .sort(([, a], [, b]) => a - b)
      .map(([name]) => name)
      .join(","),
    arrivalSeconds: (field) => secondsOf(field, perSecond),
    originSeconds: (first) => (first >= EPOCH_FROM_SECONDS ? first : 0),
  };
}

export const DEFAULT_COLUMNS = columnsAt(
  { arrival: "arrival_seconds", input: "input_tokens", output: "output_tokens" },
  { arrival: 0, input: 1, output: 2 },
  1,
);

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

/** @throws SyntaxError naming line 1 and the column that is missing or there twice */
export function readHeader(line: string): TraceColumns {
  const names = fieldsOf(line);
  const find = (what: string, aliases: readonly string[], example: string): number => {
    const found = names.flatMap((name, index) => (aliases.includes(plain(name)) ? index : []));
    if (found.length === 1) return found[0]!;
    throw new SyntaxError(
      found.length === 0
        ? `line 1: no column for ${what}: name one ${example}; got "${line}"`
        : `line 1: two columns for ${what}: ${found.map((index) => names[index]).join(" and ")}`,
    );
  };
  const at = {
    arrival: find("the arrival", [...ARRIVAL_SECONDS, ...ARRIVAL_MS], "arrival_seconds, arrival_ms or timestamp"),
    input: find("the tokens of the prompt", INPUT, "input_tokens"),
    output: find("the tokens of the answer", OUTPUT, "output_tokens"),
  };
  const arrival = names[at.arrival]!;
  const inMs = ARRIVAL_MS.includes(plain(arrival));
  const unit = arrival === "arrival_seconds" ? "" : ` (${inMs ? "milliseconds" : "seconds"} or an ISO date)`;
  const columns = columnsAt(
    { arrival: `${arrival}${unit}`, input: names[at.input]!, output: names[at.output]! },
    at,
    inMs ? 1000 : 1,
  );
  const blocks = names.findIndex((name) => plain(name) === "blocks");
  return blocks === -1 ? columns : { ...columns, blocks };
}

/** Fields may be quoted, and then hold commas. */
export function fieldsOf(line: string): readonly string[] {
  if (!line.includes('"')) return line.split(",").map((field) => field.trim());
  return [...line.matchAll(/(?:^|,)\s*(?:"((?:[^"]|"")*)"|([^",]*))\s*(?=,|$)/g)].map(([, quoted, bare = ""]) =>
    quoted === undefined ? bare.trim() : quoted.replaceAll('""', '"'),
  );
}

const DATE = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?$/;

/** A number, or an ISO date, which is UTC unless it says otherwise. Fractions finer than a millisecond stay. */
function secondsOf(field: string | undefined, perSecond: number): number {
  if (!field) return Number.NaN;
  const date = DATE.exec(field);
  if (date === null) {
    const seconds = Number(field) / perSecond;
    return seconds >= MILLISECONDS_FROM ? Number.NaN : seconds;
  }
  const [, day, time, fraction = "0", zone = "Z"] = date;
  return parseTime(`${day}T${time}${zone}`) / 1000 + Number(fraction);
}
