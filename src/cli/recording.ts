/** `--record FILE` of the commands that decide. */
import { openRecording, type RecordingFile, type RecordingFileOptions } from "../jobs/recording-file.ts";
import { UsageError } from "./errors.ts";

/** @throws UsageError when the file cannot be opened */
export function recordingTo(options: RecordingFileOptions): RecordingFile {
  try {
    return openRecording(options);
  } catch (error) {
    throw new UsageError(
      `--record: cannot write ${options.file}: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
