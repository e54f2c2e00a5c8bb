/** Every query that the ready-made signals send, for the tests that compare them with a real Prometheus and with the documentation. */
import { METRIC_PRESETS, type ScaleTargetRole } from "../../src/api/autoscaling/scale-target.ts";
import { loadSignal } from "../../src/observe/load-signals.ts";
import { type Engine, PACKS } from "../../src/observe/packs/packs.ts";
import { LOAD_SIGNALS } from "../../src/observe/packs/signal-pack.ts";
import { presetOf, queriesOf } from "../../src/observe/presets.ts";

const ENGINES = Object.keys(PACKS) as Engine[];
const ROLES: readonly ScaleTargetRole[] = ["prefill", "decode", "aggregated", "frontend", "other"];

export function presetQueries(): readonly string[] {
  const presets = ENGINES.flatMap((engine) =>
    METRIC_PRESETS.flatMap((name) => ROLES.map((role) => presetOf(engine, name, role))),
  );
  return [...new Set(presets.flatMap(queriesOf))];
}

export function loadSignalQueries(): readonly string[] {
  const signals = ENGINES.flatMap((engine) =>
    LOAD_SIGNALS.flatMap((signal) =>
      ROLES.flatMap((role) => [0.5, 0.999].map((quantile) => loadSignal(engine, signal, { role, quantile }))),
    ),
  );
  return [...new Set(signals.filter((signal) => signal !== undefined).flatMap(queriesOf))];
}
