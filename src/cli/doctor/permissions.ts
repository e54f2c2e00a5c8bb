/** Whether what `run` does is allowed: the rights of the shipped roles, asked one by one. `test/deploy/needed-rights.test.ts` holds the two together. */
import { AUTOSCALING_GROUP } from "../../api/autoscaling/shared.ts";
import { POD_CLIQUES } from "../../api/grove/pod-clique.ts";
import { apiVersionOf, type KubeObject, type Resource } from "../../api/kubernetes/meta.ts";
import { KAI_QUEUES } from "../../api/scheduler/kai-queue.ts";
import { POD_GANGS } from "../../api/scheduler/pod-gang.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { type Check, failed, ok, warning } from "./check.ts";

/** Of all resources all verbs. */
export interface Rights {
  readonly group: string;
  /** `podcliques`, `podcliques/scale`. */
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

const rights = (group: string, resources: string, verbs: string): Rights => ({
  group,
  resources: resources.split(" "),
  verbs: verbs.split(" "),
});
const GROVE = POD_CLIQUES.group;
const RBAC = "rbac.authorization.k8s.io";
const EVENTS = rights("", "events", "create patch");
const ALL = "list watch create patch delete deletecollection";

export const AUTOSCALER_RIGHTS: readonly Rights[] = [
  rights(AUTOSCALING_GROUP, "scalingpolicies scalingoverrides gpubudgets", "list watch"),
  rights(AUTOSCALING_GROUP, "scalingpolicies/status scalingoverrides/status gpubudgets/status", "patch"),
  rights(GROVE, "podcliquesets podcliquescalinggroups podcliques", "list watch"),
  rights(GROVE, "podcliquesets/scale podcliquescalinggroups/scale podcliques/scale", "get patch"),
  rights("autoscaling", "horizontalpodautoscalers", "list watch"),
  rights("keda.sh", "scaledobjects", "list watch"),
  rights(KAI_QUEUES.group, KAI_QUEUES.plural, "list watch"),
  rights("resource.k8s.io", "resourceclaimtemplates", "list watch"),
  rights("", "pods configmaps", "list watch"),
  EVENTS,
];

/** Of the operator that is built in; another one has a role of its own. */
export const OPERATOR_RIGHTS: readonly Rights[] = [
  rights(GROVE, "podcliquesets", "list watch patch"),
  rights(GROVE, "podcliquescalinggroups podcliques", ALL),
  rights(GROVE, "podcliquesets/status podcliquescalinggroups/status podcliques/status", "patch"),
  rights(GROVE, "podcliquesets/finalizers podcliquescalinggroups/finalizers podcliques/finalizers", "update"),
  rights(POD_GANGS.group, POD_GANGS.plural, ALL),
  rights(POD_GANGS.group, `${POD_GANGS.plural}/status`, "patch"),
  rights("", "pods services", ALL),
  rights("", "pods pods/status", "get list watch"),
  rights("", "serviceaccounts secrets", "list watch create"),
  rights(RBAC, "roles rolebindings", "list watch create"),
  rights("autoscaling", "horizontalpodautoscalers", "list watch create patch delete"),
  rights("resource.k8s.io", "resourceclaims", "list watch create patch delete"),
  rights("resource.k8s.io", "resourceclaimtemplates", "list watch"),
  EVENTS,
];

interface AccessReview extends KubeObject {
  readonly spec: { readonly resourceAttributes: Readonly<Record<string, string>> };
  readonly status?: { readonly allowed: boolean };
}

const SELF_SUBJECT_ACCESS_REVIEWS: Resource<AccessReview> = {
  group: "authorization.k8s.io",
  version: "v1",
  kind: "SelfSubjectAccessReview",
  plural: "selfsubjectaccessreviews",
  namespaced: false,
};

/** Questions that are under way at one time; there are about a hundred. */
const AT_ONCE = 10;

export interface PermissionQuestion {
  readonly api: KubeApi;
  readonly check: string;
  readonly needed: readonly Rights[];
  /** Whose rights are asked; absent when nobody knows. */
  readonly user: string | undefined;
  /** Absent: in all namespaces. */
  readonly namespace: string | undefined;
  readonly manifest: string;
}

export async function checkPermissions(question: PermissionQuestion): Promise<readonly Check[]> {
  const { api, check, needed, user = "the user of this kubeconfig", namespace, manifest } = question;
  const asks = needed.flatMap(({ group, resources, verbs }) =>
    resources.flatMap((resource) => verbs.map((verb) => ({ group, resource, verb }))),
  );
  const denied: (typeof asks)[number][] = [];
  for (let at = 0; at < asks.length; at += AT_ONCE) {
    const some = asks.slice(at, at + AT_ONCE);
    const answers = await Promise.all(some.map((ask) => isAllowed(api, ask, namespace)));
    denied.push(...some.filter((_, index) => !answers[index]));
  }
  const where = namespace === undefined ? "in all namespaces" : `in namespace ${namespace}`;
  if (denied.length === 0) return [ok(check, `${user} may do all of it ${where} (${asks.length} rights)`)];
  const message = `${user} may not ${describe(denied)} ${where}`;
  // A person need not be allowed what the service is.
  return [
    isServiceAccount(user)
      ? failed(check, message, `kubectl apply --server-side -f ${manifest}`)
      : warning(
          check,
          `${message}; the service may have an account that may`,
          `run doctor in its pod, or look at ${manifest}`,
        ),
  ];
}

const isServiceAccount = (user: string): boolean => user.startsWith("system:serviceaccount:");

async function isAllowed(
  api: KubeApi,
  { group, resource, verb }: { readonly group: string; readonly resource: string; readonly verb: string },
  namespace: string | undefined,
): Promise<boolean> {
  const [plural = "", subresource] = resource.split("/");
  const review = await api.create(SELF_SUBJECT_ACCESS_REVIEWS, {
    apiVersion: apiVersionOf(SELF_SUBJECT_ACCESS_REVIEWS),
    kind: SELF_SUBJECT_ACCESS_REVIEWS.kind,
    metadata: { name: "" },
    spec: {
      resourceAttributes: {
        group,
        verb,
        resource: plural,
        ...(subresource === undefined ? {} : { subresource }),
        ...(namespace === undefined ? {} : { namespace }),
      },
    },
  });
  return review.status?.allowed === true;
}

/** "patch podcliques/scale.grove.io; list, watch pods". */
function describe(
  denied: readonly { readonly group: string; readonly resource: string; readonly verb: string }[],
): string {
  const byResource = Map.groupBy(denied, ({ group, resource }) => (group === "" ? resource : `${resource}.${group}`));
  return [...byResource].map(([resource, asks]) => `${asks.map(({ verb }) => verb).join(", ")} ${resource}`).join("; ");
}
