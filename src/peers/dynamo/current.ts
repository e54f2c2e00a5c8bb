/** The targets of Dynamo's planner of today: thresholds for throughput or latency, latency goals, and those over a throughput bound. */
import type { Parameters, PeerContext, PeerDefinition, PeerParameter } from "../peer.ts";
import { byThresholds, type Thresholds } from "./load.ts";
import { byLatency, type SlaOptions } from "./load-sla.ts";
import { planner } from "./planner.ts";
import { PREDICTORS } from "./predictors.ts";

const SOURCE = "ai-dynamo/dynamo:components/src/dynamo/planner/core/load_scaling.py";

const loadIntervalSeconds: PeerParameter = {
  default: 5,
  min: 5,
  max: 120,
  scale: "integer",
  about: "load adjustment interval",
};

/** Llama 3.x; Dynamo reads it from the model card. */
const CONTEXT_LENGTH_TOKENS = 131_072;

function byTarget(name: string, title: string, defaults: Thresholds): PeerDefinition {
  return {
    name,
    title,
    source: SOURCE,
    parameters: {
      loadIntervalSeconds,
      prefillUp: {
        default: defaults.prefillUp,
        min: 0.001,
        max: 4,
        scale: "log",
        about: "queued prompt tokens over context length",
      },
      prefillDown: { default: defaults.prefillDown, min: 0, max: 0.5, scale: "linear", about: "the same, all engines" },
      decodeUp: { default: defaults.decodeUp, min: 0.1, max: 2, scale: "linear", about: "KV in use and queued, of 1" },
      decodeDown: {
        default: defaults.decodeDown,
        min: 0.02,
        max: 0.9,
        scale: "linear",
        about: "the same, all engines",
      },
      contextLengthTokens: {
        default: CONTEXT_LENGTH_TOKENS,
        min: 4_096,
        max: 262_144,
        scale: "log",
        about: "longest request of the model",
      },
    },
    create(parameters, { roles, performance }) {
      const of = (parameter: keyof Omit<Thresholds, "downAtThreshold">): number =>
        parameters[parameter] ?? defaults[parameter];
      return planner({
        roles,
        intervalSeconds: parameters["loadIntervalSeconds"] ?? 5,
        kvTokens: performance.kvTokens,
        load: byThresholds({
          prefillUp: of("prefillUp"),
          prefillDown: of("prefillDown"),
          decodeUp: of("decodeUp"),
          decodeDown: of("decodeDown"),
          downAtThreshold: defaults.downAtThreshold,
          contextLengthTokens: parameters["contextLengthTokens"] ?? CONTEXT_LENGTH_TOKENS,
          kvTokens: performance.kvTokens,
        }),
      });
    },
  };
}

export const DYNAMO_LOAD = byTarget("dynamo-load", "Dynamo planner, load, target throughput (re-implemented)", {
  prefillUp: 1,
  prefillDown: 0.1,
  decodeUp: 1,
  decodeDown: 0.6,
  downAtThreshold: false,
});

export const DYNAMO_LOAD_LATENCY = byTarget(
  "dynamo-load-latency",
  "Dynamo planner, load, target latency (re-implemented)",
  { prefillUp: 0.1, prefillDown: 0, decodeUp: 0.4, decodeDown: 0.1, downAtThreshold: true },
);

const SLA_PARAMETERS = {
  loadIntervalSeconds,
  sensitivity: {
    default: 0.8,
    min: 0.1,
    max: 1,
    scale: "linear",
    about: "of the goal that one replica less may use (load_scaling_down_sensitivity)",
  },
  ttftRatio: { default: 1, min: 0.1, max: 1.5, scale: "linear", about: "of the TTFT goal that it plans for" },
  itlRatio: { default: 1, min: 0.25, max: 1.5, scale: "linear", about: "of the ITL goal that it plans for" },
} as const satisfies Record<string, PeerParameter>;

const slaOptions = (parameters: Parameters, { slo, performance }: PeerContext): SlaOptions => ({
  ttftSeconds: slo.ttftSeconds * (parameters["ttftRatio"] ?? 1),
  itlSeconds: slo.itlSeconds * (parameters["itlRatio"] ?? 1),
  sensitivity: parameters["sensitivity"] ?? 0.8,
  performance,
});

export const DYNAMO_SLA_LOAD: PeerDefinition = {
  name: "dynamo-sla-load",
  title: "Dynamo planner, load, target SLA (re-implemented)",
  source: SOURCE,
  parameters: SLA_PARAMETERS,
  create(parameters, context) {
    const { roles, performance } = context;
    return planner({
      roles,
      intervalSeconds: parameters["loadIntervalSeconds"] ?? 5,
      kvTokens: performance.kvTokens,
      load: byLatency(slaOptions(parameters, context)),
    });
  },
};

export const DYNAMO_SLA: PeerDefinition = {
  name: "dynamo-sla",
  title: "Dynamo planner, SLA load over a throughput bound (re-implemented, AR(p) approximation of its ARIMA)",
  source: `${SOURCE}, throughput_scaling.py`,
  parameters: {
    ...SLA_PARAMETERS,
    throughputIntervalSeconds: {
      default: 180,
      min: 30,
      max: 600,
      scale: "integer",
      about: "throughput adjustment interval",
    },
    predictor: {
      default: 1,
      min: 0,
      max: 2,
      scale: "integer",
      about: "0 constant, 1 AR(p) for ARIMA, 2 a day ago for Prophet",
    },
  },
  create(parameters, context) {
    const { roles, performance } = context;
    const options = slaOptions(parameters, context);
    return planner({
      roles,
      intervalSeconds: parameters["loadIntervalSeconds"] ?? 5,
      kvTokens: performance.kvTokens,
      load: byLatency(options),
      throughput: {
        intervalSeconds: Math.round(parameters["throughputIntervalSeconds"] ?? 180),
        predictor: PREDICTORS[parameters["predictor"] ?? 1] ?? "ar",
        ttftSeconds: options.ttftSeconds,
        itlSeconds: options.itlSeconds,
        minEndpoint: 1,
        performance,
      },
    });
  },
};
