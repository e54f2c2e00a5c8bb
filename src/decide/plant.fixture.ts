/** A small deployment under a policy, for tests of whole decisions. */
import type { Behavior } from "./behavior.ts";
import { decide } from "./decide.ts";
import type { Decision } from "./decision.ts";
import { emptyMemory, type Memory, recordWrites } from "./memory.ts";
import type { MetricReading, Observation, ScaledObject, TargetObservation } from "./observation.ts";
import type { Policy, TargetPolicy } from "./policy.ts";

export const instant: Behavior = {
  scaleUp: {
    stabilizationWindowMs: 0,
    toleranceRatio: 0.1,
    selectPolicy: "Max",
    policies: [{ type: "Percent", value: 10_000, periodMs: 15_000 }],
  },
  scaleDown: {
    stabilizationWindowMs: 0,
    toleranceRatio: 0.1,
    selectPolicy: "Max",
    policies: [{ type: "Percent", value: 100, periodMs: 15_000 }],
  },
};

export const targetPolicy = (name: string, overrides: Partial<TargetPolicy> = {}): TargetPolicy => ({
  name,
  level: "PodCliqueScalingGroup",
  role: "other",
  minReplicas: 1,
  maxReplicas: 16,
  minViableOverride: 0,
  metrics: [{ label: "load", targetType: "AverageValue", targetValue: 1, isBacklog: false, advisoryOnly: false }],
  behavior: instant,
  ...overrides,
});

export const policyOf = (overrides: Partial<Policy> = {}): Policy => ({
  mode: "Active",
  intervalMs: 15_000,
  targets: [targetPolicy("prefill"), targetPolicy("decode")],
  ratios: [
    {
      name: "prefill/decode",
      between: ["prefill", "decode"],
      min: { numerator: 1, denominator: 4 },
      max: { numerator: 1, denominator: 1 },
      enforcement: "Hard",
      transientSlackRatio: 0.25,
    },
  ],
  metricsPolicy: { staleAfterMs: 60_000, minCoverageRatio: 0.7, warmUpMs: 0 },
  forecast: { enabled: false, method: "LastValue", seasonMs: 86_400_000, maxErrorRatio: 0.4, quantile: 0.5 },
  coldStart: { pendingTimeoutMs: 600_000, changeDeadlineMs: 1_800_000 },
  schedules: [],
  ...overrides,
});

/** A deployment that does what it is told, after `startMs`. Loads are in replicas' worth of work for the whole set. */
export class Plant {
  nowMs = 0;
  loads: number[];
  sets: { replicas: number[]; readyAtMs: number[][] }[];
  memory: Memory = emptyMemory;
  readonly startMs: number;
  readonly gpus: readonly number[];
  reading: (load: number, ready: number) => MetricReading = (load) => ({
    kind: "Total",
    sample: { value: load, ageMs: 0 },
  });
  override: Observation["override"];
  zeroDemand: MetricReading | undefined;
  change: (object: ScaledObject, target: number) => ScaledObject = (object) => object;
  minAvailable = 1;
  templateReplicas = 1;

  constructor({
    replicas = [1, 1],
    loads = [1, 1],
    startMs = 0,
    gpus = [1, 1],
  }: { replicas?: number[]; loads?: number[]; startMs?: number; gpus?: number[] } = {}) {
    this.loads = loads;
    this.startMs = startMs;
    this.gpus = gpus;
    this.sets = [{ replicas: [...replicas], readyAtMs: replicas.map((count) => Array<number>(count).fill(0)) }];
  }

  observe(policy: Policy): Observation {
    const targets = policy.targets.map((_, index): TargetObservation => {
      const objects = this.sets.map((set, setIndex) => {
        const ready = (set.readyAtMs[index] ?? []).filter((atMs) => atMs <= this.nowMs).length;
        const replicas = set.replicas[index] as number;
        const object: ScaledObject = {
          setIndex,
          objectName: `x-${setIndex}-${index}`,
          resourceVersion: "1",
          replicas,
          ready,
          starting: replicas - ready,
          pending: 0,
          overdue: 0,
          isChanging: false,
        };
        return this.change(object, index);
      });
      const ready = objects.reduce((sum, object) => sum + object.ready, 0);
      return {
        objects,
        minAvailable: this.minAvailable,
        templateReplicas: this.templateReplicas,
        gpusPerReplica: this.gpus[index] as number,
        metrics: [this.reading(this.loads[index] as number, ready)],
      };
    });
    const gpusInUse = this.sets.reduce(
      (sum, set) => sum + set.replicas.reduce((one, count, index) => one + count * (this.gpus[index] as number), 0),
      0,
    );
    return {
      nowMs: this.nowMs,
      monotonicMs: this.nowMs,
      set: {
        objectName: "x",
        resourceVersion: "1",
        replicas: this.sets.length,
        ready: this.sets.length,
        fixedGpus: 0,
        metrics: [],
      },
      targets,
      gpusInUse,
      isSharing: false,
      startupsMs: [],
      foreignWriters: {},
      ...(this.override === undefined ? {} : { override: this.override }),
      ...(this.zeroDemand === undefined ? {} : { zeroDemand: this.zeroDemand }),
    };
  }

  tick(policy: Policy, write = true): Decision {
    const { decision, memory } = decide(policy, this.observe(policy), this.memory);
    this.memory = write ? recordWrites(memory, policy, decision.transition.now, this.nowMs) : memory;
    for (const { level, setIndex, target, to } of write ? decision.transition.now : []) {
      if (level === "PodCliqueSet") {
        while (this.sets.length > to) this.sets.pop();
        while (this.sets.length < to)
          this.sets.push({
            replicas: policy.targets.map(() => this.templateReplicas),
            readyAtMs: policy.targets.map(() => Array<number>(this.templateReplicas).fill(this.nowMs + this.startMs)),
          });
        continue;
      }
      const index = policy.targets.findIndex(({ name }) => name === target);
      const set = this.sets[setIndex as number] as Plant["sets"][number];
      const readyAtMs = set.readyAtMs[index] as number[];
      set.replicas[index] = to;
      while (readyAtMs.length > to) readyAtMs.pop();
      while (readyAtMs.length < to) readyAtMs.push(this.nowMs + this.startMs);
    }
    this.nowMs += 15_000;
    return decision;
  }

  get totals(): number[] {
    return this.loads.map((_, index) => this.sets.reduce((sum, set) => sum + (set.replicas[index] as number), 0));
  }
}
