/** Who scales the fleet in a trial, by name: ours, a peer, an oracle, or nobody. */
import { parseDurationMs } from "../api/duration.ts";
import type { LatencyGoal } from "../decide/capacity/replica-capacity.ts";
import type { Parameters, PeerContext, PeerDefinition, PeerRole } from "../peers/peer.ts";
import { type Ablation, ablated } from "./ablations.ts";
import { bandsOf } from "./bands.ts";
import { clairvoyantPlan, type PlanBounds, type PlannedRole, planningProblem } from "./oracles/clairvoyant-plan.ts";
import { type Needs, needsOf } from "./oracles/needs.ts";
import { ordersFor, plannedScaler } from "./oracles/planned-scaler.ts";
import { reactivePlan } from "./oracles/reactive-plan.ts";
import { withParameters } from "./our-parameters.ts";
import { ours } from "./ours.ts";
import { peerRoles, peerScaler, withAllFrontends } from "./peer-scaler.ts";
import { performanceOf } from "./performance.ts";
import type { Stage } from "./run.ts";
import type { Scaler } from "./scaler.ts";
import type { Scenario } from "./scenario.ts";
import { SystemError } from "./system.ts";
import { trialTargets } from "./targets.ts";

export type Contestant =
  | { readonly kind: "Ours"; readonly parameters: Parameters; readonly ablation?: Ablation }
  | { readonly kind: "Peer"; readonly definition: PeerDefinition; readonly parameters: Parameters }
  /** Knows all arrivals; {@link ORACLE_PARAMETERS}. */
  | { readonly kind: "Clairvoyant"; readonly parameters: Parameters }
  /** Knows the demand of now; {@link ORACLE_PARAMETERS}. */
  | { readonly kind: "Reactive"; readonly parameters: Parameters }
  /** The same all the time. */
  | { readonly kind: "Static"; readonly replicas: ReadonlyMap<PeerRole, number> };

/** Defaults of the oracles' own numbers. */
const ORACLE_PARAMETERS = {
  /** Of the capacity at the goal: the rest is for bursts that are shorter than an interval. */
  usedRatio: 0.9,
  /** GPU seconds that a lost request is worth. */
  penaltyGpuSeconds: 3.6,
  /** Of the reactive one: what was needed within this is kept. */
  holdSeconds: 300,
  /** Of the clairvoyant one: how much earlier than the median start it orders. */
  leadFactor: 1.3,
} as const;

const INTERVAL_MS = 30_000;
const DRAIN_MS = 30_000;

/** @throws Error when the policy of the scenario cannot be followed */
export function scalerOf(contestant: Contestant, stage: Stage): Scaler {
  const { scenario } = stage;
  switch (contestant.kind) {
    case "Ours": {
      const { parameters, ablation } = contestant;
      const tuned = { ...scenario, policy: withParameters(scenario.policy, parameters) };
      return ours({
        ...stage,
        scenario: ablation === undefined ? tuned : ablated(tuned, ablation),
        ...(ablation === "noPendingAccounting" ? { reordersStarting: true } : {}),
        ...(ablation === "noOnlineCapacity" ? { isProfileFinal: true } : {}),
        ...(ablation === "postHocRatio" ? { postHocRatios: bandsOf(tuned.policy) } : {}),
      });
    }
    case "Peer": {
      const { definition, parameters } = contestant;
      const defaults = Object.fromEntries(
        Object.entries(definition.parameters).map(([name, one]) => [name, one.default]),
      );
      const peer = definition.create({ ...defaults, ...parameters }, peerContext(scenario));
      return peerScaler({ ...stage, peer, engine: stage.prometheus.engine });
    }
    case "Clairvoyant":
      return clairvoyant(stage, { ...ORACLE_PARAMETERS, ...contestant.parameters });
    case "Reactive":
      return reactive(stage, { ...ORACLE_PARAMETERS, ...contestant.parameters });
    case "Static": {
      const roles = peerRoles(scenario);
      return planned(stage, [[...roles.keys()].map((role) => contestant.replicas.get(role) ?? 1)]);
    }
    default:
      return contestant satisfies never;
  }
}

/** Before a trial of anybody is begun: what would be refused at its beginning. @throws SystemError */
export function checkContestant(contestant: Contestant, scenario: Scenario): void {
  if (contestant.kind !== "Clairvoyant") return;
  const targets = trialTargets(scenario);
  const roles = [...peerRoles(scenario).values()].map(({ name, minReplicas, maxReplicas }) => {
    const target = targets.find((one) => one.name === name);
    return {
      minReplicas: Math.max(1, target?.minReplicas ?? minReplicas),
      maxReplicas,
      gpusPerReplica: target?.gpusPerReplica ?? 0,
    };
  });
  const problem = planningProblem({ roles, ...boundsOf(scenario, roles.length) });
  if (problem !== undefined) throw new SystemError(`the clairvoyant oracle: ${problem}, or leave it out`);
}

