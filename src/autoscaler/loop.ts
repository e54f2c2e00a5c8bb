/** One policy, one turn of the loop: observe, decide, act. */
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { isTerminating } from "../api/kubernetes/core.ts";
import { keyOf } from "../api/kubernetes/meta.ts";
import type { Clock } from "../clock.ts";
import { type Decision, nameOf } from "../decide/decision.ts";
import { settleIntent, withIntent } from "../decide/intent.ts";
import { emptyMemory, type Memory, recordWrites, resumeMemory } from "../decide/memory.ts";
import type { Observation } from "../decide/observation.ts";
import type { Policy } from "../decide/policy.ts";
import { compareShadow, type ShadowComparison } from "../decide/shadow.ts";
import type { CheckpointStore, CheckpointWriter } from "../jobs/checkpoint-store.ts";
import type { EvaluationQueue } from "../jobs/evaluation-queue.ts";
import type { SharedQueries } from "../observe/shared-queries.ts";
import type { AutoscalerMetrics } from "./autoscaler-metrics.ts";
import type { BudgetLedger } from "./budget-ledger.ts";
import { type ConditionDraft, decisionConditions, unresolvedConditions } from "./conditions.ts";
import { ForeignWriters } from "./foreign-writers.ts";
import { type AutoscalerInformers, BY_SET } from "./informers.ts";
import { observe, pendingTimeoutOf } from "./observe.ts";
import { type OtherAutoscaler, otherAutoscalersOf } from "./other-autoscalers.ts";
import { eventsOf, type PolicyEvent } from "./policy-events.ts";
import { PreparedPolicy, type Problem, type Understood } from "./prepare.ts";
import { type RememberedDecision, remember } from "./remembered-decision.ts";
import { RequestDurations } from "./request-durations.ts";
import type { Resolution } from "./resolve.ts";
import { seenObjects } from "./seen-objects.ts";
import { counterpartsOf, isShadow, replicasOf, type SeenReplicas, writesSeen } from "./shadow.ts";
import { type Grant, SharedGpus } from "./shared-gpus.ts";
import { Startups } from "./startups.ts";
import type { DoneWrite, GateResult, WriteGate } from "./write-gate.ts";

export interface LoopOptions {
  readonly informers: AutoscalerInformers;
  readonly queries: SharedQueries;
  readonly evaluations: EvaluationQueue;
  readonly checkpoints: CheckpointStore;
  readonly gate: WriteGate;
  readonly clock: Clock;
  readonly metrics: AutoscalerMetrics;
  /** A checkpoint is that of a process which still runs: its windows go on. Otherwise it is that of one which ended. */
  readonly isOnlooker?: boolean;
  /** What a shared budget grants a policy; default: by the offers of all policies that turn in this loop. */
  readonly granted?: Grant;
  /** Puts a checkpoint into the policy's status before its writes go out; for stores that keep it there. */
  readonly persist?: (policy: ScalingPolicy, checkpoint: string) => Promise<void>;
}

/** What one turn gives to be published: status, events; all of it rendered from the decision. */
export interface Turn {
  readonly policy: ScalingPolicy;
  readonly conditions: readonly ConditionDraft[];
  readonly events: readonly PolicyEvent[];
  readonly decision?: Decision;
  /** Absent where it is not kept in the status. */
  readonly checkpoint?: CheckpointWriter;
  /** Of a policy in Shadow whose active neighbour has decided. */
  readonly shadow?: ShadowComparison;
  readonly nextTurnMs: number;
}

/** What the loop keeps of one policy between turns. */
interface PolicyState {
  memory?: Memory;
  lastDecision?: RememberedDecision;
  written?: { readonly writes: readonly DoneWrite[]; readonly atMs: number } | undefined;
  readonly foreign: ForeignWriters;
  others: readonly OtherAutoscaler[];
  readonly prepared: PreparedPolicy;
  readonly durations: RequestDurations;
  readonly startups: Startups;
  /** Of a policy in Shadow. */
  seenReplicas?: SeenReplicas;
  shadow?: ShadowComparison;
}

