/** The Kubernetes kinds the product reads or writes, with the fields it uses; other fields are kept as they are. */
import type { Condition, KubeObject, Resource } from "./meta.ts";

/** A Kubernetes quantity: a number, or text such as "500m", "8", "80Gi". */
export type Quantity = string | number;

export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: Readonly<Record<string, unknown>>;
}

export interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol?: string;
}

export interface Container {
  readonly name: string;
  readonly image?: string;
  readonly command?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: readonly EnvVar[];
  readonly ports?: readonly ContainerPort[];
  readonly resources?: {
    readonly requests?: Readonly<Record<string, Quantity>>;
    readonly limits?: Readonly<Record<string, Quantity>>;
    readonly claims?: readonly { readonly name: string; readonly request?: string }[];
  };
  readonly volumeMounts?: readonly Readonly<Record<string, unknown>>[];
  /** `Always`, of an init container alone: a sidecar. */
  readonly restartPolicy?: string;
  readonly [field: string]: unknown;
}

export interface PodSpec {
  readonly containers: readonly Container[];
  readonly initContainers?: readonly Container[];
  readonly nodeName?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly schedulerName?: string;
  readonly schedulingGates?: readonly { readonly name: string }[];
  readonly hostname?: string;
  readonly subdomain?: string;
  readonly serviceAccountName?: string;
  readonly restartPolicy?: string;
  readonly terminationGracePeriodSeconds?: number;
  readonly priorityClassName?: string;
  readonly tolerations?: readonly Readonly<Record<string, unknown>>[];
  readonly volumes?: readonly Readonly<Record<string, unknown>>[];
  readonly resourceClaims?: readonly Readonly<Record<string, unknown>>[];
  readonly [field: string]: unknown;
}

export interface PodCondition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason?: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

export interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly started?: boolean;
  readonly restartCount: number;
  readonly image?: string;
  readonly imageID?: string;
  readonly state?: Readonly<Record<string, unknown>>;
  readonly lastState?: { readonly terminated?: { readonly exitCode: number; readonly [field: string]: unknown } };
}

export interface Pod extends KubeObject {
  readonly spec: PodSpec;
  readonly status?: {
    readonly phase?: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
    readonly conditions?: readonly PodCondition[];
    readonly podIP?: string;
    readonly hostIP?: string;
    readonly startTime?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

export interface Node extends KubeObject {
  readonly spec?: {
    readonly unschedulable?: boolean;
    readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[];
  };
  readonly status?: {
    readonly capacity?: Readonly<Record<string, Quantity>>;
    readonly allocatable?: Readonly<Record<string, Quantity>>;
    readonly conditions?: readonly PodCondition[];
    readonly nodeInfo?: Readonly<Record<string, string>>;
    readonly addresses?: readonly { readonly type: string; readonly address: string }[];
  };
}

export interface Service extends KubeObject {
  readonly spec: {
    readonly clusterIP?: string;
    readonly selector?: Readonly<Record<string, string>>;
    readonly publishNotReadyAddresses?: boolean;
    readonly ports?: readonly Readonly<Record<string, unknown>>[];
    readonly [field: string]: unknown;
  };
}

export interface ServiceAccount extends KubeObject {
  readonly automountServiceAccountToken?: boolean;
}

export interface Secret extends KubeObject {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
}

export interface Role extends KubeObject {
  readonly rules: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
    readonly resourceNames?: readonly string[];
  }[];
}

export interface RoleBinding extends KubeObject {
  readonly roleRef: { readonly apiGroup: string; readonly kind: string; readonly name: string };
  readonly subjects?: readonly { readonly kind: string; readonly name: string; readonly namespace?: string }[];
}

export interface HorizontalPodAutoscaler extends KubeObject {
  readonly spec: {
    readonly scaleTargetRef: { readonly apiVersion?: string; readonly kind: string; readonly name: string };
    readonly minReplicas?: number;
    readonly maxReplicas: number;
    readonly metrics?: readonly Readonly<Record<string, unknown>>[];
    readonly behavior?: Readonly<Record<string, unknown>>;
  };
}

export interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string;
    readonly leaseDurationSeconds?: number;
    readonly acquireTime?: string;
    readonly renewTime?: string;
    readonly leaseTransitions?: number;
  };
}

