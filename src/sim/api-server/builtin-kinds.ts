/** The built-in kinds of the embedded server. Their schemas are Kubernetes' own, cut to what is served here. */

import { equalJson } from "../../api/json.ts";
import type { CustomResourceDefinition } from "../../api/kubernetes/core.ts";
import { apiVersionOf } from "../../api/kubernetes/meta.ts";
import { BUILTIN_COLUMNS } from "./builtin-columns.ts";
import { builtinSchema } from "./builtin-schema.ts";
import { validateCustomResourceDefinition, withNameDefaults } from "./custom-kinds.ts";
import { forbiddenField, required } from "./failure.ts";
import { isObject, type JsonObject, type StoredObject, valueAt } from "./json.ts";
import type { Kind, KindRules } from "./kind.ts";
import { POD_RULES } from "./pods.ts";
import { CLAIM_RULES, CLAIM_TEMPLATE_RULES } from "./resource-claims.ts";

interface Row {
  readonly group: string;
  readonly version?: string;
  readonly kind: string;
  readonly plural?: string;
  readonly namespaced?: boolean;
  readonly short?: readonly string[];
  readonly categories?: readonly string[];
  readonly subresources?: readonly string[];
  readonly generation?: boolean;
  readonly returnsDeleted?: boolean;
  readonly strictVersion?: boolean;
  readonly select?: readonly string[];
  readonly rules?: KindRules;
  readonly type: string;
}

const RBAC = "rbac.authorization.k8s.io";

