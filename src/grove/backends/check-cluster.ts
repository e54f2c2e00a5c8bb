/** At start-up: is every enabled scheduler one that the operator can work with? (grove.md 3.7) */
import type { EventRecorder } from "../../kube/events.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { OperatorSettings } from "../settings.ts";
import { enabledBackends } from "./registry.ts";

/** @throws with the sentence that names the way out; the same sentence is in an event */
export async function checkBackends(api: KubeApi, settings: OperatorSettings, recorder: EventRecorder): Promise<void> {
  for (const backend of enabledBackends(settings)) await backend.checkCluster?.(api, recorder);
}
