/** What the record of an update must show. */
import { isPodReady, type Pod } from "../../../src/api/kubernetes/core.ts";
import type { PodEvent, Recording, ScenarioWorld } from "./scenario-world.ts";
import { activePods, cliqueOf, groupIndexOf, setIndexOf, uidOf } from "./steps.ts";
import { UPDATE_TRIGGER } from "./world-actions.ts";

/**
 * The largest number of different `unit`s that were down at the same time. A hostname is down from the moment its only ready pod begins to go until another pod of
 * that name is ready. Where a clique is made again the new pod may be ready before the old one is told to go: then nothing was down. Pods of scale-outs, and
 * those that were deleted before they were ready, are never down: nothing is lost with them.
 */
export function mostDownAtOnce(events: readonly PodEvent[], unit: (pod: Pod) => string | undefined): number {
  const ready = new Map<string, Set<string>>();
  const down = new Map<string, Pod>();
  let most = 0;
  for (const { type, pod } of events) {
    const hostname = pod.spec.hostname ?? "";
    const uids = ready.get(hostname) ?? new Set<string>();
    ready.set(hostname, uids);
    if (type === "ready") {
      uids.add(uidOf(pod));
      if (down.get(hostname)?.metadata.uid !== pod.metadata.uid) down.delete(hostname);
    } else if (type !== "added" && type !== "bound") {
      uids.delete(uidOf(pod));
      if (type === "terminating" && isPodReady(pod) && uids.size === 0) down.set(hostname, pod);
    }
    most = Math.max(most, new Set([...down.values()].map(unit).filter((each) => each !== undefined)).size);
  }
  return most;
}

function requireAtMostOne({ events }: Recording, what: string, unit: (pod: Pod) => string | undefined): void {
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
