/** A log that keeps what is an error. */
import type { Logger } from "../../../src/log.ts";

export function problemLog(): { readonly log: Logger; readonly problems: string[] } {
  const problems: string[] = [];
  const log: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error(fields, message) {
      problems.push(`${message} ${JSON.stringify(fields)}`);
    },
    child: () => log,
  };
  return { log, problems };
}
