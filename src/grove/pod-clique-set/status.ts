/** Pure: the status of a PodCliqueSet from its cliques and groups (grove.md 9.3). */
import type { ClusterTopologyBinding } from "../../api/grove/cluster-topology-binding.ts";
import type { PodCliqueSetStatus } from "../../api/grove/pod-clique-set.ts";
import { isTerminating } from "../../api/kubernetes/core.ts";
import type { PodGang } from "../../api/scheduler/pod-gang.ts";
import { setPodSelector } from "../labels.ts";
import type { PassOutcome } from "../pass-outcome.ts";
import { generationHash } from "../pod-template-hash.ts";
import type { OperatorSettings } from "../settings.ts";
import { withLevelsCondition } from "../topology/levels-condition.ts";
import { type SetParts, setReplicas } from "./replicas.ts";
import { advanceUpdate } from "./update.ts";

export interface PodCliqueSetStatusInput extends SetParts {
  /** Of this set. */
  readonly gangs: readonly PodGang[];
  /** The one that the set's topology constraints name. */
  readonly binding?: ClusterTopologyBinding | undefined;
  readonly outcome: PassOutcome;
  readonly settings: Pick<OperatorSettings, "topologyAwareScheduling">;
  /** RFC 3339. */
  readonly now: string;
}

export function podCliqueSetStatus(input: PodCliqueSetStatusInput): PodCliqueSetStatus {
  const { set, cliques, groups, gangs, binding, outcome, settings, now } = input;
  const old = set.status;
  const currentGenerationHash = old?.currentGenerationHash ?? generationHash(set.spec.template);
  const replicas = setReplicas({ set, cliques, groups }, currentGenerationHash);
  const conditions = withLevelsCondition({ set, binding, now, ...settings });
  const observedGeneration = outcome.complete ? set.metadata.generation : old?.observedGeneration;
  const updateProgress = advanceUpdate(old?.updateProgress, replicas, now);
  return {
    ...old,
    ...(observedGeneration !== undefined && { observedGeneration }),
    replicas: set.spec.replicas,
    availableReplicas: replicas.filter(({ available }) => available).length,
    updatedReplicas: replicas.filter(({ available, isDone }) => available && isDone).length,
    hpaPodSelector: setPodSelector(set.metadata.name),
    currentGenerationHash,
    ...(conditions !== undefined && { conditions }),
    ...(updateProgress !== undefined && { updateProgress }),
    podGangStatuses: gangStatuses(gangs),
    lastErrors: outcome.lastErrors,
  };
}

type GangStatuses = NonNullable<PodCliqueSetStatus["podGangStatuses"]>;
type GangPhase = GangStatuses[number]["phase"];

/** An object has to stay below the 1.5 MB that etcd takes, and is written again with every change. */
const MAX_GANGS = 1_000;
const PHASES: ReadonlySet<string> = new Set<GangPhase>(["Pending", "Starting", "Running", "Failed", "Succeeded"]);

/** Names and phases; the conditions are on the gangs. Of more gangs than fit, those that do not run. */
function gangStatuses(gangs: readonly PodGang[]): GangStatuses {
  const all = gangs
    .filter((gang) => !isTerminating(gang))
    .map(({ metadata, status }) => ({ name: metadata.name, phase: phaseOf(status?.phase) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const shown = all.length <= MAX_GANGS ? all : all.filter(({ phase }) => phase !== "Running");
  return shown.slice(0, MAX_GANGS);
}

/** On the gang it is any text. */
const phaseOf = (phase: string | undefined): GangPhase =>
  phase !== undefined && PHASES.has(phase) ? (phase as GangPhase) : "Pending";