/** events.k8s.io/v1 is not used: core/v1 Events are what `kubectl describe` and upstream's tests read. */
export interface Event extends KubeObject {
  readonly involvedObject: {
    readonly apiVersion?: string;
    readonly kind: string;
    readonly namespace?: string;
    readonly name: string;
    readonly uid?: string;
  };
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  readonly count?: number;
  readonly firstTimestamp?: string;
  readonly lastTimestamp?: string;
  readonly source?: { readonly component?: string };
  readonly reportingComponent?: string;
  readonly reportingInstance?: string;
}

export interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export interface Namespace extends KubeObject {
  readonly spec?: { readonly finalizers?: readonly string[] };
  readonly status?: { readonly phase?: string };
}

export interface CustomResourceDefinition extends KubeObject {
  readonly spec: {
    readonly group: string;
    readonly scope: "Namespaced" | "Cluster";
    readonly names: {
      readonly kind: string;
      readonly listKind?: string;
      readonly plural: string;
      readonly singular?: string;
      readonly shortNames?: readonly string[];
      readonly categories?: readonly string[];
    };
    readonly versions: readonly {
      readonly name: string;
      readonly served: boolean;
      readonly storage: boolean;
      readonly schema?: { readonly openAPIV3Schema: Readonly<Record<string, unknown>> };
      readonly subresources?: {
        readonly status?: Readonly<Record<string, never>>;
        readonly scale?: {
          readonly specReplicasPath: string;
          readonly statusReplicasPath: string;
          readonly labelSelectorPath?: string;
        };
      };
      readonly additionalPrinterColumns?: readonly {
        readonly name: string;
        readonly type: string;
        readonly jsonPath: string;
        readonly priority?: number;
        readonly description?: string;
        readonly format?: string;
      }[];
    }[];
  };
  readonly status?: { readonly conditions?: readonly Condition[] };
}

const core = <T extends KubeObject>(kind: string, plural: string, namespaced = true): Resource<T> => ({
  group: "",
  version: "v1",
  kind,
  plural,
  namespaced,
});

export const PODS = core<Pod>("Pod", "pods");
export const NODES = core<Node>("Node", "nodes", false);
export const NAMESPACES = core<Namespace>("Namespace", "namespaces", false);
export const SERVICES = core<Service>("Service", "services");
export const SERVICE_ACCOUNTS = core<ServiceAccount>("ServiceAccount", "serviceaccounts");
export const SECRETS = core<Secret>("Secret", "secrets");
export const CONFIG_MAPS = core<ConfigMap>("ConfigMap", "configmaps");
export const EVENTS = core<Event>("Event", "events");

export const ROLES: Resource<Role> = {
  group: "rbac.authorization.k8s.io",
  version: "v1",
  kind: "Role",
  plural: "roles",
  namespaced: true,
};
export const ROLE_BINDINGS: Resource<RoleBinding> = {
  group: ROLES.group,
  version: "v1",
  kind: "RoleBinding",
  plural: "rolebindings",
  namespaced: true,
};
export const HORIZONTAL_POD_AUTOSCALERS: Resource<HorizontalPodAutoscaler> = {
  group: "autoscaling",
  version: "v2",
  kind: "HorizontalPodAutoscaler",
  plural: "horizontalpodautoscalers",
  namespaced: true,
};
export const LEASES: Resource<Lease> = {
  group: "coordination.k8s.io",
  version: "v1",
  kind: "Lease",
  plural: "leases",
  namespaced: true,
};
export const CUSTOM_RESOURCE_DEFINITIONS: Resource<CustomResourceDefinition> = {
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  namespaced: false,
};

export function podCondition(pod: Pod, type: string): PodCondition | undefined {
  return pod.status?.conditions?.find((condition) => condition.type === type);
}

export const isPodReady = (pod: Pod): boolean => podCondition(pod, "Ready")?.status === "True";
export const isPodScheduled = (pod: Pod): boolean => podCondition(pod, "PodScheduled")?.status === "True";
export const isTerminating = (object: KubeObject): boolean => object.metadata.deletionTimestamp !== undefined;
