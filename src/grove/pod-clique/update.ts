/** Pure: the next step of an update of one PodClique, pod by pod (grove.md 5.4, 5.7). */
import type { PodClique, PodCliqueStatus } from "../../api/grove/pod-clique.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { isPodReady, isTerminating, type Pod } from "../../api/kubernetes/core.ts";
import { indexLabelOf, labelOf, POD_TEMPLATE_HASH, SCALING_GROUP, SET_REPLICA_INDEX } from "../labels.ts";
import { podTemplateHash } from "../pod-template-hash.ts";
import { minAvailableOf, templateOfClique } from "../template.ts";
import { isOpen, updateTurn } from "../update-turn.ts";
import { podIndexOf } from "./pod-object.ts";

export type CliqueUpdateProgress = NonNullable<PodCliqueStatus["updateProgress"]>;

export interface CliqueUpdate {
  /** To be stored before any pod is deleted, so that a restart goes on with the same pod. */
  readonly progress?: CliqueUpdateProgress;
  readonly deletes: readonly Pod[];
  /** The update is not through. */
  readonly waitingFor?: string;
}

export interface CliqueUpdateInput {
  readonly clique: PodClique;
  readonly set: PodCliqueSet | undefined;
  readonly pods: readonly Pod[];
}

const NOTHING: CliqueUpdate = { deletes: [] };

export function cliqueUpdate({ clique, set, pods }: CliqueUpdateInput, now: string): CliqueUpdate {
  const hashes = targetOf(clique, set);
  if (set === undefined || hashes === undefined) return NOTHING;
  const progress = clique.status?.updateProgress;
  const turn = updateTurn(set, indexLabelOf(clique, SET_REPLICA_INDEX) ?? 0);
  const live = pods.filter((pod) => !isTerminating(pod));
  const old = live.filter((pod) => labelOf(pod, POD_TEMPLATE_HASH) !== hashes.podTemplateHash);
  switch (turn) {
    case "wait":
      return NOTHING;
    case "mark":
      return marked(clique, hashes, now);
    case "roll":
    case "idle": {
      // Members are replaced with their whole replica, by their group.
      if (labelOf(clique, SCALING_GROUP) !== undefined) return closed(progress, now);
      const begun = isOpen(progress) && isFor(progress, hashes);
      if (begun) return step(clique, progress, { live, old, hashes, now });
      const needed = old.length > 0 && (turn === "roll" || isBehind(clique, hashes));
      if (!needed) return closed(progress, now);
      return step(clique, { updateStartedAt: now, ...hashes }, { live, old, hashes, now, isNew: true });
    }
    default:
      turn satisfies never;
      return NOTHING;
  }
}

interface Hashes {
  readonly podCliqueSetGenerationHash: string;
  readonly podTemplateHash: string;
}

/** What the clique is to be updated to; undefined until the set has handed its new template down to it. */
function targetOf(clique: PodClique, set: PodCliqueSet | undefined): Hashes | undefined {
  const template = set && templateOfClique(clique, set);
  const generation = set?.status?.currentGenerationHash;
  if (set === undefined || template === undefined || generation === undefined) return undefined;
  const expected = podTemplateHash(template, set.spec.template.priorityClassName);
  if (labelOf(clique, POD_TEMPLATE_HASH) !== expected) return undefined;
  return { podCliqueSetGenerationHash: generation, podTemplateHash: expected };
}

const isFor = (progress: CliqueUpdateProgress, hashes: Hashes): boolean =>
  progress.podCliqueSetGenerationHash === hashes.podCliqueSetGenerationHash &&
  progress.podTemplateHash === hashes.podTemplateHash;

/** It was of some generation before, and neither its pods nor its last update are of the present one. */
function isBehind({ status }: PodClique, { podCliqueSetGenerationHash }: Hashes): boolean {
  const known = [status?.updateProgress?.podCliqueSetGenerationHash, status?.currentPodCliqueSetGenerationHash];
  return known.some((hash) => hash !== undefined) && !known.includes(podCliqueSetGenerationHash);
}

function marked(clique: PodClique, hashes: Hashes, now: string): CliqueUpdate {
  const progress = clique.status?.updateProgress;
  if (!isBehind(clique, hashes)) return closed(progress, now);
  return { progress: { updateStartedAt: now, updateEndedAt: now, ...hashes }, deletes: [] };
}

/** An update that lost its object, for example to a change of strategy. */
const closed = (progress: CliqueUpdateProgress | undefined, now: string): CliqueUpdate =>
  isOpen(progress) ? { progress: ended(progress, now), deletes: [] } : NOTHING;

function ended({ readyPodsSelectedToUpdate: _, ...progress }: CliqueUpdateProgress, now: string): CliqueUpdateProgress {
  return { ...progress, updateEndedAt: now };
}

interface Pods {
  readonly live: readonly Pod[];
  /** Those of `live` that are of another template. */
  readonly old: readonly Pod[];
  readonly hashes: Hashes;
  readonly now: string;
  readonly isNew?: boolean;
}

/** Pods that serve nothing go at once; of the others one at a time, and the next when its replacement is ready. */
function step(
  clique: PodClique,
  progress: CliqueUpdateProgress,
  { live, old, hashes, now, isNew }: Pods,
): CliqueUpdate {
  const begun = isNew === true ? { progress } : {};
  const unready = old.filter((pod) => !isPodReady(pod));
  if (unready.length > 0)
    return { ...begun, deletes: unready, waitingFor: "the replacement of pods that were not ready" };

  const selected = progress.readyPodsSelectedToUpdate;
  const completed = selected?.completed ?? [];
  if (selected !== undefined) {
    const current = live.find(({ metadata }) => metadata.name === selected.current);
    // The operator may have ended between its choice and its deed.
    if (current !== undefined) return { ...begun, deletes: [current], waitingFor: `pod ${selected.current} to go` };
    const renewed = live.filter((pod) => labelOf(pod, POD_TEMPLATE_HASH) === hashes.podTemplateHash && isPodReady(pod));
    const wanted = Math.min(completed.length + 1, clique.spec.replicas - old.length);
    if (renewed.length < wanted)
      return { ...begun, deletes: [], waitingFor: `the replacement of pod ${selected.current}` };
  }
  const next = oldest(old, clique.metadata.name);
  if (next === undefined) return { progress: ended(progress, now), deletes: [] };
  if (live.filter(isPodReady).length < minAvailableOf(clique)) {
    return { ...begun, deletes: [], waitingFor: "minAvailable pods to be ready" };
  }
  return {
    progress: {
      ...progress,
      readyPodsSelectedToUpdate: {
        current: next.metadata.name,
        ...(selected !== undefined && { completed: [...completed, selected.current] }),
      },
    },
    deletes: [next],
    waitingFor: `the replacement of pod ${next.metadata.name}`,
  };
}

function oldest(pods: readonly Pod[], clique: string): Pod | undefined {
  const age = ({ metadata }: Pod): string => metadata.creationTimestamp ?? "";
  const index = (pod: Pod): number => podIndexOf(pod, clique) ?? 0;
  return pods.toSorted((a, b) => (age(a) === age(b) ? index(a) - index(b) : age(a) < age(b) ? -1 : 1))[0];
}
