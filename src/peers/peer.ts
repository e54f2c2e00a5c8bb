/**
 * What a re-implemented autoscaler is to a trial: a pure rule from what it may see to replicas.
 *
 * Every peer sees the same observations as ours: PromQL over the same scrapes, and the counts that an API server shows. Single-target autoscalers run
 * once a role.
 */

/** Which part of a serving system a role plays; a peer scales each of them. */
export type PeerRole = "prefill" | "decode" | "aggregated";

export interface RoleCounts {
  /** `spec.replicas`. */
  readonly specReplicas: number;
  /** Names of the ready replicas, in the order of their names; the keys of {@link PeerInput.perReplica}. */
  readonly ready: readonly string[];
  /** On nodes and not ready. */
  readonly starting: number;
  /** Without a node. */
  readonly pending: number;
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly gpusPerReplica: number;
}

/** Text with `{{prefill}}`, `{{decode}}` or `{{aggregated}}` where the matchers of the pods of that role go, such as `sum(x{ {{decode}} })`. */
export interface PeerQuery {
  readonly promql: string;
  /** One value for each replica (joined by the label `pod` of its leader), or one for all. */
  readonly per: "Replica" | "Total";
  /** A query of a role that the system does not have is not asked. */
  readonly role?: PeerRole;
}

export interface PeerInput {
  /** Of virtual time, from 0. */
  readonly nowMs: number;
  readonly roles: ReadonlyMap<PeerRole, RoleCounts>;
  /** By name of the query, then by replica. A replica without a sample is absent; NaN and infinities come as they are. */
  readonly perReplica: Readonly<Record<string, ReadonlyMap<string, number>>>;
  /** By name of the query. Absent: the answer was empty, or could not be had. */
  readonly totals: Readonly<Record<string, number>>;
  /** GPUs that the roles may hold together; absent: no limit is known. */
  readonly gpuBudget?: number;
}

export interface PeerDecision<Memory> {
  /** `spec.replicas` to write; a role that is absent is left as it is. */
  readonly replicas: ReadonlyMap<PeerRole, number>;
  readonly memory: Memory;
}

export interface Peer<Memory = unknown> {
  /** How often it decides. Observations are those of the last scrape, however often it looks. */
  readonly tickMs: number;
  readonly queries: Readonly<Record<string, PeerQuery>>;
  readonly initialMemory: Memory;
  decide(input: PeerInput, memory: Memory): PeerDecision<Memory>;
}

/** A tunable number: what is published, and where random search may look. */
export interface PeerParameter {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly scale: "linear" | "log" | "integer";
  /** Unit and meaning in a few words. */
  readonly about: string;
}

export type Parameters = Readonly<Record<string, number>>;

/** What a peer may know beforehand. Published autoscalers that take a profile get the one of the trial. */
export interface PeerContext {
  readonly roles: readonly PeerRole[];
  /** Seconds. */
  readonly slo: { readonly ttftSeconds: number; readonly itlSeconds: number };
  /** What one replica serves, from the profile: for planners that interpolate one. */
  readonly performance: PeerPerformance;
}

export interface PeerPerformance {
  /** Seconds from the start of the prefill to its end, of one prompt alone. */
  prefillSeconds(inputTokens: number): number;
  /** Seconds of a decode step. @param contextTokens of each request, mean */
  decodeStepSeconds(batch: number, contextTokens: number): number;
  /** KV cache of one decode or aggregated replica. */
  readonly kvTokens: number;
  readonly maxRequests: number;
  /** Prompt tokens of one forward pass. Absent: 8,192, what vLLM takes on GPUs of this size. */
  readonly maxBatchedTokens?: number;
  readonly prefillGpus: number;
  readonly decodeGpus: number;
}

export interface PeerDefinition {
  /** `hpa`, `keda`, ...: what `--against` takes. */
  readonly name: string;
  /** For people, and it says that it is a re-implementation: `HPA (re-implemented)`. */
  readonly title: string;
  /** Where the rule was read: repository and path, or paper. */
  readonly source: string;
  readonly parameters: Readonly<Record<string, PeerParameter>>;
  create(parameters: Parameters, context: PeerContext): Peer;
}
