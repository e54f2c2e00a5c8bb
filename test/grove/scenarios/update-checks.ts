/** What the record of an update must show. */
import type { Pod } from "../../../src/api/kubernetes/core.ts";
import type { PodEvent, Recording, ScenarioWorld } from "./scenario-world.ts";
import { activePods, cliqueOf, groupIndexOf, setIndexOf, uidOf } from "./steps.ts";
import { UPDATE_TRIGGER } from "./world-actions.ts";

/**
 * The largest number of different `unit`s that were down at the same time. A pod is down from the begin of its deletion until another pod with its hostname is
 * ready; pods of scale-outs are never down.
 */
export function mostDownAtOnce(events: readonly PodEvent[], unit: (pod: Pod) => string | undefined): number {
  const down = new Map<string, Pod>();
  let most = 0;
  for (const { type, pod } of events) {
    const hostname = pod.spec.hostname ?? "";
    if (
      type === "terminating" ||
      (type === "deleted" && down.get(hostname) === undefined && wasNotReplaced(events, pod))
    ) {
      down.set(hostname, pod);
    }
    const old = down.get(hostname);
    if (type === "ready" && old !== undefined && uidOf(old) !== uidOf(pod)) down.delete(hostname);
    most = Math.max(most, new Set([...down.values()].map(unit).filter((each) => each !== undefined)).size);
  }
  return most;
}

/** A deletion without a terminating state: the pod was never started. */
const wasNotReplaced = (events: readonly PodEvent[], pod: Pod): boolean =>
  !events.some((event) => event.type === "terminating" && uidOf(event.pod) === uidOf(pod));

export function requireAtMostOne({ events }: Recording, what: string, unit: (pod: Pod) => string | undefined): void {
  const most = mostDownAtOnce(events, unit);
  if (most > 1) throw new Error(`${most} ${what} were down at the same time:\n${describe(events)}`);
}

export const oneSetReplica = (recording: Recording): void =>
  requireAtMostOne(recording, "replicas of the set", setIndexOf);

/** Of each clique. `cliques`: last parts of the names. */
export function onePodOfEachClique(recording: Recording, cliques: readonly string[]): void {
  const names = new Set(recording.events.map(({ pod }) => cliqueOf(pod)));
  for (const name of names) {
    if (!cliques.some((clique) => name.endsWith(`-${clique}`))) continue;
    requireAtMostOne(recording, `pods of ${name}`, (pod) => (cliqueOf(pod) === name ? uidOf(pod) : undefined));
  }
}

export function oneReplicaOfEachGroup(recording: Recording): void {
  const group = ({ metadata }: Pod): string | undefined => metadata.labels?.["grove.io/podcliquescalinggroup"];
  for (const name of new Set(recording.events.map(({ pod }) => group(pod)))) {
    if (name === undefined) continue;
    requireAtMostOne(recording, `replicas of ${name}`, (pod) => (group(pod) === name ? groupIndexOf(pod) : undefined));
  }
}

/** Pods that carried the newest template were not replaced again. */
export function noneUpdatedTwice({ events }: Recording, trigger: string): void {
  const again = events.filter(({ type, pod }) => type === "terminating" && triggerOf(pod) === trigger);
  if (again.length > 0) throw new Error(`updated twice: ${again.map(({ pod }) => pod.spec.hostname).join(", ")}`);
}

export const triggerOf = ({ spec }: Pod): string | undefined =>
  spec.containers[0]?.env?.find(({ name }) => name === UPDATE_TRIGGER)?.value;

/** Every pod of these cliques was made from the newest template. */
export function requireNewTemplate(world: ScenarioWorld, cliques: readonly string[], trigger: string): void {
  const old = activePods(world).filter(
    (pod) => cliques.some((clique) => cliqueOf(pod).endsWith(`-${clique}`)) && triggerOf(pod) !== trigger,
  );
  if (old.length > 0) throw new Error(`pods of an old template: ${old.map(({ spec }) => spec.hostname).join(", ")}`);
}

const describe = (events: readonly PodEvent[]): string =>
  events
    .map(({ type, pod, atMs }) => `  ${Math.round(atMs)} ${type} ${pod.spec.hostname} ${pod.metadata.name}`)
    .join("\n");