/** A decision on a cache that has not seen our own last writes would repeat them. */
const CACHE_WAIT_MS = 200;
/** After this time the event is lost or the object is gone: go on with what there is. */
const MAX_CACHE_WAIT_MS = 10_000;

/** Broken policies are looked at again at this pace; a change of the object brings them back at once. */
const UNRESOLVED_RETRY_MS = 30_000;

export class PolicyLoop {
  readonly #options: LoopOptions;
  readonly #states = new Map<string, PolicyState>();
  readonly #shared: SharedGpus;
  /** Makes monotonic time comparable over restarts: windows in a checkpoint are in epoch milliseconds that never go back. */
  readonly #anchorMs: number;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#shared = new SharedGpus(options.informers, options.granted);
    this.#anchorMs = options.clock.nowMs() - options.clock.monotonicMs();
  }

  get ledger(): BudgetLedger {
    return this.#shared.ledger;
  }

  forget(key: string): void {
    this.#states.delete(key);
    this.#shared.forget(key);
    this.#options.metrics.forget(key);
  }

  /** @param signal ends a turn that took too long: it neither remembers nor writes anything after that */
  async turn(stored: ScalingPolicy, signal?: AbortSignal): Promise<Turn> {
    try {
      return await this.#turn(stored, signal);
    } finally {
      this.#shared.settle(keyOf(stored));
    }
  }

  async #turn(stored: ScalingPolicy, signal: AbortSignal | undefined): Promise<Turn> {
    const { clock, evaluations, gate, metrics } = this.#options;
    const startMs = clock.monotonicMs();
    const state = this.#stateOf(stored);
    if (this.#isCacheBehind(stored, state))
      return { policy: stored, conditions: [], events: [], nextTurnMs: CACHE_WAIT_MS };

    // 1. What is asked for, and does it make sense here?
    const prepared = this.#prepare(stored, state);
    if ("turn" in prepared) {
      // It makes no offer any more: what it holds counts as it is.
      this.#shared.forget(keyOf(stored));
      return { ...prepared.turn, ...(await this.#checkpointOf(stored, state.memory)) };
    }
    const { policy, model, resolution, problems, invalid } = prepared;

    // 2. Observe.
    const observed = await this.#observe(policy, resolution, state);
    signal?.throwIfAborted();
    metrics.observed(keyOf(policy), model, observed.observation);
    state.memory ??= settleIntent(
      await this.#recall(policy, observed.observation.monotonicMs),
      model,
      observed.observation,
    );
    if (isShadow(policy)) {
      const { observation } = observed;
      const writes = state.seenReplicas === undefined ? [] : writesSeen(model, observation, state.seenReplicas);
      state.memory = recordWrites(state.memory, model, writes, observation.monotonicMs);
      state.seenReplicas = replicasOf(observation);
    }

    // 3. Decide, wherever evaluations run.
    const { decision: decided, memory } = await evaluations.evaluate({
      key: keyOf(policy),
      policy: model,
      observation: observed.observation,
      memory: state.memory,
    });
    signal?.throwIfAborted();
    this.#shared.ordered(policy, decided);

    // 4. Act, through the gate and nowhere else.
    if (policy.spec.mode === "Active") await this.#noteIntent(policy, decided, memory, observed.observation);
    const result = await gate.apply({
      namespace: policy.metadata.namespace ?? "default",
      mode: policy.spec.mode,
      writes: decided.transition.now,
      otherAutoscaler: (name) => state.others.find(({ target }) => target === name)?.message,
      staleAtMs: startMs + model.intervalMs,
      minViable: ({ target, level }) => minViableOf(target, level, model, resolution, decided),
    });
    // What was written, was, however late the turn is.
    state.foreign.wrote(result.written);
    if (result.refusal?.write !== undefined) state.foreign.tried(result.refusal.write);
    state.written = result.written.length === 0 ? state.written : { writes: result.written, atMs: startMs };
    state.memory = recordWrites(memory, model, result.written, observed.observation.monotonicMs);

    // 5. Record: one decision, rendered into everything that people and programs see.
    const decision = settle(decided, result);
    this.#shared.record(policy, decision, result);
    const shadow = this.#compare(policy, decision, state);
    const key = keyOf(policy);
    metrics.decided(key, decision, (clock.monotonicMs() - startMs) / 1000);
    metrics.wrote(key, result);
    const events = [...observed.events, ...eventsOf(decision, state.lastDecision, result)];
    state.lastDecision = remember(decision);
    const checkpoint = await this.#checkpointOf(policy, state.memory);
    const { degraded } = evaluations;
    return {
      policy,
      decision,
      events,
      conditions: withInvalid(
        decisionConditions({
          decision,
          gate: result,
          mode: policy.spec.mode,
          problems,
          others: state.others,
          ...(degraded === undefined ? {} : { degraded }),
        }),
        invalid,
      ),
      nextTurnMs: nextTurnMs(
        model,
        result,
        [observed.observation.override?.expiresAtMs, decision.nextChangeMs],
        clock.nowMs(),
      ),
      ...checkpoint,
      ...(shadow === undefined ? {} : { shadow }),
    };
  }

  async #noteIntent(
    policy: ScalingPolicy,
    { id, transition }: Decision,
    memory: Memory,
    { monotonicMs }: Observation,
  ): Promise<void> {
    if (transition.now.length === 0) return;
    const { checkpoints, persist } = this.#options;
    const intent = { id, atMs: monotonicMs, writes: transition.now };
    const checkpoint = (await checkpoints.save(policy, withIntent(memory, intent)))?.();
    if (checkpoint !== undefined) await persist?.(policy, checkpoint);
  }

  #compare(policy: ScalingPolicy, decision: Decision, state: PolicyState): ShadowComparison | undefined {
    const active = isShadow(policy) ? this.#activeBeside(policy) : undefined;
    const other = active === undefined ? undefined : this.#states.get(keyOf(active))?.lastDecision;
    if (active === undefined || other === undefined) return undefined;
    const { name } = active.metadata;
    state.shadow = compareShadow({
      shadow: decision,
      active: { name, decision: other },
      counterparts: counterpartsOf(policy, active),
      tally: state.shadow?.active === name ? state.shadow.tally : undefined,
    });
    return state.shadow;
  }

  /** The policy that scales the same set for real. */
  #activeBeside({ metadata, spec }: ScalingPolicy): ScalingPolicy | undefined {
    return this.#options.informers.policies
      .byIndex(BY_SET, `${metadata.namespace}/${spec.targetRef.name}`)
      .filter((one) => one.metadata.name !== metadata.name && !isTerminating(one) && !isShadow(one))
      .toSorted((a, b) => (rankOf(a) < rankOf(b) ? -1 : 1))[0];
  }

  /** Also of a turn that decides nothing: a status is written whole, and would lose it. */
  async #checkpointOf(policy: ScalingPolicy, memory: Memory | undefined): Promise<Pick<Turn, "checkpoint">> {
    const checkpoint = memory === undefined ? undefined : await this.#options.checkpoints.save(policy, memory);
    return checkpoint === undefined ? {} : { checkpoint };
  }

  async #recall(policy: ScalingPolicy, monotonicMs: number): Promise<Memory> {
    const stored = (await this.#options.checkpoints.load(policy)) ?? emptyMemory;
    return this.#options.isOnlooker === true ? stored : resumeMemory(stored, monotonicMs);
  }

  #stateOf(policy: ScalingPolicy): PolicyState {
    const key = `${keyOf(policy)}`;
    let state = this.#states.get(key);
    if (state === undefined) {
      state = {
        foreign: new ForeignWriters(),
        others: [],
        prepared: new PreparedPolicy(),
        durations: new RequestDurations(),
        startups: new Startups(),
      };
      this.#states.set(key, state);
    }
    return state;
  }

  #isCacheBehind({ metadata }: ScalingPolicy, state: PolicyState): boolean {
    const { written } = state;
    if (written === undefined) return false;
    const { sets, groups, cliques } = this.#options.informers;
    const caches = { PodCliqueSet: sets, PodCliqueScalingGroup: groups, PodClique: cliques };
    const isBehind = written.writes.some(({ level, objectName, writtenVersion }) => {
      const cached = caches[level].get(metadata.namespace, objectName)?.metadata.resourceVersion;
      return cached !== undefined && BigInt(cached) < BigInt(writtenVersion || "0");
    });
    if (isBehind && this.#options.clock.monotonicMs() - written.atMs < MAX_CACHE_WAIT_MS) return true;
    state.written = undefined;
    return false;
  }

  #prepare(stored: ScalingPolicy, state: PolicyState): { readonly turn: Turn } | Prepared {
    const unresolved = (policy: ScalingPolicy, { reason, message }: Problem) => ({
      turn: {
        policy,
        conditions: unresolvedConditions({ reason, message }),
        events: [],
        nextTurnMs: UNRESOLVED_RETRY_MS,
      },
    });
    const { namespace = "default" } = stored.metadata;
    const setOf = (name: string) => this.#options.informers.sets.get(namespace, name);
    const prepared = state.prepared.of(stored, setOf, this.#options.informers);
    if ("reason" in prepared) return unresolved(stored, prepared);
    const { spec, model, resolution, problems, invalid } = prepared;
    const policy = { ...stored, spec };
    const rival = this.#rivalOf(policy);
    if (rival !== undefined) {
      const isAsOld = rival.metadata.creationTimestamp === policy.metadata.creationTimestamp;
      const why = isAsOld ? "is as old and first by name, and already scales" : "is older and already scales";
      const message = `spec.targetRef.name: ScalingPolicy ${rival.metadata.name} ${why} PodCliqueSet ${spec.targetRef.name}: delete one of them`;
      return unresolved(policy, { reason: "ForeignController", message });
    }
    return { policy, model, resolution, problems, ...(invalid === undefined ? {} : { invalid }) };
  }

  #rivalOf(policy: ScalingPolicy): ScalingPolicy | undefined {
    const rival = isShadow(policy) ? undefined : this.#activeBeside(policy);
    return rival !== undefined && rankOf(rival) < rankOf(policy) ? rival : undefined;
  }

  async #observe(policy: ScalingPolicy, resolution: Resolution, state: PolicyState) {
    const { informers, queries, clock, metrics } = this.#options;
    const { namespace = "default" } = policy.metadata;
    const set = informers.sets.get(namespace, policy.spec.targetRef.name);
    if (set === undefined) throw new Error("the PodCliqueSet went away during the turn");
    const nowMs = clock.nowMs();
    const { durations } = state;
    const context = {
      informers,
      queries,
      nowMs,
      monotonicMs: Math.round(this.#anchorMs + clock.monotonicMs()),
      durations,
    };

    const seen = seenObjects(policy, set, resolution, informers);
    // A shadow writes nothing, so every write is somebody else's: what counts is whom the active policy gives way to.
    const writer = isShadow(policy) ? this.#activeBeside(policy) : policy;
    const known = writer === undefined ? undefined : this.#states.get(keyOf(writer))?.foreign;
    const foreign = isShadow(policy) ? [] : state.foreign.observe(seen, context.monotonicMs);
    for (const _ of foreign) metrics.foreignWrite(keyOf(policy));
    const before = new Set(state.others.map(({ message }) => message));
    state.others = otherAutoscalersOf(policy, seen, informers);
    const foreignWriters = Object.fromEntries([
      ...(known?.held(context.monotonicMs) ?? []).map((target) => [target, "another writer"]),
      ...state.others.map(({ target, name }) => [target, name]),
    ]);

    const { observation, lives } = await observe(
      policy,
      set,
      resolution,
      {
        foreignWriters,
        ...(state.others.length === 0 ? {} : { ownedTargets: state.others.map(({ target }) => target) }),
        ...this.#shared.observe(policy, set),
      },
      context,
    );
    const granted = this.#shared.granted(policy, writer ?? policy, observation.gpusInUse);
    return {
      observation: {
        ...observation,
        startupsMs: state.startups.since(lives, pendingTimeoutOf(policy)),
        ...(granted === undefined ? {} : { gpusGranted: granted.gpus }),
        ...(granted?.unknown === undefined ? {} : { sharedGpusUnknown: granted.unknown }),
      },
      events: [
        ...foreign.map(
          ({ objectName, replicas }): PolicyEvent => ({
            type: "Warning",
            reason: "ForeignWrite",
            message: `${objectName} was set to ${replicas} by another writer: respected for 10 minutes`,
          }),
        ),
        ...state.others
          .filter(({ message }) => !before.has(message))
          .map(
            ({ target, message }): PolicyEvent => ({
              type: "Warning",
              reason: "ForeignController",
              message: `${target}: ${message}`,
            }),
          ),
      ],
    };
  }
}

