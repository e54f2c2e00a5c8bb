/** POST `/binding`, `/eviction` of pods and `/token` of service accounts. */
import type { Pod, PodCondition } from "../../api/kubernetes/core.ts";
import type { KubeObject, ObjectKey } from "../../api/kubernetes/meta.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import type { ApiError } from "../../kube/api-error.ts";
import { type Core, newUid, type Request } from "./core.ts";
import { deleteObject } from "./deletion.ts";
import { conflict, invalid, methodNotAllowed, notFound, required } from "./failure.ts";
import { type JsonObject, type StoredObject, valueAt } from "./json.ts";
import type { Kind } from "./kind.ts";
import { getObject } from "./reads.ts";
import { refuse, write } from "./writes.ts";

/** @returns what the server answers: a Status, or the filled-in TokenRequest */
export function createSubresource(
  core: Core,
  kind: Kind,
  key: ObjectKey,
  subresource: string,
  body: JsonObject,
  request: Request,
): KubeObject {
  if (!kind.subresources.includes(subresource)) throw methodNotAllowed();
  refuse(core, "create", kind, key.namespace, key.name, subresource, request);
  if (subresource === "binding") return bind(core, kind, key, body, request);
  if (subresource === "eviction") return evict(core, kind, key, body, request);
  if (subresource === "token") return issueToken(core, kind, key, body);
  throw methodNotAllowed();
}

const successStatus = (code = 201): KubeObject =>
  ({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code }) as unknown as KubeObject;

function bind(core: Core, kind: Kind, key: ObjectKey, body: JsonObject, request: Request): KubeObject {
  const nodeName = valueAt(body, ["target", "name"]);
  if (typeof nodeName !== "string" || nodeName === "") {
    throw invalid({ group: "", plural: "bindings", kind: "Binding" }, key.name, [required("target.name")]);
  }
  const pod = core.store.get(kind.collection, key) as (StoredObject & Pod) | undefined;
  if (pod === undefined) throw notFound(kind.resource, key.name);
  const refused = (why: string): ApiError => conflict({ ...kind.resource, plural: "pods/binding" }, key.name, why);
  const uid = valueAt(body, ["metadata", "uid"]);
  if (typeof uid === "string" && uid !== "" && uid !== pod.metadata.uid) {
    throw refused(`Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`);
  }
  if (pod.metadata.deletionTimestamp !== undefined)
    throw refused(`pod ${key.name} is being deleted, cannot be assigned to a host`);
  if (pod.spec.nodeName)
    throw refused(`pod ${key.name} is already assigned to node ${JSON.stringify(pod.spec.nodeName)}`);
  if ((pod.spec.schedulingGates?.length ?? 0) > 0) throw refused(`pod ${key.name} has non-empty .spec.schedulingGates`);
  const scheduled: PodCondition = {
    type: "PodScheduled",
    status: "True",
    lastTransitionTime: formatTime(core.clock.nowMs()),
  };
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
  const annotations = valueAt(body, ["metadata", "annotations"]) as Readonly<Record<string, string>> | undefined;
  const bound: StoredObject = {
    ...pod,
    ...(annotations && { metadata: { ...pod.metadata, annotations: { ...pod.metadata.annotations, ...annotations } } }),
    spec: { ...pod.spec, nodeName },
    status: { ...pod.status, conditions: [...others, scheduled] },
  };
  write(core, kind, pod, bound, request, "binding");
  return successStatus();
}

function evict(core: Core, kind: Kind, key: ObjectKey, body: JsonObject, request: Request): KubeObject {
  deleteObject(core, kind, key, (body["deleteOptions"] ?? {}) as object, request);
  return successStatus();
}

const DEFAULT_TOKEN_SECONDS = 3600;

function issueToken(core: Core, kind: Kind, key: ObjectKey, body: JsonObject): KubeObject {
  const account = getObject(core, kind, key);
  const spec = (body["spec"] ?? {}) as JsonObject;
  const seconds = typeof spec["expirationSeconds"] === "number" ? spec["expirationSeconds"] : DEFAULT_TOKEN_SECONDS;
  const expiresMs = core.clock.nowMs() + seconds * 1000;
  return {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    metadata: { name: key.name, ...(key.namespace !== undefined && { namespace: key.namespace }) },
    spec: { audiences: ["https://kubernetes.default.svc"], ...spec, expirationSeconds: seconds },
    status: { token: serviceAccountToken(core, account, expiresMs), expirationTimestamp: formatTime(expiresMs) },
  } as KubeObject;
}

/** In the form of a JWT, without a signature that anyone could check. */
export function serviceAccountToken(core: Core, { metadata }: KubeObject, expiresMs?: number): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = {
    iss: "https://kubernetes.default.svc",
    sub: `system:serviceaccount:${metadata.namespace}:${metadata.name}`,
    jti: newUid(core.random),
    ...(expiresMs !== undefined && { exp: Math.floor(expiresMs / 1000) }),
  };
  return `${part({ alg: "none", typ: "JWT" })}.${part(claims)}.embedded`;
}
