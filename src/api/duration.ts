/** Durations as Go writes them: "90s", "1h30m", "250ms", "1.5h". */

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** For schemas: no sign, at least one number with its unit. */
export const DURATION_PATTERN = "^([0-9]+(\\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$";

/** @returns milliseconds, or undefined when the text is not a duration. "0" is a duration, as in Go. */
export function parseDurationMs(text: string): number | undefined {
  if (text === "0") return 0;
  const match = /^(-?)((?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+)$/u.exec(text);
  if (match === null) return undefined;
  let totalMs = 0;
  for (const [, amount, unit] of match[2]!.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/gu)) {
    totalMs += Number(amount) * UNIT_MS[unit!]!;
  }
  return match[1] === "-" ? -totalMs : totalMs;
}

/** The text of `metav1.Duration` for whole milliseconds: "4h0m0s", "1m30s", "250ms". */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return "0s";
  const sign = durationMs < 0 ? "-" : "";
  const ms = Math.round(Math.abs(durationMs));
  if (ms < 1000) return `${sign}${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = (ms % 60_000) / 1000;
  return `${sign}${hours > 0 ? `${hours}h` : ""}${hours > 0 || minutes > 0 ? `${minutes}m` : ""}${seconds}s`;
}
