/** The Logger port on pino: one JSON object a line, the level as text; or plain lines for people. */
import { type DestinationStream, destination, type Logger as PinoLogger, pino } from "pino";
import { formatTime } from "../api/kubernetes/time.ts";
import type { Clock } from "../clock.ts";
import type { LogFields, Logger } from "../log.ts";

export interface LoggerOptions {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly format: "json" | "text";
  readonly clock: Clock;
  /** Where lines go; standard error when absent. */
  readonly stream?: DestinationStream;
}

export function createLogger({ level, format, clock, stream }: LoggerOptions): Logger {
  // Synchronous: the last lines before an exit are the ones that matter.
  const out = stream ?? destination({ fd: 2, sync: true });
  const root = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${formatTime(clock.nowMs())}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: ["token", "password", "authorization", "*.authorization"],
    },
    format === "json" ? out : { write: (line) => out.write(asText(line)) },
  );
  return adapt(root);
}

function adapt(logger: PinoLogger): Logger {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: (fields) => adapt(logger.child(fields)),
  };
}

/** `12:00:00 INFO  became leader  lease=x identity=y` */
function asText(line: string): string {
  const { level, time, msg, ...fields } = JSON.parse(line) as LogFields;
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${plain(value)}`);
  return `${time} ${String(level).toUpperCase().padEnd(5)} ${msg}${rest.length === 0 ? "" : `  ${rest.join(" ")}`}\n`;
}

const plain = (value: unknown): string =>
  typeof value === "string" && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
