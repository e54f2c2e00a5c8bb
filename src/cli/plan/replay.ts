/** `plan --replay FILE`: decides a recorded run again and prints every decision; one that comes out otherwise is shown beside the recorded one. */
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { formatTime } from "../../api/kubernetes/time.ts";
import { RecordingError, type Replay, type ReplayedTurn, startReplay } from "../../jobs/recording.ts";
import { UsageError } from "../errors.ts";
import { unreadable } from "../files.ts";
import { isForPrograms } from "../output.ts";
import type { Terminal } from "../terminal.ts";

export interface ReplayFlags {
  readonly replay: string;
  /** `json` prints a line of JSON for each decision. */
  readonly output: string;
}

/** @throws UsageError for a file that is not a recording, with the number of the line */
export async function replayFile({ replay: file, output }: ReplayFlags, terminal: Terminal): Promise<void> {
  const replay = startReplay();
  let turns = 0;
  let differing = 0;
  let number = 0;
  let cut: string | undefined;
  for await (const line of linesOf(file)) {
    number++;
    // Only the last line may be broken: the process that wrote it was killed.
    if (cut !== undefined) throw new UsageError(`${file}: ${cut}`);
    if (line === "") continue;
    const turn = turnOf(replay, line);
    if ("problem" in turn) {
      cut = `line ${number}: ${turn.problem}`;
      continue;
    }
    turns++;
    if (turn.recorded !== undefined) differing++;
    terminal.print(isForPrograms(output) ? JSON.stringify(turn) : textOf(turn));
  }
  if (cut !== undefined && turns === 0) throw new UsageError(`${file}: ${cut}`);
  if (cut !== undefined) terminal.printError(`note: ${file}: the last line was left out, it is not whole (${cut})`);
  if (turns === 0) throw new UsageError(`${file}: the recording is empty`);
  const verdict = differing === 0 ? "all as recorded" : `${differing} not as recorded`;
  terminal.printError(`${turns} decisions replayed, ${verdict}`);
  if (differing > 0) terminal.exitCode(1);
}

async function* linesOf(file: string): AsyncGenerator<string> {
  try {
    yield* createInterface({ input: createReadStream(file, "utf8"), crlfDelay: Number.POSITIVE_INFINITY });
  } catch (error) {
    throw unreadable("--replay", file, error);
  }
}

function turnOf(replay: Replay, line: string): ReplayedTurn | { readonly problem: string } {
  try {
    return replay.next(line);
  } catch (error) {
    if (error instanceof RecordingError) return { problem: error.message };
    throw error;
  }
}

function textOf({ key, decision, recorded }: ReplayedTurn): string {
  const line = ({ atMs, id, outcome, message }: ReplayedTurn["decision"]): string =>
    `${formatTime(atMs)} ${key} #${id} ${outcome}: ${message}`;
  if (recorded === undefined) return line(decision);
  const where = firstDifference(recorded, decision) ?? "";
  return `${line(decision)}\n  not as recorded, first at ${where}: ${line(recorded)}`;
}

/** @returns the path of the first field in which the two differ, as `targets[1].desired` */
function firstDifference(before: unknown, after: unknown, path = ""): string | undefined {
  if (Object.is(before, after)) return undefined;
  if (typeof before !== "object" || typeof after !== "object" || before === null || after === null) return path;
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  for (const name of names) {
    const inner = Array.isArray(before) ? `${path}[${name}]` : path === "" ? name : `${path}.${name}`;
    const found = firstDifference(
      (before as Record<string, unknown>)[name],
      (after as Record<string, unknown>)[name],
      inner,
    );
    if (found !== undefined) return found;
  }
  return undefined;
}
