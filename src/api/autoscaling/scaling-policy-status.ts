/** What a ScalingPolicy reports. Everything is bounded, so that the object stays far from etcd's 1.5 MB. */
import { CONDITION_MAP } from "../kubernetes/conditions.ts";
import {
  array,
  boolean,
  dateTime,
  type Infer,
  int32,
  int64,
  literals,
  number,
  object,
  optional,
  record,
  string,
} from "../schema/builder.ts";

/** Decisions kept in `status.history`. */
export const HISTORY_MAX_ENTRIES = 20;
export const CHAIN_MAX_ENTRIES = 200;

const OUTCOME = literals(["Scaled", "Held", "Limited", "Advisory", "Failed"]);

const DECISION_SUMMARY = {
  id: string(),
  time: dateTime(),
  outcome: OUTCOME,
  reason: string({ maxLength: 1024 }),
  message: optional(string({ maxLength: 4096 })),
};

const TARGET = object({
  name: string(),
  level: string(),
  current: int32(),
  ready: int32(),
  starting: int32(),
  pending: int32(),
  desired: int32(),
  minViable: int32(),
});

/** Replicas of a target over all set replicas. */
const CHANGE = object({ from: int32(), to: int32() }, { description: "What was written." });

const RATIO = object({
  name: string(),
  current: optional(string()),
  min: optional(string()),
  max: optional(string()),
  withinBand: boolean(),
});

const NEIGHBOUR = object({
  constraint: string(),
  detail: string({ maxLength: 1024 }),
  change: optional(
    string({ maxLength: 1024, description: "The nearest thing that would take it there, as of the decision." }),
  ),
});

const LAST_DECISION = object({
  ...DECISION_SUMMARY,
  chain: optional(
    array(
      object({
        stage: string(),
        target: optional(string()),
        before: optional(number()),
        after: optional(number()),
        reason: string({ maxLength: 1024 }),
        detail: optional(string({ maxLength: 4096 })),
      }),
      { listType: "atomic", maxItems: CHAIN_MAX_ENTRIES },
    ),
  ),
  chainLeftOff: optional(int32({ description: "Entries of the chain that were too many; those of least weight." })),
  neighbours: optional(
    array(object({ target: string(), oneMore: NEIGHBOUR, oneLess: NEIGHBOUR }), {
      listType: "map",
      mapKeys: ["target"],
      description: "The first constraint that fails with one replica more, and with one less.",
    }),
  ),
});

export const SCALING_POLICY_STATUS = object({
  observedGeneration: optional(int64()),
  conditions: optional(CONDITION_MAP),
  replicas: optional(string({ description: "For people: `prefill 2, decode 4→6`." })),
  targets: optional(array(TARGET, { listType: "map", mapKeys: ["name"] })),
  lastDecision: optional(LAST_DECISION),
  ratios: optional(array(RATIO, { listType: "map", mapKeys: ["name"] })),
  budget: optional(
    object({
      gpusUsed: int32(),
      gpusRequested: int32(),
      gpusMax: optional(int32()),
      limited: boolean(),
    }),
  ),
  override: optional(object({ name: string(), expiresAt: dateTime(), reason: optional(string()) })),
  schedule: optional(
    object({ active: array(string(), { listType: "set" }), early: optional(array(string(), { listType: "set" })) }),
  ),
  shadow: optional(
    object({
      active: string({ description: "The policy that is compared with." }),
      since: dateTime(),
      decisions: int64(),
      agreed: int64({ description: "Decisions in which both wanted the same." }),
      targets: array(object({ name: string(), shadow: int32(), active: int32() }), {
        listType: "map",
        mapKeys: ["name"],
      }),
      gpus: object({ shadow: int32(), active: int32() }),
      meanGpus: object({ shadow: number(), active: number() }),
    }),
  ),
  zero: optional(
    object({ asleep: boolean(), reason: string({ maxLength: 1024 }), message: string({ maxLength: 4096 }) }),
  ),
  forecast: optional(
    object({
      horizon: string(),
      predicted: record(number()),
      errorRatio: optional(number()),
      trusted: boolean(),
      method: optional(record(string())),
    }),
  ),
  history: optional(
    array(object({ ...DECISION_SUMMARY, desired: record(int32()), changes: optional(record(CHANGE)) }), {
      listType: "atomic",
      maxItems: HISTORY_MAX_ENTRIES,
    }),
  ),
  nextStatusBy: optional(
    dateTime({
      description:
        "When the status is written again, a few intervals aside: silence beyond that means that nobody looks at the policy.",
    }),
  ),
  checkpoint: optional(
    string({ maxLength: 262_144, description: "What the controller must remember over a restart." }),
  ),
});

export type ScalingPolicyStatus = Infer<typeof SCALING_POLICY_STATUS>;
export type TargetStatus = Infer<typeof TARGET>;
export type RatioStatus = Infer<typeof RATIO>;
export type DecisionStatus = Infer<typeof LAST_DECISION>;
export type DecisionOutcome = Infer<typeof OUTCOME>;
