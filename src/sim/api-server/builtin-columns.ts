/** What `kubectl get` shows of the built-in kinds (pkg/printers/internalversion of Kubernetes). */
import type { Event, HorizontalPodAutoscaler, Lease, Node, Pod, Service } from "../../api/kubernetes/core.ts";
import { ageOf } from "../../api/kubernetes/human-duration.ts";
import { isObject, type JsonObject, type StoredObject, valueAt } from "./json.ts";
import type { Column } from "./kind.ts";

type Cell<T> = (object: T, nowMs: number) => unknown;

const column = <T>(name: string, cell: Cell<T>, options: Partial<Omit<Column, "cell">> = {}): Column => ({
  name,
  type: "string",
  ...options,
  cell: (object, nowMs) => cell(object as unknown as T, nowMs),
});

const wide = { priority: 1 };

export const NAME_COLUMN = column<StoredObject>("Name", ({ metadata }) => metadata.name, {
  format: "name",
  description: "Name must be unique within a namespace.",
});
export const AGE_COLUMN = column<StoredObject>(
  "Age",
  ({ metadata }, nowMs) => ageOf(metadata.creationTimestamp, nowMs),
  {
    description: "CreationTimestamp is a timestamp representing the server time when this object was created.",
  },
);
/** Custom resources without columns of their own show their creation time as a date. */
export const CREATED_COLUMN = column<StoredObject>(
  "Age",
  ({ metadata }, nowMs) => ageOf(metadata.creationTimestamp, nowMs),
  {
    type: "date",
  },
);

