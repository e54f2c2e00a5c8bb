/** The API server's own rules for pods: defaults, what may change after creation, and scheduling gates (KEP-3521). */

import { equalJson } from "../../api/json.ts";
import type { Container, Pod, PodCondition } from "../../api/kubernetes/core.ts";
import { formatTime } from "../../api/kubernetes/time.ts";
import { type FieldError, forbiddenField, invalidValue, required } from "./failure.ts";
import type { StoredObject } from "./json.ts";
import type { KindRules } from "./kind.ts";

export const POD_RULES: KindRules = {
  prepareCreate(object, nowMs) {
    const pod = object as StoredObject & Pod;
    const gated = (pod.spec?.schedulingGates?.length ?? 0) > 0;
    const spec = pod.spec === undefined ? undefined : withPodDefaults(pod.spec);
    return {
      ...object,
      ...(spec && { spec }),
      status: {
        phase: "Pending",
        ...(gated && { conditions: [gatedCondition(nowMs)] }),
        qosClass: qosClass(spec),
      },
    };
  },
  prepareUpdate(object, old, subresource) {
    if (subresource !== undefined) return object;
    const pod = object as StoredObject & Pod;
    const before = old as StoredObject & Pod;
    const spec = pod.spec === undefined || pod.spec === before.spec ? pod.spec : withPodDefaults(pod.spec);
    return { ...object, spec };
  },
  validate(object, old, subresource) {
    const pod = object as StoredObject & Pod;
    if (old === undefined) return validateNewPod(pod);
    return subresource === undefined ? validatePodUpdate(pod, old as StoredObject & Pod) : [];
  },
};

function withPodDefaults(spec: Pod["spec"]): Pod["spec"] {
  const account = spec.serviceAccountName ?? spec["serviceAccount"] ?? "default";
  return {
    ...spec,
    restartPolicy: spec.restartPolicy ?? "Always",
    terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds ?? 30,
    dnsPolicy: spec["dnsPolicy"] ?? "ClusterFirst",
    serviceAccountName: account as string,
    serviceAccount: account,
    securityContext: spec["securityContext"] ?? {},
    schedulerName: spec.schedulerName ?? "default-scheduler",
    enableServiceLinks: spec["enableServiceLinks"] ?? true,
    preemptionPolicy: spec["preemptionPolicy"] ?? "PreemptLowerPriority",
    priority: spec["priority"] ?? 0,
    ...(spec.containers && { containers: spec.containers.map(withContainerDefaults) }),
    ...(spec.initContainers && { initContainers: spec.initContainers.map(withContainerDefaults) }),
  };
}

function withContainerDefaults(container: Container): Container {
  if (container["terminationMessagePath"] !== undefined && container.resources !== undefined) return container;
  const image = container.image ?? "";
  const tag = /:([^/:@]+)$/.exec(image)?.[1];
  const pull = (tag === undefined && !image.includes("@")) || tag === "latest" ? "Always" : "IfNotPresent";
  return {
    ...container,
    resources: withRequests(container.resources ?? {}),
    terminationMessagePath: container["terminationMessagePath"] ?? "/dev/termination-log",
    terminationMessagePolicy: container["terminationMessagePolicy"] ?? "File",
    imagePullPolicy: container["imagePullPolicy"] ?? pull,
    ...(container.ports && { ports: container.ports.map((port) => ({ ...port, protocol: port.protocol ?? "TCP" })) }),
  };
}

/** A limit without a request is also the request. */
function withRequests(resources: NonNullable<Container["resources"]>): NonNullable<Container["resources"]> {
  return resources.limits === undefined
    ? resources
    : { ...resources, requests: { ...resources.limits, ...resources.requests } };
}

/** Guaranteed: every container limits cpu and memory at its requests. BestEffort: nothing is asked for at all. */
function qosClass(spec: Pod["spec"] | undefined): string {
  const containers = [...(spec?.containers ?? []), ...(spec?.initContainers ?? [])];
  const asked = (container: Container): [string, unknown, unknown][] =>
    ["cpu", "memory"].map((name) => [name, container.resources?.requests?.[name], container.resources?.limits?.[name]]);
  if (containers.flatMap(asked).every(([, request, limit]) => request === undefined && limit === undefined))
    return "BestEffort";
  const isFull = containers
    .flatMap(asked)
    .every(([, request, limit]) => limit !== undefined && equalJson(request, limit));
  return isFull ? "Guaranteed" : "Burstable";
}

