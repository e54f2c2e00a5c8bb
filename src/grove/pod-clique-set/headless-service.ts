/** One headless Service for each set replica: the DNS names of its pods (grove.md 2.1). */
import type { PodCliqueSet } from "../../api/grove/pod-clique-set.ts";
import { SERVICES, type Service } from "../../api/kubernetes/core.ts";
import { apiVersionOf } from "../../api/kubernetes/meta.ts";
import { componentLabels, managedLabels, SET_REPLICA_INDEX } from "../labels.ts";
import { headlessServiceName } from "../names.ts";
import { ownedBy } from "../ownership.ts";

export function headlessService(set: PodCliqueSet, setIndex: number): Service {
  const { name, namespace } = set.metadata;
  const service = headlessServiceName(name, setIndex);
  const index = { [SET_REPLICA_INDEX]: String(setIndex) };
  return {
    apiVersion: apiVersionOf(SERVICES),
    kind: SERVICES.kind,
    metadata: {
      name: service,
      ...(namespace !== undefined && { namespace }),
      labels: { ...componentLabels(name, "pcs-headless-service", service), ...index },
      ownerReferences: ownedBy(set),
    },
    spec: {
      clusterIP: "None",
      selector: { ...managedLabels(name), ...index },
      publishNotReadyAddresses: set.spec.template.headlessServiceConfig?.publishNotReadyAddresses ?? true,
    },
  };
}
