/** A policy in Shadow beside the one that is active: what it would have done, decision by decision. Pure. */
import type { Decision, TargetDecision } from "./decision.ts";

export interface ShadowTally {
  readonly sinceMs: number;
  readonly decisions: number;
  /** Decisions in which every common target had the same desired replicas. */
  readonly agreed: number;
  /** Sums over the decisions, for the means. */
  readonly gpus: { readonly shadow: number; readonly active: number };
}

export interface ShadowComparison {
  /** Name of the active policy. */
  readonly active: string;
  /** Targets that both policies scale, by the shadow's names. */
  readonly targets: readonly { readonly name: string; readonly shadow: number; readonly active: number }[];
  readonly gpus: { readonly shadow: number; readonly active: number };
  readonly tally: ShadowTally;
}

interface WantedReplicas extends Pick<Decision, "budget"> {
  readonly targets: readonly Pick<TargetDecision, "name" | "desired">[];
}

export interface ShadowInput {
  readonly shadow: Decision;
  readonly active: { readonly name: string; readonly decision: WantedReplicas };
  /** From a target of the shadow to the active policy's name of the same level and part. */
  readonly counterparts: ReadonlyMap<string, string>;
  readonly tally: ShadowTally | undefined;
}

export function compareShadow({ shadow, active, counterparts, tally }: ShadowInput): ShadowComparison {
  const targets = shadow.targets.flatMap(({ name, desired }) => {
    const other = active.decision.targets.find((one) => one.name === counterparts.get(name));
    return other === undefined ? [] : [{ name, shadow: desired, active: other.desired }];
  });
  const gpus = { shadow: shadow.budget.gpusRequested, active: active.decision.budget.gpusRequested };
  const agrees = targets.every((one) => one.shadow === one.active);
  const before = tally ?? { sinceMs: shadow.atMs, decisions: 0, agreed: 0, gpus: { shadow: 0, active: 0 } };
  return {
    active: active.name,
    targets,
    gpus,
    tally: {
      sinceMs: before.sinceMs,
      decisions: before.decisions + 1,
      agreed: before.agreed + (agrees ? 1 : 0),
      gpus: { shadow: before.gpus.shadow + gpus.shadow, active: before.gpus.active + gpus.active },
    },
  };
}
