/** A rate over time without requests: `window_start_seconds,requests_per_second`. Pure. */
import { constant, type LengthShape, type Phase } from "./generate.ts";

export interface Envelope {
  /** Of every window. */
  readonly windowSeconds: number;
  readonly requestsPerSecond: readonly number[];
}

const HEADER = "window_start_seconds,requests_per_second";

/** @throws SyntaxError with the number of the first bad line; windows must follow one another, all of one length */
export function parseEnvelope(csv: string): Envelope {
  const [header = "", ...lines] = csv
    .replace(/^\uFEFF/, "")
    .trimEnd()
    .split("\n");
  if (header.trim() !== HEADER) throw new SyntaxError(`line 1: expected ${HEADER}, got "${header.trim()}"`);
  const rows = lines.map((line, index) => {
    const fields = line.split(",").map((field) => (field.trim() === "" ? Number.NaN : Number(field)));
    const [startSeconds = Number.NaN, requestsPerSecond = Number.NaN] = fields;
    if (!(Number.isFinite(startSeconds) && requestsPerSecond >= 0 && Number.isFinite(requestsPerSecond))) {
      throw new SyntaxError(`line ${index + 2}: expected ${HEADER}, got "${line.trim()}"`);
    }
    return { startSeconds, requestsPerSecond };
  });
  const [first, second] = rows;
  if (first === undefined || second === undefined) throw new SyntaxError("the envelope needs two windows or more");
  const windowSeconds = second.startSeconds - first.startSeconds;
  for (const [index, { startSeconds }] of rows.entries()) {
    const expected = first.startSeconds + index * windowSeconds;
    if (!(windowSeconds > 0) || Math.abs(startSeconds - expected) > windowSeconds / 1000) {
      throw new SyntaxError(
        `line ${index + 2}: windows must follow one another every ${windowSeconds} s: expected ${expected}, got ${startSeconds}`,
      );
    }
  }
  return { windowSeconds, requestsPerSecond: rows.map(({ requestsPerSecond }) => requestsPerSecond) };
}

/** Requests at the rates of the envelope, which has no lengths of its own. @param rateFactor of the rates */
export function envelopePhases(
  { windowSeconds, requestsPerSecond }: Envelope,
  lengths: { readonly input: LengthShape; readonly output: LengthShape },
  rateFactor = 1,
): readonly Phase[] {
  return requestsPerSecond.map((rate) => ({
    durationSeconds: windowSeconds,
    requestsPerSecond: constant(rate * rateFactor),
    ...lengths,
  }));
}
