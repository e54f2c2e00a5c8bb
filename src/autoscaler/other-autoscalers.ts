/**
 * HorizontalPodAutoscalers and KEDA ScaledObjects that scale an object which a policy scales too. Two that write one number undo each other's work for ever,
 * so the policy leaves the target to them until they are gone. Pure.
 */
import type { ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import type { KedaScaledObject } from "../api/keda/scaled-object.ts";
import type { HorizontalPodAutoscaler } from "../api/kubernetes/core.ts";
import type { SeenObject } from "./foreign-writers.ts";
import { type AutoscalerInformers, BY_SCALED } from "./informers.ts";

export interface OtherAutoscaler {
  /** Name of the target in the policy. */
  readonly target: string;
  /** "HorizontalPodAutoscaler chat-decode". */
  readonly name: string;
  /** What it does, and how to remove it. */
  readonly message: string;
}

type Caches = Pick<AutoscalerInformers, "horizontalPodAutoscalers" | "scaledObjects">;

/** @returns one a target, the first that is found */
export function otherAutoscalersOf(
  { metadata: { namespace = "default" }, spec: { scaleTargets } }: ScalingPolicy,
  objects: readonly SeenObject[],
  { horizontalPodAutoscalers, scaledObjects }: Caches,
): readonly OtherAutoscaler[] {
  const found = new Map<string, OtherAutoscaler>();
  for (const { target, objectName } of objects) {
    if (found.has(target)) continue;
    const { level = "PodClique" } = scaleTargets.find(({ name }) => name === target) ?? {};
    const key = `${namespace}/${level}/${objectName}`;
    // The ScaledObject first: the HPA that KEDA makes for it would come back.
    const [other] = [
      ...scaledObjects.byIndex(BY_SCALED, key).map(describeScaledObject),
      ...horizontalPodAutoscalers.byIndex(BY_SCALED, key).map(describeAutoscaler),
    ];
    if (other === undefined) continue;
    const { name, wayOut } = other;
    found.set(target, { target, name, message: `${name} scales ${level} ${objectName} too: ${wayOut}` });
  }
  return [...found.values()];
}

interface Described {
  readonly name: string;
  readonly wayOut: string;
}

function describeScaledObject({ metadata: { name, namespace } }: KedaScaledObject): Described {
  return { name: `ScaledObject ${name}`, wayOut: `kubectl delete scaledobject ${name} -n ${namespace}` };
}

function describeAutoscaler({ metadata }: HorizontalPodAutoscaler): Described {
  const { name, namespace, ownerReferences = [] } = metadata;
  const own = { name: `HorizontalPodAutoscaler ${name}`, wayOut: `kubectl delete hpa ${name} -n ${namespace}` };
  const owner = ownerReferences.find(({ controller }) => controller === true);
  switch (owner?.kind) {
    case "ScaledObject":
      return { ...own, wayOut: `kubectl delete scaledobject ${owner.name} -n ${namespace}` };
    case "PodClique":
      return { ...own, wayOut: "remove autoScalingConfig from the clique in the PodCliqueSet" };
    case "PodCliqueScalingGroup":
      return { ...own, wayOut: "remove scaleConfig from the scaling group in the PodCliqueSet" };
    default:
      return own;
  }
}
