/** Before anything starts: is this a cluster we can work on, and does Prometheus answer? */
import { AUTOSCALING_GROUP } from "../../api/autoscaling/shared.ts";
import { RESOURCE_DEFINITIONS } from "../../api/crds/all.ts";
import { CLUSTER_TOPOLOGY_BINDINGS } from "../../api/grove/cluster-topology-binding.ts";
import type { Resource } from "../../api/kubernetes/meta.ts";
import { POD_GANGS } from "../../api/scheduler/pod-gang.ts";
import { ApiError } from "../../kube/api-error.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { Logger } from "../../log.ts";
import type { MetricsSource } from "../../observe/metrics-source.ts";
import { CommandError } from "../errors.ts";

export interface PreflightOptions {
  readonly api: KubeApi;
  readonly serverUrl: string;
  readonly namespaces: readonly string[] | undefined;
  /** Kinds that have to be there. */
  readonly needed: readonly Resource[];
  /** What gives the rights. */
  readonly manifests: string;
}

const ALL = RESOURCE_DEFINITIONS.map(({ resource }) => resource);

/** What the autoscaler reads; PodGangs are the operator's. */
const AUTOSCALER_KINDS: readonly Resource[] = ALL.filter(
  ({ kind }) => kind !== POD_GANGS.kind && kind !== CLUSTER_TOPOLOGY_BINDINGS.kind,
);
/** What the operator reads; topologies only where they are used. */
export const operatorKinds = (withTopologies: boolean): readonly Resource[] =>
  ALL.filter(
    ({ group, kind }) => group !== AUTOSCALING_GROUP && (withTopologies || kind !== CLUSTER_TOPOLOGY_BINDINGS.kind),
  );
/** What `run` reads, with its own operator or beside upstream's. */
export const serviceKinds = (operator: "built-in" | "external"): readonly Resource[] =>
  operator === "external" ? AUTOSCALER_KINDS : [...AUTOSCALER_KINDS, POD_GANGS];

/** @throws CommandError with one line that names the way out */
export async function checkCluster(options: PreflightOptions): Promise<void> {
  const { api, serverUrl, namespaces, needed, manifests } = options;
  const missing: string[] = [];
  for (const resource of needed) {
    try {
      const scopes = resource.namespaced ? namespaces?.map((namespace) => ({ namespace })) : undefined;
      for (const scope of scopes ?? [{}]) await api.list(resource, { ...scope, limit: 1 });
    } catch (error) {
      if (!(error instanceof ApiError)) {
        const why = error instanceof Error ? error.message : String(error);
        throw new CommandError(`cannot reach the API server at ${serverUrl}: ${why || "no answer"}`);
      }
      if (error.code === 404) missing.push(`${resource.plural}.${resource.group}`);
      else if (error.code === 401 || error.code === 403) {
        throw new CommandError(
          `the API server refuses: ${error.message}: apply ${manifests}, or run as a user who may list ${resource.plural}`,
        );
      } else throw new CommandError(`the API server at ${serverUrl} answers: ${error.message}`);
    }
  }
  if (missing.length > 0) {
    throw new CommandError(
      `the cluster does not know ${missing.join(", ")}: run \`grove-autoscaler crds | kubectl apply --server-side -f -\``,
    );
  }
}

/** A Prometheus that does not answer is no reason not to start: policies hold until it does, and say so. */
export async function checkPrometheus(source: MetricsSource, url: string, log: Logger): Promise<void> {
  try {
    await source.query("vector(1)");
  } catch (error) {
    log.warn(
      { prometheus: url, error: error instanceof Error ? error.message : String(error) },
      "Prometheus does not answer: policies hold their replicas until it does",
    );
  }
}
