/** `/scale`: the autoscaling/v1 view of an object's replicas. */
import type { ObjectKey } from "../../api/kubernetes/meta.ts";
import type { Scale } from "../../kube/kube-api.ts";
import { asVersion, type Core, type Request } from "./core.ts";
import { badRequest, conflict, invalid, invalidValue, methodNotAllowed, notFound } from "./failure.ts";
import { isObject, type StoredObject, valueAt, withValueAt } from "./json.ts";
import type { Kind, ScalePaths } from "./kind.ts";
import { jsonPatch, mergePatch } from "./patches.ts";
import { getObject } from "./reads.ts";
import { type Patch, refuse, write } from "./writes.ts";

export function getScale(core: Core, kind: Kind, key: ObjectKey): Scale {
  return scaleOf(pathsOf(kind), getObject(core, kind, key));
}

/** PUT. */
export function updateScale(core: Core, kind: Kind, key: ObjectKey, scale: Scale, request: Request): Scale {
  const paths = pathsOf(kind);
  const stored = core.store.get(kind.collection, key);
  if (stored === undefined) throw notFound(kind.resource, key.name);
  refuse(core, "update", kind, key.namespace, key.name, "scale", request);
  return setReplicas(core, kind, paths, asVersion(kind, stored), scale, request);
}

export function patchScale(core: Core, kind: Kind, key: ObjectKey, patch: Patch, request: Request): Scale {
  const paths = pathsOf(kind);
  const stored = core.store.get(kind.collection, key);
  if (stored === undefined) throw notFound(kind.resource, key.name);
  refuse(core, "patch", kind, key.namespace, key.name, "scale", request);
  const current = asVersion(kind, stored);
  const before = scaleOf(paths, current);
  const after = patch.type === "json" ? jsonPatch(before, patch.body) : mergePatch(before, patch.body);
  if (!isObject(after)) throw badRequest("the patch does not leave a Scale");
  return setReplicas(core, kind, paths, current, after as unknown as Scale, request);
}

function setReplicas(
  core: Core,
  kind: Kind,
  paths: ScalePaths,
  current: StoredObject,
  scale: Scale,
  request: Request,
): Scale {
  const { name } = current.metadata;
  const replicas = scale.spec?.replicas ?? 0;
  const { resourceVersion, uid } = scale.metadata ?? {};
  if (uid !== undefined && uid !== current.metadata.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid}`;
    throw conflict(kind.resource, name, why);
  }
  if (!Number.isInteger(replicas)) throw badRequest("spec.replicas must be a whole number");
  if (replicas < 0 && !kind.isCustom) {
    throw invalid({ group: "autoscaling", plural: "scales", kind: "Scale" }, name, [
      invalidValue("spec.replicas", replicas, "must be greater than or equal to 0"),
    ]);
  }
  const next = withValueAt(current, paths.replicas, replicas) as StoredObject;
  const metadata = { ...current.metadata, ...(resourceVersion !== undefined && { resourceVersion }) };
  return scaleOf(paths, write(core, kind, current, { ...next, metadata }, request, "scale"));
}

function pathsOf({ scale }: Kind): ScalePaths {
  if (scale === undefined) throw methodNotAllowed();
  return scale;
}

function scaleOf(paths: ScalePaths, object: StoredObject): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const replicas = valueAt(object, paths.replicas);
  const observed = valueAt(object, paths.statusReplicas);
  const selector = paths.selector === undefined ? undefined : selectorText(valueAt(object, paths.selector));
  return {
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    metadata: {
      name,
      ...(namespace !== undefined && { namespace }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
    },
    spec: typeof replicas === "number" ? { replicas } : {},
    status: { replicas: typeof observed === "number" ? observed : 0, ...(selector && { selector }) },
  };
}

/** Custom resources keep the selector as text; built-in kinds as a LabelSelector. */
function selectorText(selector: unknown): string | undefined {
  if (typeof selector === "string") return selector;
  if (!isObject(selector)) return undefined;
  const labels = isObject(selector["matchLabels"]) ? Object.entries(selector["matchLabels"]) : [];
  const terms = labels.map(([key, value]) => `${key}=${value}`);
  const expressions = Array.isArray(selector["matchExpressions"]) ? selector["matchExpressions"].filter(isObject) : [];
  for (const { key, operator, values } of expressions) {
    const list = Array.isArray(values) ? values.join(",") : "";
    if (operator === "In") terms.push(`${key} in (${list})`);
    else if (operator === "NotIn") terms.push(`${key} notin (${list})`);
    else terms.push(operator === "Exists" ? String(key) : `!${key}`);
  }
  return terms.sort().join(",");
}
