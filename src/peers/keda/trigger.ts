/**
 * KEDA's Prometheus trigger: what becomes of an answer before the horizontal pod autoscaler sees it.
 *
 * Source: kedacore/keda:pkg/scalers/prometheus_scaler.go, pkg/fallback/fallback.go.
 */
import { finite } from "../finite.ts";

export interface TriggerOptions {
  readonly ignoreNullValues: boolean;
  /** Replicas to ask for after {@link FAILURE_THRESHOLD} failed readings in a row; 0: none. */
  readonly fallbackReplicas: number;
  readonly threshold: number;
}

export interface Reading {
  /** Undefined: the trigger is in error. */
  readonly value: number | undefined;
  readonly failures: number;
}

const FAILURE_THRESHOLD = 3;

/**
 * With `ignoreNullValues` (the default) an empty answer, NaN and infinities are 0: an outage looks like no load (keda#3065, keda#8036). That is how it
 * is shipped.
 */
export function readTrigger(answer: number | undefined, failuresBefore: number, options: TriggerOptions): Reading {
  const value = finite(answer) ?? (options.ignoreNullValues ? 0 : undefined);
  if (value !== undefined) return { value, failures: 0 };
  const failures = Math.min(failuresBefore + 1, FAILURE_THRESHOLD);
  const falls = options.fallbackReplicas > 0 && failures >= FAILURE_THRESHOLD;
  return { value: falls ? options.fallbackReplicas * options.threshold : undefined, failures };
}