const gatedCondition = (nowMs: number): PodCondition => ({
  type: "PodScheduled",
  status: "False",
  reason: "SchedulingGated",
  message: "Scheduling is blocked due to non-empty scheduling gates",
  lastTransitionTime: formatTime(nowMs),
});

function validateNewPod(pod: StoredObject & Pod): FieldError[] {
  const errors: FieldError[] = [];
  if ((pod.spec?.containers ?? []).length === 0) errors.push(required("spec.containers"));
  const names = new Set<string>();
  for (const field of ["initContainers", "containers"] as const) {
    for (const [index, container] of (pod.spec?.[field] ?? []).entries()) {
      const at = `spec.${field}[${index}]`;
      if (!container.name) errors.push(required(`${at}.name`));
      else if (names.has(container.name)) {
        errors.push({
          reason: "FieldValueDuplicate",
          field: `${at}.name`,
          message: `Duplicate value: ${JSON.stringify(container.name)}`,
        });
      }
      names.add(container.name);
      if (!container.image) errors.push(required(`${at}.image`));
    }
  }
  if (pod.spec?.nodeName && (pod.spec.schedulingGates?.length ?? 0) > 0) {
    errors.push(forbiddenField("spec.nodeName", "cannot be set until all schedulingGates have been cleared"));
  }
  if (pod.spec?.restartPolicy !== undefined && !["Always", "OnFailure", "Never"].includes(pod.spec.restartPolicy)) {
    errors.push({
      reason: "FieldValueNotSupported",
      field: "spec.restartPolicy",
      message: `Unsupported value: ${JSON.stringify(pod.spec.restartPolicy)}: supported values: "Always", "OnFailure", "Never"`,
    });
  }
  return errors;
}

function validatePodUpdate(pod: StoredObject & Pod, old: StoredObject & Pod): FieldError[] {
  if (pod.spec === old.spec) return [];
  const errors: FieldError[] = [];
  const before = new Set((old.spec.schedulingGates ?? []).map(({ name }) => name));
  for (const [index, { name }] of (pod.spec?.schedulingGates ?? []).entries()) {
    if (before.has(name)) continue;
    const why = `only deletion is allowed, but found new scheduling gate '${name}'`;
    errors.push(forbiddenField(`spec.schedulingGates[${index}].name`, why));
  }
  const gated = before.size > 0;
  const oldTolerations = old.spec.tolerations ?? [];
  const tolerations = pod.spec?.tolerations ?? [];
  if (
    !oldTolerations.every((item) =>
      tolerations.some((other) => equalJson({ ...item, tolerationSeconds: 0 }, { ...other, tolerationSeconds: 0 })),
    )
  ) {
    errors.push(
      forbiddenField("spec.tolerations", "existing toleration can not be modified except its tolerationSeconds"),
    );
  }
  if (!equalJson(fixedPart(pod.spec, gated), fixedPart(old.spec, gated))) {
    errors.push(
      forbiddenField(
        "spec",
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
      ),
    );
  }
  for (const field of ["containers", "initContainers"] as const) {
    for (const [index, container] of (pod.spec?.[field] ?? []).entries()) {
      if (container.image === "") errors.push(invalidValue(`spec.${field}[${index}].image`, "", "must not be empty"));
    }
  }
  return errors;
}

/** The part of a pod's spec that never changes. A gated pod may still narrow where it can go. */
function fixedPart(spec: Pod["spec"] | undefined, gated: boolean): unknown {
  const { schedulingGates: _, tolerations: __, activeDeadlineSeconds: ___, ...rest } = spec ?? { containers: [] };
  const unnamed = (list: readonly Container[] | undefined): readonly Container[] | undefined =>
    list?.map((container) => ({ ...container, image: "" }));
  const fixed: Record<string, unknown> = {
    ...rest,
    containers: unnamed(rest.containers),
    initContainers: unnamed(rest.initContainers),
  };
  if (gated) {
    delete fixed["nodeSelector"];
    delete fixed["affinity"];
  }
  return fixed;
}