export const BUILTIN_COLUMNS: Readonly<Record<string, readonly Column[]>> = {
  Pod: [
    NAME_COLUMN,
    column<Pod>("Ready", podReady),
    column<Pod>("Status", podStatus),
    column<Pod>("Restarts", podRestarts),
    AGE_COLUMN,
    column<Pod>("IP", (pod) => pod.status?.podIP ?? "<none>", wide),
    column<Pod>("Node", (pod) => pod.spec.nodeName ?? "<none>", wide),
    column<Pod>("Nominated Node", (pod) => valueAt(pod.status, ["nominatedNodeName"]) ?? "<none>", wide),
    column<Pod>("Readiness Gates", (pod) => readinessGates(pod), wide),
  ],
  Node: [
    NAME_COLUMN,
    column<Node>("Status", nodeStatus),
    column<Node>("Roles", nodeRoles),
    AGE_COLUMN,
    column<Node>("Version", (node) => node.status?.nodeInfo?.["kubeletVersion"] ?? ""),
    column<Node>("Internal-IP", (node) => address(node, "InternalIP"), wide),
    column<Node>("External-IP", (node) => address(node, "ExternalIP"), wide),
    column<Node>("OS-Image", (node) => node.status?.nodeInfo?.["osImage"] ?? "<unknown>", wide),
    column<Node>("Kernel-Version", (node) => node.status?.nodeInfo?.["kernelVersion"] ?? "<unknown>", wide),
    column<Node>(
      "Container-Runtime",
      (node) => node.status?.nodeInfo?.["containerRuntimeVersion"] ?? "<unknown>",
      wide,
    ),
  ],
  Namespace: [NAME_COLUMN, column<StoredObject>("Status", (o) => valueAt(o, ["status", "phase"])), AGE_COLUMN],
  Service: [
    NAME_COLUMN,
    column<Service>("Type", ({ spec }) => spec["type"] ?? "ClusterIP"),
    column<Service>("Cluster-IP", ({ spec }) => spec.clusterIP ?? "<none>"),
    column<Service>("External-IP", () => "<none>"),
    column<Service>("Port(s)", ({ spec }) => servicePorts(spec.ports ?? [])),
    AGE_COLUMN,
    column<Service>("Selector", ({ spec }) => labelText(spec.selector), wide),
  ],
  ServiceAccount: [
    NAME_COLUMN,
    column<StoredObject>("Secrets", (o) => count(o["secrets"]), { type: "integer" }),
    AGE_COLUMN,
  ],
  Secret: [
    NAME_COLUMN,
    column<StoredObject>("Type", (o) => o["type"]),
    column<StoredObject>("Data", (o) => count(o["data"]), { type: "integer" }),
    AGE_COLUMN,
  ],
  ConfigMap: [
    NAME_COLUMN,
    column<StoredObject>("Data", (o) => count(o["data"]) + count(o["binaryData"]), { type: "integer" }),
    AGE_COLUMN,
  ],
  Event: [
    column<Event>("Last Seen", (event, nowMs) => ageOf(event.lastTimestamp ?? event.metadata.creationTimestamp, nowMs)),
    column<Event>("Type", (event) => event.type),
    column<Event>("Reason", (event) => event.reason),
    column<Event>("Object", ({ involvedObject: { kind, name } }) => `${(kind ?? "").toLowerCase()}/${name}`),
    column<Event>("Subobject", (event) => valueAt(event.involvedObject, ["fieldPath"]) ?? "", wide),
    column<Event>("Source", (event) => event.source?.component ?? event.reportingComponent ?? "", wide),
    column<Event>("Message", (event) => event.message?.trim()),
    column<Event>(
      "First Seen",
      (event, nowMs) => ageOf(event.firstTimestamp ?? event.metadata.creationTimestamp, nowMs),
      wide,
    ),
    column<Event>("Count", (event) => String(event.count ?? 1), wide),
    column<Event>("Name", (event) => event.metadata.name, { ...wide, format: "name" }),
  ],
  ResourceClaim: [NAME_COLUMN, column<StoredObject>("State", (o) => claimState(o)), AGE_COLUMN],
  ResourceClaimTemplate: [NAME_COLUMN, AGE_COLUMN],
  HorizontalPodAutoscaler: [
    NAME_COLUMN,
    column<HorizontalPodAutoscaler>("Reference", ({ spec: { scaleTargetRef: ref } }) => `${ref.kind}/${ref.name}`),
    column<HorizontalPodAutoscaler>("Targets", (hpa) => hpaTargets(hpa)),
    column<HorizontalPodAutoscaler>("MinPods", ({ spec }) => String(spec.minReplicas ?? "<unset>")),
    column<HorizontalPodAutoscaler>("MaxPods", ({ spec }) => spec.maxReplicas, { type: "integer" }),
    column<StoredObject>("Replicas", (o) => valueAt(o, ["status", "currentReplicas"]) ?? 0, { type: "integer" }),
    AGE_COLUMN,
  ],
  Lease: [NAME_COLUMN, column<Lease>("Holder", (lease) => lease.spec?.holderIdentity ?? ""), AGE_COLUMN],
  Deployment: [
    NAME_COLUMN,
    column<StoredObject>("Ready", (o) => `${number(o, "status", "readyReplicas")}/${number(o, "spec", "replicas")}`),
    column<StoredObject>("Up-to-date", (o) => number(o, "status", "updatedReplicas"), { type: "integer" }),
    column<StoredObject>("Available", (o) => number(o, "status", "availableReplicas"), { type: "integer" }),
    AGE_COLUMN,
  ],
  ReplicaSet: [
    NAME_COLUMN,
    column<StoredObject>("Desired", (o) => number(o, "spec", "replicas"), { type: "integer" }),
    column<StoredObject>("Current", (o) => number(o, "status", "replicas"), { type: "integer" }),
    column<StoredObject>("Ready", (o) => number(o, "status", "readyReplicas"), { type: "integer" }),
    AGE_COLUMN,
  ],
  CustomResourceDefinition: [
    NAME_COLUMN,
    column<StoredObject>("Created At", ({ metadata }) => metadata.creationTimestamp, { type: "date" }),
  ],
};

function podReady(pod: Pod): string {
  const statuses = pod.status?.containerStatuses ?? [];
  return `${statuses.filter(({ ready }) => ready).length}/${pod.spec.containers.length}`;
}

