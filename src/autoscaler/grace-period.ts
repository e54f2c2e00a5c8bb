/** Requests that are lost on the way down because their pod is killed before they end. Pure. */
import type { TargetDecision } from "../decide/decision.ts";

type Drained = Pick<TargetDecision, "name" | "drain">;

export const isGraceShort = ({ drain }: Drained): boolean => drain !== undefined && drain.requestMs > drain.graceMs;

export const graceSentence = (short: readonly Drained[]): string =>
  short
    .map(({ name, drain: { requestMs = 0, graceMs = 0 } = {} }) => {
      const seconds = Math.ceil(requestMs / 1_000);
      return `${name}: p99 of its requests is ${seconds} s, and a pod that goes has ${graceMs / 1_000} s: a scale-down loses what takes longer; raise terminationGracePeriodSeconds of its cliques above ${seconds}`;
    })
    .join("; ");