function peerContext(scenario: Scenario): PeerContext {
  const { ttft, itl } = goalsOf(scenario);
  return {
    roles: [...peerRoles(scenario).keys()],
    slo: { ttftSeconds: ttft.targetMs / 1000, itlSeconds: itl.targetMs / 1000 },
    performance: performanceOf(scenario.profile),
  };
}

/** Dynamo's defaults where the policy has none. */
const DEFAULT_GOALS = { ttft: { quantile: 0.9, targetMs: 500 }, itl: { quantile: 0.9, targetMs: 50 } };

export function goalsOf({ policy }: Scenario): { readonly ttft: LatencyGoal; readonly itl: LatencyGoal } {
  const { slo } = policy.spec;
  const goal = (which: "ttft" | "itl"): LatencyGoal => {
    const { quantile, target } = slo?.[which] ?? {};
    const fallback = DEFAULT_GOALS[which];
    return {
      quantile: quantile === undefined ? fallback.quantile : Number(quantile.slice(1)) / 100,
      targetMs: target === undefined ? fallback.targetMs : (parseDurationMs(target) ?? fallback.targetMs),
    };
  };
  return { ttft: goal("ttft"), itl: goal("itl") };
}

/** The replicas of a system without a bottleneck in whole numbers, and what a plan may move in. */
function plannedRoles({ scenario, fleet }: Pick<Stage, "scenario" | "fleet">): readonly PlannedRole[] {
  return [...peerRoles(scenario).values()].map(({ ref = "", minReplicas, maxReplicas }) => {
    const { fixedMedianMs, weightsGiB, podGiBPerSecond } = scenario.startUpOf(fleet.cliqueNames(ref)[0] ?? "");
    return {
      minReplicas: Math.max(1, minReplicas, fleet.object(ref, 0)?.minAvailable ?? 1),
      maxReplicas,
      gpusPerReplica: fleet.gpusPerReplica(ref),
      startMs: fixedMedianMs + (1000 * weightsGiB) / podGiBPerSecond,
    };
  });
}

export function scenarioNeeds(scenario: Scenario, usedRatio: number): Needs {
  return needsOf({
    arrivals: scenario.arrivals,
    roles: [...peerRoles(scenario).keys()],
    profile: scenario.profile,
    goals: goalsOf(scenario),
    intervalMs: INTERVAL_MS,
    endMs: scenario.window.endMs,
    usedRatio,
    sharesQueue: scenario.routing !== "round-robin",
  });
}

type OracleParameters = { readonly [K in keyof typeof ORACLE_PARAMETERS]: number };

function clairvoyant(stage: Stage, parameters: OracleParameters): Scaler {
  const { scenario } = stage;
  const roles = plannedRoles(stage);
  const ready = clairvoyantPlan({
    needs: scenarioNeeds(scenario, parameters.usedRatio),
    roles,
    penaltyGpuSeconds: parameters.penaltyGpuSeconds,
    drainMs: DRAIN_MS,
    ...boundsOf(scenario, roles.length),
  });
  const leadsMs = roles.map(({ startMs }) => startMs * parameters.leadFactor);
  return planned(stage, ordersFor(ready, leadsMs, INTERVAL_MS));
}

function boundsOf(scenario: Scenario, roles: number): Pick<PlanBounds, "band" | "gpuBudget"> {
  const band = bandOf(scenario, roles);
  const gpuBudget = scenario.policy.spec.gpuBudget?.max;
  return { ...(band === undefined ? {} : { band }), ...(gpuBudget === undefined ? {} : { gpuBudget }) };
}

/** Between the two roles that are planned, whichever way round it is written. */
function bandOf(scenario: Scenario, roles: number): { readonly min: number; readonly max: number } | undefined {
  if (roles !== 2) return undefined;
  const targets = scenario.policy.spec.scaleTargets.filter(({ level }) => level !== "PodCliqueSet");
  const [first, second] = [...peerRoles(scenario).values()].map((target) => targets.indexOf(target));
  const band = bandsOf(scenario.policy).find(({ a, b }) => a === first && b === second);
  if (band !== undefined) return band;
  const turned = bandsOf(scenario.policy).find(({ a, b }) => a === second && b === first);
  return turned === undefined ? undefined : { min: 1 / turned.max, max: turned.min > 0 ? 1 / turned.min : Infinity };
}

function reactive(stage: Stage, { usedRatio, holdSeconds }: OracleParameters): Scaler {
  const needs = scenarioNeeds(stage.scenario, usedRatio);
  return planned(stage, reactivePlan({ needs, roles: plannedRoles(stage), holdMs: holdSeconds * 1000 }));
}

function planned(stage: Stage, replicas: readonly (readonly number[])[]): Scaler {
  withAllFrontends(stage.scenario, stage.fleet);
  const refs = [...peerRoles(stage.scenario).values()].map(({ ref = "" }) => ref);
  return plannedScaler({ intervalMs: INTERVAL_MS, replicas, refs }, stage, stage.clock.monotonicMs());
}