/** The reason a person cares about most: termination, then init containers, then the last container that is not well. */
function podStatus(pod: Pod): string {
  const { status, spec, metadata } = pod;
  let reason = status?.reason ?? status?.phase ?? "Unknown";
  const scheduled = status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (scheduled?.reason === "SchedulingGated") reason = "SchedulingGated";
  const inits = status?.initContainerStatuses ?? [];
  const pending = inits.findIndex(({ state }) => valueAt(state, ["terminated", "exitCode"]) !== 0);
  if (pending >= 0) {
    const state = inits[pending]?.state;
    const waiting = valueAt(state, ["waiting", "reason"]);
    const terminated = state?.["terminated"];
    if (isObject(terminated)) reason = `Init:${terminated["reason"] ?? `ExitCode:${terminated["exitCode"]}`}`;
    else if (typeof waiting === "string" && waiting !== "PodInitializing") reason = `Init:${waiting}`;
    else reason = `Init:${pending}/${spec.initContainers?.length ?? inits.length}`;
  } else {
    let running = false;
    for (const container of (status?.containerStatuses ?? []).toReversed()) {
      const waiting = valueAt(container.state, ["waiting", "reason"]);
      const terminated = container.state?.["terminated"];
      if (typeof waiting === "string" && waiting !== "") reason = waiting;
      else if (isObject(terminated)) {
        reason = String(terminated["reason"] ?? `ExitCode:${terminated["exitCode"]}`);
      } else if (container.ready && container.state?.["running"] !== undefined) running = true;
    }
    if (reason === "Completed" && running) reason = "Running";
  }
  return metadata.deletionTimestamp === undefined ? reason : "Terminating";
}

function podRestarts(pod: Pod): string {
  return String((pod.status?.containerStatuses ?? []).reduce((sum, { restartCount }) => sum + (restartCount ?? 0), 0));
}

function readinessGates(pod: Pod): string {
  const gates = pod.spec["readinessGates"];
  if (!Array.isArray(gates) || gates.length === 0) return "<none>";
  const met = gates.filter(
    (gate) => pod.status?.conditions?.find(({ type }) => type === valueAt(gate, ["conditionType"]))?.status === "True",
  );
  return `${met.length}/${gates.length}`;
}

function nodeStatus(node: Node): string {
  const ready = node.status?.conditions?.find(({ type }) => type === "Ready");
  const words = [ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady"];
  if (node.spec?.unschedulable === true) words.push("SchedulingDisabled");
  return words.join(",");
}

function nodeRoles(node: Node): string {
  const prefix = "node-role.kubernetes.io/";
  const roles = Object.keys(node.metadata.labels ?? {})
    .filter((label) => label.startsWith(prefix))
    .map((label) => label.slice(prefix.length));
  return roles.length === 0 ? "<none>" : roles.sort().join(",");
}

const address = (node: Node, type: string): string =>
  node.status?.addresses?.find((entry) => entry.type === type)?.address ?? "<none>";

function servicePorts(ports: readonly JsonObject[]): string {
  if (ports.length === 0) return "<none>";
  return ports
    .map(
      ({ port, nodePort, protocol }) => `${port}${nodePort === undefined ? "" : `:${nodePort}`}/${protocol ?? "TCP"}`,
    )
    .join(",");
}

function hpaTargets({ spec }: HorizontalPodAutoscaler): string {
  const metrics = spec.metrics ?? [];
  if (metrics.length === 0) return "<none>";
  return metrics
    .map((metric) => {
      const type = String(metric["type"]);
      const source = metric[type.charAt(0).toLowerCase() + type.slice(1)];
      const target = valueAt(source, ["target"]);
      const name = valueAt(source, ["name"]);
      if (!isObject(target)) return "<auto>";
      const goal =
        target["averageUtilization"] === undefined
          ? (target["averageValue"] ?? target["value"])
          : `${target["averageUtilization"]}%`;
      return `${typeof name === "string" ? `${name}: ` : ""}<unknown>/${goal}`;
    })
    .join(", ");
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  const entries = Object.entries(labels ?? {});
  return entries.length === 0 ? "<none>" : entries.map(([key, value]) => `${key}=${value}`).join(",");
}

const count = (value: unknown): number =>
  Array.isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : 0;

function number(object: StoredObject, ...path: string[]): number {
  const value = valueAt(object, path);
  return typeof value === "number" ? value : 0;
}

function claimState({ metadata, status }: StoredObject): string {
  const states = [
    metadata.deletionTimestamp !== undefined && "deleted",
    valueAt(status, ["allocation"]) !== undefined ? "allocated" : metadata.deletionTimestamp === undefined && "pending",
    count(valueAt(status, ["reservedFor"])) > 0 && "reserved",
  ];
  return states.filter((state) => state !== false).join(",");
}
