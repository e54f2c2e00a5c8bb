/** The KAI queue of a PodCliqueSet: one value on the set, or one on its cliques (grove.md 3.7). Pure. */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";

import { KAI_QUEUE_LABEL as QUEUE } from "../../api/scheduler/kai-queue.ts";

type Strings = Readonly<Record<string, string>> | undefined;

/** Label first, then annotation. */
const queueIn = (meta: { readonly labels?: Strings; readonly annotations?: Strings }): string | undefined =>
  meta.labels?.[QUEUE] || meta.annotations?.[QUEUE] || undefined;

export function kaiQueueOf({
  metadata,
  spec,
}: PodCliqueSet): { readonly queue: string } | { readonly problem: string; readonly field: string } {
  const cliques = spec.template.cliques.map((clique, index) => ({ index, name: clique.name, queue: queueIn(clique) }));
  const own = queueIn(metadata);
  const queue = own ?? cliques.find((clique) => clique.queue !== undefined)?.queue;
  if (queue === undefined) {
    return {
      field: `metadata.labels[${QUEUE}]`,
      problem: `scheduler kai-scheduler needs a queue: set ${QUEUE} on the PodCliqueSet or on its cliques`,
    };
  }
  const other = cliques.find((clique) => clique.queue !== undefined && clique.queue !== queue);
  if (other === undefined) return { queue };
  const where = own === undefined ? "another clique" : "the PodCliqueSet";
  return {
    field: `spec.template.cliques[${other.index}].labels[${QUEUE}]`,
    problem: `clique ${JSON.stringify(other.name)} has queue ${JSON.stringify(other.queue)} and ${where} ${JSON.stringify(queue)}; a PodCliqueSet has one KAI queue`,
  };
}