const ROWS: readonly Row[] = [
  {
    group: "",
    kind: "Pod",
    type: "core.v1.Pod",
    short: ["po"],
    categories: ["all"],
    subresources: ["status", "binding", "eviction", "log", "ephemeralcontainers"],
    generation: true,
    returnsDeleted: true,
    select: [
      "spec.nodeName",
      "spec.restartPolicy",
      "spec.schedulerName",
      "spec.serviceAccountName",
      "spec.hostNetwork",
      "status.phase",
      "status.podIP",
      "status.nominatedNodeName",
    ],
    rules: POD_RULES,
  },
  {
    group: "",
    kind: "Node",
    type: "core.v1.Node",
    namespaced: false,
    short: ["no"],
    subresources: ["status"],
    select: ["spec.unschedulable"],
  },
  {
    group: "",
    kind: "Namespace",
    type: "core.v1.Namespace",
    namespaced: false,
    short: ["ns"],
    subresources: ["status", "finalize"],
    returnsDeleted: true,
    select: ["status.phase"],
    rules: {
      names: "label",
      prepareCreate: (object) => ({
        ...object,
        metadata: {
          ...object.metadata,
          labels: { ...object.metadata.labels, "kubernetes.io/metadata.name": object.metadata.name },
        },
        spec: { finalizers: ["kubernetes"] },
        status: { phase: "Active" },
      }),
      prepareUpdate: (object, old, subresource) =>
        subresource === "finalize" ? object : { ...object, spec: old["spec"] },
    },
  },
  {
    group: "",
    kind: "Service",
    type: "core.v1.Service",
    short: ["svc"],
    categories: ["all"],
    subresources: ["status"],
    returnsDeleted: true,
    select: ["spec.clusterIP", "spec.type"],
    rules: { names: "service", prepareCreate: serviceDefaults, validate: serviceErrors },
  },
  {
    group: "",
    kind: "ServiceAccount",
    type: "core.v1.ServiceAccount",
    short: ["sa"],
    subresources: ["token"],
    returnsDeleted: true,
  },
  {
    group: "",
    kind: "Secret",
    type: "core.v1.Secret",
    select: ["type"],
    rules: { prepareCreate: secretData, prepareUpdate: secretData, validate: immutableData },
  },
  { group: "", kind: "ConfigMap", type: "core.v1.ConfigMap", short: ["cm"], rules: { validate: immutableData } },
  {
    group: "",
    kind: "Event",
    type: "core.v1.Event",
    short: ["ev"],
    select: [
      "involvedObject.kind",
      "involvedObject.namespace",
      "involvedObject.name",
      "involvedObject.uid",
      "involvedObject.apiVersion",
      "involvedObject.resourceVersion",
      "involvedObject.fieldPath",
      "reason",
      "reportingComponent",
      "source",
      "type",
    ],
  },
  { group: RBAC, kind: "Role", type: "rbac.v1.Role", rules: { names: "path" } },
  { group: RBAC, kind: "RoleBinding", type: "rbac.v1.RoleBinding", rules: { names: "path", validate: roleRefErrors } },
  { group: RBAC, kind: "ClusterRole", type: "rbac.v1.ClusterRole", namespaced: false, rules: { names: "path" } },
  {
    group: RBAC,
    kind: "ClusterRoleBinding",
    type: "rbac.v1.ClusterRoleBinding",
    namespaced: false,
    rules: { names: "path", validate: roleRefErrors },
  },
  {
    group: "autoscaling",
    version: "v2",
    kind: "HorizontalPodAutoscaler",
    type: "autoscaling.v2.HorizontalPodAutoscaler",
    short: ["hpa"],
    categories: ["all"],
    subresources: ["status"],
    rules: {
      prepareCreate: (object) => withSpec(object, (spec) => ({ minReplicas: 1, ...spec })),
      validate: hpaErrors,
    },
  },
  { group: "coordination.k8s.io", kind: "Lease", type: "coordination.v1.Lease", strictVersion: true },
  {
    group: "apps",
    kind: "Deployment",
    type: "apps.v1.Deployment",
    short: ["deploy"],
    categories: ["all"],
    subresources: ["status", "scale"],
    generation: true,
    rules: { prepareCreate: workloadDefaults, prepareUpdate: workloadDefaults, validate: workloadErrors },
  },
  {
    group: "apps",
    kind: "ReplicaSet",
    type: "apps.v1.ReplicaSet",
    short: ["rs"],
    categories: ["all"],
    subresources: ["status", "scale"],
    generation: true,
    rules: { prepareCreate: workloadDefaults, prepareUpdate: workloadDefaults, validate: workloadErrors },
  },
  {
    group: "scheduling.k8s.io",
    kind: "PriorityClass",
    plural: "priorityclasses",
    type: "scheduling.v1.PriorityClass",
    namespaced: false,
    short: ["pc"],
    generation: true,
    rules: {
      prepareCreate: (object) => ({
        ...object,
        preemptionPolicy: object["preemptionPolicy"] ?? "PreemptLowerPriority",
      }),
      validate: (object, old) =>
        old !== undefined && object["value"] !== old["value"]
          ? [forbiddenField("value", "may not be changed in an update.")]
          : [],
    },
  },
  {
    group: "resource.k8s.io",
    kind: "ResourceClaim",
    type: "resource.v1.ResourceClaim",
    subresources: ["status"],
    strictVersion: true,
    rules: CLAIM_RULES,
  },
  {
    group: "resource.k8s.io",
    kind: "ResourceClaimTemplate",
    type: "resource.v1.ResourceClaimTemplate",
    strictVersion: true,
    rules: CLAIM_TEMPLATE_RULES,
  },
  {
    group: "apiextensions.k8s.io",
    kind: "CustomResourceDefinition",
    type: "!io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
    namespaced: false,
    short: ["crd", "crds"],
    categories: ["api-extensions"],
    subresources: ["status"],
    generation: true,
    strictVersion: true,
    rules: {
      prepareCreate: (object) =>
        withNameDefaults(object as unknown as CustomResourceDefinition) as unknown as StoredObject,
      prepareUpdate: (object) =>
        withNameDefaults(object as unknown as CustomResourceDefinition) as unknown as StoredObject,
      validate: (object, old) =>
        validateCustomResourceDefinition(
          object as unknown as CustomResourceDefinition,
          old as unknown as CustomResourceDefinition | undefined,
        ),
    },
  },
];

export function builtinKinds(): Kind[] {
  return ROWS.map((row): Kind => {
    const { group, version = "v1", kind, namespaced = true, rules = {} } = row;
    const plural = row.plural ?? `${kind.toLowerCase()}s`;
    const resource = { group, version, kind, plural, namespaced };
    const subresources = row.subresources ?? [];
    return {
      resource,
      collection: `${group}/${plural}`,
      apiVersion: apiVersionOf(resource),
      singular: kind.toLowerCase(),
      listKind: `${kind}List`,
      shortNames: row.short ?? [],
      categories: row.categories ?? [],
      isCustom: false,
      schema: builtinSchema(row.type.startsWith("!") ? row.type.slice(1) : `io.k8s.api.${row.type}`),
      subresources,
      scale: subresources.includes("scale")
        ? { replicas: ["spec", "replicas"], statusReplicas: ["status", "replicas"], selector: ["spec", "selector"] }
        : undefined,
      hasGeneration: row.generation === true,
      allowsUnconditionalUpdate: row.strictVersion !== true,
      returnsDeleted: row.returnsDeleted === true,
      selectableFields: row.select ?? [],
      columns: BUILTIN_COLUMNS[kind],
      rules,
    };
  });
}

