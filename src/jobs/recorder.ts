/** An EvaluationQueue that writes down every evaluation, for a replay. */
import type { EvaluationQueue } from "./evaluation-queue.ts";
import { createRecording } from "./recording.ts";

/** Where lines go. A new file is begun where the old one is full. */
export interface RecordingSink {
  /** @returns `NeedsFullLine`: nothing was written, a new file begins and its lines must stand alone */
  write(line: string): "Written" | "NeedsFullLine";
}

export function recordEvaluations(queue: EvaluationQueue, sink: RecordingSink): EvaluationQueue {
  const recording = createRecording();
  return {
    async evaluate(evaluation) {
      const result = await queue.evaluate(evaluation);
      if (sink.write(recording.add(evaluation, result)) === "NeedsFullLine") {
        recording.restart();
        sink.write(recording.add(evaluation, result));
      }
      return result;
    },
    get degraded() {
      return queue.degraded;
    },
    close: () => queue.close(),
  };
}
