import type { Arrival } from "../../sim/engines/data-plane.ts";
import { readTraceFile } from "../../sim/traffic/trace-file.ts";
import { UsageError } from "../errors.ts";
import { unreadable } from "../files.ts";

/** @param flag that names the file. @throws UsageError with the flag, the path, and the line that is broken or the way out */
export function readTrace(flag: string, file: string): readonly Arrival[] {
  try {
    return readTraceFile(file);
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined;
    // The system's and zlib's own have a code; a broken line has none.
    if (cause instanceof Error && "code" in cause) throw unreadable(flag, file, cause);
    throw new UsageError(`${flag}: ${error instanceof Error ? error.message : error}`);
  }
}