function withSpec(object: StoredObject, change: (spec: JsonObject) => JsonObject): StoredObject {
  const spec = object["spec"];
  return isObject(spec) ? { ...object, spec: change(spec) } : object;
}

function serviceDefaults(object: StoredObject): StoredObject {
  return {
    ...withSpec(object, (spec) => ({
      type: "ClusterIP",
      sessionAffinity: "None",
      internalTrafficPolicy: "Cluster",
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      ...spec,
      ...(Array.isArray(spec["ports"]) && {
        ports: spec["ports"].filter(isObject).map((port) => ({ protocol: "TCP", targetPort: port["port"], ...port })),
      }),
    })),
    status: { loadBalancer: {} },
  };
}

function serviceErrors(object: StoredObject, old: StoredObject | undefined) {
  const headless = valueAt(object, ["spec", "clusterIP"]) === "None";
  const ports = valueAt(object, ["spec", "ports"]);
  const errors =
    !headless && valueAt(object, ["spec", "type"]) !== "ExternalName" && (!Array.isArray(ports) || ports.length === 0)
      ? [required("spec.ports")]
      : [];
  const before = valueAt(old, ["spec", "clusterIP"]);
  const after = valueAt(object, ["spec", "clusterIP"]);
  if (old !== undefined && before !== undefined && before !== after) {
    errors.push({
      reason: "FieldValueInvalid" as never,
      field: "spec.clusterIPs[0]",
      message: `Invalid value: ${JSON.stringify([after])}: may not change once set`,
    });
  }
  return errors;
}

/** `stringData` is written in plain text and stored in base64. */
function secretData(object: StoredObject): StoredObject {
  const { stringData, ...rest } = object;
  const typed = { ...rest, type: object["type"] ?? "Opaque" } as unknown as StoredObject;
  if (!isObject(stringData)) return typed;
  const data: Record<string, unknown> = { ...(isObject(object["data"]) ? object["data"] : {}) };
  for (const [key, value] of Object.entries(stringData)) data[key] = Buffer.from(String(value)).toString("base64");
  return { ...typed, data };
}

function immutableData(object: StoredObject, old: StoredObject | undefined) {
  if (old === undefined || old["immutable"] !== true) return [];
  return equalJson(object["data"], old["data"]) && object["immutable"] === true
    ? []
    : [forbiddenField("data", "field is immutable when `immutable` is set")];
}

function roleRefErrors(object: StoredObject, old: StoredObject | undefined) {
  if (old === undefined || equalJson(object["roleRef"], old["roleRef"])) return [];
  return [
    {
      reason: "FieldValueInvalid" as const,
      field: "roleRef",
      message: `Invalid value: ${JSON.stringify(object["roleRef"])}: cannot change roleRef`,
    },
  ];
}

function hpaErrors(object: StoredObject) {
  const max = valueAt(object, ["spec", "maxReplicas"]);
  const min = valueAt(object, ["spec", "minReplicas"]);
  const errors = [];
  if (typeof max !== "number" || max < 1)
    errors.push({
      reason: "FieldValueInvalid" as const,
      field: "spec.maxReplicas",
      message: `Invalid value: ${max ?? 0}: must be greater than 0`,
    });
  else if (typeof min === "number" && max < min) {
    errors.push({
      reason: "FieldValueInvalid" as const,
      field: "spec.maxReplicas",
      message: `Invalid value: ${max}: must be greater than or equal to \`minReplicas\``,
    });
  }
  return errors;
}

function workloadDefaults(object: StoredObject): StoredObject {
  return withSpec(object, (spec) => ({ ...spec, replicas: spec["replicas"] ?? 1 }));
}

function workloadErrors(object: StoredObject, old: StoredObject | undefined) {
  const errors = [];
  const selector = valueAt(object, ["spec", "selector"]);
  if (!isObject(selector)) errors.push(required("spec.selector"));
  else if (old !== undefined && !equalJson(selector, valueAt(old, ["spec", "selector"]))) {
    errors.push({
      reason: "FieldValueInvalid" as const,
      field: "spec.selector",
      message: `Invalid value: ${JSON.stringify(selector)}: field is immutable`,
    });
  } else if (old === undefined) {
    const labels = valueAt(object, ["spec", "template", "metadata", "labels"]);
    const wanted = selector["matchLabels"];
    if (
      isObject(wanted) &&
      !Object.entries(wanted).every(([key, value]) => isObject(labels) && labels[key] === value)
    ) {
      errors.push({
        reason: "FieldValueInvalid" as const,
        field: "spec.template.metadata.labels",
        message: `Invalid value: ${JSON.stringify(labels ?? null)}: \`selector\` does not match template \`labels\``,
      });
    }
  }
  return errors;
}
