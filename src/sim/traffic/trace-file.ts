/** The adapter that reads trace files: `.csv`, or `.csv.gz`. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import type { GeneratedArrival } from "./generate.ts";
import { parseTrace } from "./trace.ts";

/** @throws Error naming the file, and the line when the file was read but a row is bad */
export function readTraceFile(path: string): readonly GeneratedArrival[] {
  try {
    const bytes = readFileSync(path);
    return parseTrace((path.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8"));
  } catch (error) {
    throw new Error(`trace ${path}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}
