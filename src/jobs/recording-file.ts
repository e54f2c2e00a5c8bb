/** A recording as a file: appended to, and moved to `FILE.1` when it is full, so that it takes twice its limit at most. */
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, renameSync, writeSync } from "node:fs";
import type { Logger } from "../log.ts";
import type { RecordingSink } from "./recorder.ts";

export interface RecordingFile extends RecordingSink {
  close(): void;
}

export interface RecordingFileOptions {
  readonly file: string;
  readonly maxBytes: number;
  readonly log: Logger;
}

/** @throws Error of the file system when the file cannot be opened; what fails later ends the recording and nothing else */
export function openRecording({ file, maxBytes, log }: RecordingFileOptions): RecordingFile {
  let handle: number | undefined = openSync(file, "a+", 0o600);
  let size = dropCutLine(handle);
  const close = (): void => {
    if (handle !== undefined) closeSync(handle);
    handle = undefined;
  };
  return {
    close,
    write(line) {
      if (handle === undefined) return "Written";
      const bytes = Buffer.from(`${line}\n`);
      try {
        if (size > 0 && size + bytes.length > maxBytes) {
          close();
          renameSync(file, `${file}.1`);
          handle = openSync(file, "a", 0o600);
          size = 0;
          return "NeedsFullLine";
        }
        writeSync(handle, bytes);
        size += bytes.length;
      } catch (error) {
        close();
        log.error({ file, error: String(error) }, "cannot write the recording, decisions go on without it");
      }
      return "Written";
    },
  };
}

/** A process that was killed may have left half a line. @returns the size of what is whole */
function dropCutLine(handle: number): number {
  const { size } = fstatSync(handle);
  const block = Buffer.alloc(65_536);
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - block.length);
    const length = readSync(handle, block, 0, end - start, start);
    const at = block.subarray(0, length).lastIndexOf("\n");
    if (at !== -1) {
      if (start + at + 1 < size) ftruncateSync(handle, start + at + 1);
      return start + at + 1;
    }
    end = start;
  }
  if (size > 0) ftruncateSync(handle, 0);
  return 0;
}
