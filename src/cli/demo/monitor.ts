/** Watches the embedded world from outside: what it cost, what moved, and whether an invariant broke. */

import type { ScalingPolicy } from "../../api/autoscaling/scaling-policy.ts";
import type { KubeObject } from "../../api/kubernetes/meta.ts";
import { gpusOfPod, noTemplates } from "../../autoscaler/gpu-cost.ts";
import type { AutoscalerInformers } from "../../autoscaler/informers.ts";
import type { Clock } from "../../clock.ts";
import { type Policy, readPolicy } from "../../decide/policy.ts";
import { isWithinBand } from "../../decide/ratio.ts";
import { scalingGroupName, standaloneCliqueName } from "../../grove/names.ts";
import type { Informer } from "../../kube/informer.ts";

export const LEVELS = ["PodClique", "PodCliqueScalingGroup", "PodCliqueSet"] as const;
export type Level = (typeof LEVELS)[number];

export interface LevelActions {
  up: number;
  down: number;
}

export interface MonitorReport {
  readonly gpuHours: number;
  readonly peakGpus: number;
  readonly scaleActions: Readonly<Record<Level, LevelActions>>;
  readonly ratioViolationSeconds: number;
  readonly floorViolationSeconds: number;
  readonly budgetViolationSeconds: number;
}

export interface Monitor {
  report(): MonitorReport;
  stop(): void;
}

/** Of the world's clock. Short against anything that could go wrong and last. */
const SAMPLE_MS = 1_000;

export function startMonitor(informers: AutoscalerInformers, policy: ScalingPolicy, clock: Clock): Monitor {
  const model = readPolicy(policy.spec);
  const scaleActions: Record<Level, LevelActions> = {
    PodClique: { up: 0, down: 0 },
    PodCliqueScalingGroup: { up: 0, down: 0 },
    PodCliqueSet: { up: 0, down: 0 },
  };
  const count = <T extends KubeObject & { readonly spec: { readonly replicas?: number } }>(
    level: Level,
    informer: Informer<T>,
  ): void =>
    informer.onChange(({ before, after }) => {
      const change = (after?.spec.replicas ?? 0) - (before?.spec.replicas ?? 0);
      if (before === undefined || after === undefined || before.metadata.uid !== after.metadata.uid || change === 0)
        return;
      if (change > 0) scaleActions[level].up++;
      else scaleActions[level].down++;
    });
  count("PodClique", informers.cliques);
  count("PodCliqueScalingGroup", informers.groups);
  count("PodCliqueSet", informers.sets);

  let gpuSeconds = 0;
  let peakGpus = 0;
  let ratioViolationSeconds = 0;
  let floorViolationSeconds = 0;
  let budgetViolationSeconds = 0;
  let lastMs = clock.monotonicMs();
  const sample = (): void => {
    const now = clock.monotonicMs();
    const seconds = (now - lastMs) / 1000;
    lastMs = now;
    const gpus = allocatedGpus(informers);
    gpuSeconds += gpus * seconds;
    peakGpus = Math.max(peakGpus, gpus);
    if (model.gpuBudgetMax !== undefined && gpus > model.gpuBudgetMax) budgetViolationSeconds += seconds;
    if (isBelowFloor(informers)) floorViolationSeconds += seconds;
    if (isOutOfBand(informers, policy, model)) ratioViolationSeconds += seconds;
  };
  let stopped = false;
  const tick = (): void => {
    if (stopped) return;
    sample();
    clock.setTimer(SAMPLE_MS, tick);
  };
  clock.setTimer(SAMPLE_MS, tick);
  return {
    report: () => ({
      gpuHours: gpuSeconds / 3600,
      peakGpus,
      scaleActions,
      ratioViolationSeconds: Math.round(ratioViolationSeconds),
      floorViolationSeconds: Math.round(floorViolationSeconds),
      budgetViolationSeconds: Math.round(budgetViolationSeconds),
    }),
    stop() {
      stopped = true;
    },
  };
}

/** Pods that have a node hold their GPUs until they are gone. */
export function allocatedGpus({ pods }: AutoscalerInformers): number {
  return pods
    .list()
    .filter(({ spec }) => spec.nodeName !== undefined)
    .reduce((sum, { spec }) => sum + (gpusOfPod(spec, "", noTemplates) ?? 0), 0);
}

function isBelowFloor({ groups, cliques }: AutoscalerInformers): boolean {
  return [...groups.list(), ...cliques.list()].some(
    ({ metadata, spec }) => metadata.deletionTimestamp === undefined && spec.replicas < (spec.minAvailable ?? 1),
  );
}

/** Desired replicas in any set replica outside a hard band, widened by the transient slack. */
function isOutOfBand(
  { groups, cliques, sets }: AutoscalerInformers,
  { metadata, spec }: ScalingPolicy,
  model: Policy,
): boolean {
  const set = sets.get(metadata.namespace, spec.targetRef.name);
  if (set === undefined) return false;
  for (let setIndex = 0; setIndex < set.spec.replicas; setIndex++) {
    const replicasOf = (target: string): number | undefined => {
      const { level, ref = "" } = spec.scaleTargets.find(({ name }) => name === target) ?? {};
      const object =
        level === "PodClique"
          ? cliques.get(metadata.namespace, standaloneCliqueName(set.metadata.name, setIndex, ref))
          : groups.get(metadata.namespace, scalingGroupName(set.metadata.name, setIndex, ref));
      return object?.spec.replicas;
    };
    for (const band of model.ratios) {
      const a = replicasOf(band.between[0]);
      const b = replicasOf(band.between[1]);
      if (
        band.enforcement === "Hard" &&
        a !== undefined &&
        b !== undefined &&
        !isWithinBand(band, a, b, band.transientSlackRatio)
      )
        return true;
    }
  }
  return false;
}
