/** The init container that lets a pod start after its parent cliques (grove.md 4.2). */
import type { PodClique } from "../../api/grove/pod-clique.ts";
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { INIT_CONTAINER, parentArguments, type StartupParent } from "../../api/grove/startup-parents.ts";
import type { PodSpec } from "../../api/kubernetes/core.ts";
import type { Problem } from "../actions.ts";
import { indexLabelOf, POD_GANG, SET_REPLICA_INDEX } from "../labels.ts";
import { memberCliqueName, scalingGroupName, standaloneCliqueName, tokenSecretName } from "../names.ts";
import { groupOfClique, minAvailableOf } from "../template.ts";

const TOKEN_VOLUME = "sa-token-secret-vol";
const POD_INFO_VOLUME = "pod-info-vol";

/** What keeps pods of this clique from being made: they would start out of order. */
export function startupProblem(clique: PodClique, set: PodCliqueSet, image: string | undefined): Problem | undefined {
  const parents = clique.spec.startsAfter ?? [];
  if (parents.length > 0 && image === undefined) {
    return {
      code: "ERR_INITCONTAINER_ENVIRONMENT_VARIABLE_MISSING",
      description:
        "its pods start in an order, and no init container is configured: set GROVE_INIT_CONTAINER_IMAGE for the operator",
    };
  }
  const unknown = parents.find((parent) => minAvailableOfParent(parent, clique, set) === undefined);
  return unknown === undefined
    ? undefined
    : {
        code: "ERR_MISSING_PODCLIQUE_TEMPLATE",
        description: `spec.startsAfter: the PodCliqueSet has no clique ${unknown}`,
      };
}

/** Adds the container as the last of the init containers, with its volumes; nothing for a clique without parents. */
export function withInitContainer(podSpec: PodSpec, clique: PodClique, set: PodCliqueSet, image: string): PodSpec {
  const parents = (clique.spec.startsAfter ?? []).map(
    (parent): StartupParent => ({ clique: parent, minAvailable: minAvailableOfParent(parent, clique, set) ?? 1 }),
  );
  if (parents.length === 0) return podSpec;
  return {
    ...podSpec,
    initContainers: [
      ...(podSpec.initContainers ?? []),
      {
        name: INIT_CONTAINER,
        image,
        args: parentArguments(parents),
        volumeMounts: [
          { name: TOKEN_VOLUME, readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" },
          { name: POD_INFO_VOLUME, readOnly: true, mountPath: "/var/grove/pod-info" },
        ],
      },
    ],
    volumes: [
      ...(podSpec.volumes ?? []),
      { name: TOKEN_VOLUME, secret: { secretName: tokenSecretName(set.metadata.name), defaultMode: 420 } },
      {
        name: POD_INFO_VOLUME,
        downwardAPI: {
          defaultMode: 420,
          items: [
            { path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } },
            { path: "podgangname", fieldRef: { fieldPath: `metadata.labels['${POD_GANG}']` } },
          ],
        },
      },
    ],
  };
}

/** Of the template behind a full name, compared as a whole: one name may end with another. */
function minAvailableOfParent(parent: string, clique: PodClique, set: PodCliqueSet): number | undefined {
  const { template } = set.spec;
  const setIndex = indexLabelOf(clique, SET_REPLICA_INDEX) ?? 0;
  const found = template.cliques.find(({ name }) => {
    const group = groupOfClique(template, name);
    if (group === undefined) return parent === standaloneCliqueName(set.metadata.name, setIndex, name);
    const prefix = `${scalingGroupName(set.metadata.name, setIndex, group.name)}-`;
    const index = /^(\d+)-/u.exec(parent.slice(prefix.length))?.[1];
    return index !== undefined && parent === memberCliqueName(prefix.slice(0, -1), Number(index), name);
  });
  return found && minAvailableOf(found);
}
