/** What the controllers of the operator share. */
import type { Clock } from "../../clock.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { RuntimeMetrics } from "../../kube/runtime-metrics.ts";
import type { Logger } from "../../log.ts";
import type { Random } from "../../random.ts";
import type { OperatorSettings } from "../settings.ts";
import type { Stores } from "./stores.ts";

export interface OperatorContext {
  readonly stores: Stores;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly metrics: RuntimeMetrics;
  readonly recorderFor: (component: string) => EventRecorder;
  readonly settings: OperatorSettings;
}