/** What came of a decision: one of which nothing could be written has failed, whatever it wanted. */
export function settle(decided: Decision, { written, refusal }: GateResult): Decision {
  const decision = written.length === 0 ? decided : { ...decided, changes: changesOf(decided, written) };
  if (refusal === undefined) return decision;
  const { write, reason, message } = refusal;
  const record = {
    stage: "gate" as const,
    reason,
    detail: message,
    ...(write === undefined
      ? {}
      : { target: nameOf(write.target, write.setIndex), before: write.from, after: write.to }),
  };
  const stages = [...decision.stages, record];
  if (decision.outcome !== "Scaled" || written.length > 0) return { ...decision, stages };
  return { ...decision, stages, outcome: "Failed", reason, message: `not written (${message}): ${decision.message}` };
}

/** What is wanted may have to wait for objects that are not made yet, or for replicas to be ready; what was written is what changed. */
function changesOf({ targets }: Decision, written: readonly DoneWrite[]): NonNullable<Decision["changes"]> {
  return Object.fromEntries(
    [...Map.groupBy(written, ({ target }) => target)].map(([name, writes]) => {
      const from = targets.find((target) => target.name === name)?.current ?? 0;
      return [name, { from, to: writes.reduce((sum, write) => sum + write.to - write.from, from) }];
    }),
  );
}

