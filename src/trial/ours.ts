/**
 * Our autoscaler on a fleet: the observation, the decision and the memory of production, without an API server in between. Every write goes through; what
 * the gate of production refuses (lease, mode, foreign writers) does not happen here.
 */

import { noTemplates } from "../autoscaler/gpu-cost.ts";
import { observe, pendingTimeoutOf } from "../autoscaler/observe.ts";
import { PreparedPolicy, type Understood } from "../autoscaler/prepare.ts";
import { RequestDurations } from "../autoscaler/request-durations.ts";
import { Startups } from "../autoscaler/startups.ts";
import type { Clock } from "../clock.ts";
import { decide } from "../decide/decide.ts";
import type { Decision } from "../decide/decision.ts";
import { emptyMemory, type Memory, recordWrites, resumeMemory } from "../decide/memory.ts";
import type { ScaleWrite } from "../decide/transition.ts";
import type { MetricsSource } from "../observe/metrics-source.ts";
import { shareQueries } from "../observe/shared-queries.ts";
import { cachesOf, setNow } from "./fleet/caches.ts";
import type { Fleet } from "./fleet/fleet.ts";
import { repairRatios } from "./post-hoc-ratio.ts";
import type { RatioBand } from "./record.ts";
import type { Scaler } from "./scaler.ts";
import type { Scenario } from "./scenario.ts";

export interface OursOptions {
  readonly scenario: Scenario;
  readonly fleet: Fleet;
  readonly clock: Clock;
  readonly metricsSource: MetricsSource;
  readonly onDecision?: (decision: Decision) => void;
  /** Repaired in what is decided before it is written, behind the core's back: an ablation. */
  readonly postHocRatios?: readonly RatioBand[];
  /** Forgets what measured latencies say about the profile: an ablation. */
  readonly isProfileFinal?: boolean;
  /** What the goal wants beyond the ready replicas is ordered at each decision again, whatever starts already: an ablation, for one set replica. */
  readonly reordersStarting?: boolean;
}

/** @throws Error when the policy cannot be followed in this set */
export function ours({
  scenario,
  fleet,
  clock,
  metricsSource,
  onDecision,
  postHocRatios = [],
  isProfileFinal = false,
  reordersStarting = false,
}: OursOptions): Scaler {
  const { policy, set, configMaps } = scenario;
  const { spec, model, resolution } = understand(scenario);
  const informers = cachesOf(fleet, configMaps);
  const anchorMs = clock.nowMs() - clock.monotonicMs();
  let queries = shareQueries({ source: metricsSource, clock });
  let memory: Memory = emptyMemory;
  const seenStartups = new Startups();
  const write = ({ level, target, setIndex, to }: ScaleWrite): void => {
    if (level === "PodCliqueSet") {
      fleet.scaleSet(to);
      return;
    }
    const { ref = "" } = spec.scaleTargets.find(({ name }) => name === target) ?? {};
    const object = fleet.object(ref, setIndex ?? 0);
    if (object !== undefined) fleet.scale(object, to);
  };
  const inSet = spec.scaleTargets.filter(({ level }) => level !== "PodCliqueSet");
  const writeRepaired = (writes: readonly ScaleWrite[]): void => {
    for (const one of writes) if (one.level === "PodCliqueSet") write(one);
    for (let setIndex = 0; setIndex < fleet.setReplicas; setIndex++) {
      const objects = inSet.map(({ ref = "" }) => fleet.object(ref, setIndex));
      const decided = inSet.map(
        ({ name }, index) =>
          writes.find((one) => one.target === name && (one.setIndex ?? 0) === setIndex)?.to ??
          objects[index]?.replicas ??
          0,
      );
      const repaired = repairRatios(decided, inSet, postHocRatios);
      for (const [index, object] of objects.entries()) {
        if (object !== undefined) fleet.scale(object, repaired[index] as number);
      }
    }
  };
  const durations = new RequestDurations();
  const orderMissingAgain = (targets: Decision["targets"]): void => {
    for (const { name, current, ready, goal } of targets) {
      const { ref = "", maxReplicas = 0 } = inSet.find((one) => one.name === name) ?? {};
      const object = fleet.object(ref, 0);
      const to = Math.min(maxReplicas, current + goal - ready);
      if (object !== undefined && to > object.replicas) fleet.scale(object, to);
    }
  };
  return {
    tickMs: model.intervalMs,
    async tick() {
      const monotonicMs = anchorMs + clock.monotonicMs();
      const context = { informers, queries, nowMs: clock.nowMs(), monotonicMs, durations };
      const { observation, lives } = await observe(
        { ...policy, spec },
        setNow(set, fleet),
        resolution,
        { foreignWriters: {}, isSharing: false },
        context,
      );
      const startupsMs = seenStartups.since(lives, pendingTimeoutOf(policy));
      const decided = decide(model, { ...observation, startupsMs }, memory);
      if (postHocRatios.length > 0) writeRepaired(decided.decision.transition.now);
      else for (const one of decided.decision.transition.now) write(one);
      if (reordersStarting) orderMissingAgain(decided.decision.targets);
      const learned = isProfileFinal ? withoutCorrections(decided.memory) : decided.memory;
      memory = recordWrites(learned, model, decided.decision.transition.now, monotonicMs);
      onDecision?.(decided.decision);
    },
    restart() {
      const checkpoint: unknown = JSON.parse(JSON.stringify(memory));
      memory = resumeMemory(checkpoint as Memory, anchorMs + clock.monotonicMs());
      queries = shareQueries({ source: metricsSource, clock });
    },
  };
}

function withoutCorrections(memory: Memory): Memory {
  if (memory.slo === undefined) return memory;
  const targets = Object.entries(memory.slo.targets).map(([name, one]) => [name, { ...one, corrections: {} }] as const);
  return { ...memory, slo: { ...memory.slo, targets: Object.fromEntries(targets) } };
}

function understand({ policy, set }: Scenario): Understood {
  const prepared = new PreparedPolicy().of(policy, (name) => (name === set.metadata.name ? set : undefined), {
    templateGpus: noTemplates,
    templatesVersion: () => 0,
  });
  if ("reason" in prepared) throw new Error(`${prepared.reason}: ${prepared.message}`);
  return prepared;
}
