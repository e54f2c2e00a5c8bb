/** What goes wrong in the fault matrix: each fault alone, in the middle of what is judged. */
import type { Fault } from "../../src/trial/scenario.ts";

interface Window {
  readonly startMs: number;
  readonly endMs: number;
}

export interface NamedFault {
  readonly name: string;
  readonly faultsOf: (window: Window) => readonly Fault[];
}

const MINUTE_MS = 60_000;

/** From `share` of the window on, for so many minutes. */
const during = ({ startMs, endMs }: Window, share: number, minutes: number): { fromMs: number; toMs: number } => {
  const fromMs = startMs + share * (endMs - startMs);
  return { fromMs, toMs: fromMs + minutes * MINUTE_MS };
};

export const FAULTS: readonly NamedFault[] = [
  { name: "Prometheus down for 10 min", faultsOf: (w) => [{ kind: "ScrapesFail", ...during(w, 0.3, 10) }] },
  {
    name: "no series of one prefill replica for 10 min",
    faultsOf: (w) => [{ kind: "ExporterFails", how: "drop", ref: "prefill", ...during(w, 0.3, 10) }],
  },
  {
    name: "NaN from one prefill replica for 10 min",
    faultsOf: (w) => [{ kind: "ExporterFails", how: "nan", ref: "prefill", ...during(w, 0.3, 10) }],
  },
  {
    name: "stale numbers of one prefill replica for 10 min",
    faultsOf: (w) => [{ kind: "ExporterFails", how: "freeze", ref: "prefill", ...during(w, 0.3, 10) }],
  },
  { name: "autoscaler restarts", faultsOf: (w) => [{ kind: "Restart", atMs: during(w, 0.3, 0).fromMs }] },
  { name: "no room for 10 min", faultsOf: (w) => [{ kind: "NoRoom", ...during(w, 0.1, 10) }] },
  {
    name: "a quarter of the nodes lost for 10 min",
    faultsOf: (w) => [{ kind: "NodeLoss", ratio: 0.25, ...during(w, 0.3, 10) }],
  },
  {
    name: "a prefill engine crashes",
    faultsOf: (w) => [{ kind: "Crash", ref: "prefill", atMs: during(w, 0.3, 0).fromMs }],
  },
];