interface Prepared extends Omit<Understood, "spec"> {
  /** With its defaults; where `invalid` says so, with the last good spec. */
  readonly policy: ScalingPolicy;
}

/** The last good spec decides, and the policy says that it is not the one that was asked for. */
function withInvalid(conditions: readonly ConditionDraft[], invalid: Problem | undefined): readonly ConditionDraft[] {
  if (invalid === undefined) return conditions;
  return conditions.map((one) =>
    one.type === "Ready"
      ? { ...one, status: "False", reason: invalid.reason, message: invalid.message.slice(0, 1024) }
      : one,
  );
}

/** The older policy of a set is the one that scales it; of two of the same second the first by name. */
const rankOf = ({ metadata }: ScalingPolicy): string => `${metadata.creationTimestamp}/${metadata.name}`;

/** What sleeps is at zero; nothing in between is viable. Of the set replicas that a window takes down no less is viable than the window says. */
function minViableOf(
  target: string,
  level: string,
  policy: Policy,
  resolution: Resolution,
  { zero, targets }: Decision,
): number {
  if (zero?.isAsleep === true && policy.scaleToZero?.targets.includes(target) === true) return 0;
  if (level === "PodCliqueSet") return targets.find(({ name }) => name === target)?.minViable ?? 0;
  return resolution.targets.find(({ name }) => name === target)?.minAvailable ?? 0;
}

const DECIDED_ANEW: readonly string[] = ["Conflict", "ForeignController", "RateLimited", "TooOld"];

/** What met a conflict, the rate limit or its end is decided anew at once; else the policy's interval, or the end of an override or a window if that comes first. */
function nextTurnMs(
  { intervalMs }: Policy,
  { refusal }: GateResult,
  endsMs: readonly (number | undefined)[],
  nowMs: number,
): number {
  if (refusal !== undefined && DECIDED_ANEW.includes(refusal.reason)) return 1_000;
  // An end that has just passed is in this decision already.
  const ahead = endsMs.filter((atMs) => atMs !== undefined && atMs > nowMs).map((atMs) => (atMs as number) - nowMs);
  return Math.min(intervalMs, ...ahead);
}
