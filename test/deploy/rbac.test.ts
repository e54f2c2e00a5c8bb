/** The shipped roles grant what the service does, and no more. */
import { describe, expect, test } from "vitest";
import { admit } from "../../src/api/admission.ts";
import { GPU_BUDGETS } from "../../src/api/autoscaling/gpu-budget.ts";
import { SCALING_OVERRIDES } from "../../src/api/autoscaling/scaling-override.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { customResourceDefinitions } from "../../src/api/crds/all.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import { PODS, SERVICES } from "../../src/api/kubernetes/core.ts";
import { RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS } from "../../src/api/kubernetes/resource-claim.ts";
import { formatTime } from "../../src/api/kubernetes/time.ts";
import { startAutoscaler } from "../../src/autoscaler/controller.ts";
import { VirtualClock } from "../../src/clock.ts";
import { startGroveOperator } from "../../src/grove/operator.ts";
import { memoryCheckpoints } from "../../src/jobs/checkpoint-store.ts";
import { inProcessQueue } from "../../src/jobs/evaluation-queue.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import { startLeaderElection } from "../../src/kube/lease.ts";
import { seededRandom } from "../../src/random.ts";
import { createApiServer } from "../../src/sim/api-server/api-server.ts";
import { createDataPlane } from "../../src/sim/engines/data-plane.ts";
import { createNodes } from "../../src/sim/kubelet/create-nodes.ts";
import { startKubelet } from "../../src/sim/kubelet/kubelet.ts";
import { createPrometheus } from "../../src/sim/prometheus/prometheus.ts";
import { startScheduler } from "../../src/sim/scheduler/scheduler.ts";
import { dayInMiniature, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { createNamespace } from "../../src/sim/world.ts";
import { clique, workload } from "../grove/workloads.ts";
import { readExample } from "../sim/simulation.ts";
import { filesIn, readManifestFile } from "./manifests.ts";
import { rbacOf } from "./rbac.ts";

const ACCOUNT = "grove-autoscaler";
const SYSTEM_NAMESPACE = "grove-autoscaler";
const SET = { namespace: "serving", name: "llama-70b" };
const manifests = filesIn("deploy/manifests").flatMap(readManifestFile);

/** Granted, and not used by the scenario below, each for its reason. */
const KNOWN_UNUSED: Readonly<Record<string, string>> = {
  ...because(
    "asked for by the admission plugin OwnerReferencesPermissionEnforcement, which the embedded server has not",
    [
      "update podcliquesets/finalizers.grove.io",
      "update podcliquescalinggroups/finalizers.grove.io",
      "update podcliques/finalizers.grove.io",
    ],
  ),
  ...because("in the Role that each set's pods get; a role may only be granted by who holds its rights", [
    "get pods",
    "get pods/status",
    "list pods/status",
    "watch pods/status",
  ]),
  "grove-autoscaler: watch queues.scheduling.run.ai":
    "KAI Scheduler is not installed here, so nothing comes after the first list",
  "grove-autoscaler: watch scaledobjects.keda.sh": "KEDA is not installed here, so nothing comes after the first list",
};

function because(reason: string, permissions: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(permissions.map((one) => [`grove-autoscaler-operator: ${one}`, reason]));
}

test("the service can do all it does, and every permission is used", async () => {
  const rbac = rbacOf(manifests, ACCOUNT);
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const abort = new AbortController();
  const { signal } = abort;
  const username = `system:serviceaccount:${SYSTEM_NAMESPACE}:${ACCOUNT}`;
  const seen: string[] = [];
  const apiServer = createApiServer({
    clock,
    random,
    admit: ({ operation, subresource, object, oldObject }) =>
      subresource === undefined ? admit({ operation, object, ...(oldObject === undefined ? {} : { oldObject }) }) : {},
    // The server itself must never meet a call of the account that the guard has not let through.
    authorize(user, verb, resource) {
      if (user.username === username) seen.push(`${verb} ${resource.plural}`);
      return true;
    },
  });
  await apiServer.installCustomResources(customResourceDefinitions());
  const admin = apiServer.api;
  await createNamespace(admin, SET.namespace);
  await createNamespace(admin, SYSTEM_NAMESPACE);
  const dataPlane = createDataPlane({ clock });
  const asAdmin = { api: admin, clock, random, signal };
  startKubelet({ ...asAdmin, dataPlane, startupScale: 0.1 });
  startScheduler(asAdmin);
  await createNodes(admin, { clock, count: 8, gpusPerNode: 8 });
  const prometheus = createPrometheus({ clock, targets: () => dataPlane.targets() });
  void prometheus.run(signal);

  // The service, as the account of the manifests.
  const api = versionsMove(rbac.guard(apiServer.apiAs({ username })), admin);
  const leadership = startLeaderElection({
    ...asAdmin,
    api,
    namespace: SYSTEM_NAMESPACE,
    name: "grove-autoscaler",
    identity: "one",
  });
  await clock.advance(1_000);
  await leadership.acquired;
  const operator = startGroveOperator({ ...asAdmin, api });
  const autoscaler = startAutoscaler({
    ...asAdmin,
    api,
    metricsSource: prometheus.source,
    evaluations: inProcessQueue(),
    checkpoints: memoryCheckpoints(),
    isLeader: leadership.isLeader,
  });
  await clock.advance(1_000);
  await Promise.all([operator.ready, autoscaler.ready]);

  // A day with load on all levels, under a shared budget.
  const llama = readExample<PodCliqueSet>("multinode-prefill-decode/workload.yaml", "PodCliqueSet");
  const policy = readExample<ScalingPolicy>("multinode-prefill-decode/policy.yaml", "ScalingPolicy");
  await admin.create(GPU_BUDGETS, {
    apiVersion: "autoscaling.grove.io/v1alpha1",
    kind: "GPUBudget",
    metadata: { name: "cluster" },
    spec: { capacity: 48 },
  } as never);
  await admin.create(POD_CLIQUE_SETS, llama);
  await admin.create(SCALING_POLICIES, {
    ...policy,
    spec: { ...policy.spec, gpuBudget: { ...policy.spec.gpuBudget, sharedBudgetRef: { name: "cluster" } } },
  });
  await clock.advance(60_000);
  const lengths = { input: { medianTokens: 1_000, spreadP90: 2 }, output: { medianTokens: 900, spreadP90: 1.8 } };
  const day = dayInMiniature({
    durationSeconds: 900,
    baseRequestsPerSecond: 2.9,
    peakRequestsPerSecond: 24,
    ...lengths,
  });
  dataPlane.attachTraffic({ namespace: SET.namespace, partOf: SET.name }, generateTraffic(day, seededRandom(2)));
  await clock.advance(1_300_000);

  // A person takes over for a while; a pod is lost; the set changes and goes.
  await admin.create(SCALING_OVERRIDES, {
    apiVersion: "autoscaling.grove.io/v1alpha1",
    kind: "ScalingOverride",
    metadata: { namespace: SET.namespace, name: "launch" },
    spec: {
      policyRef: { name: policy.metadata.name },
      scaleTargets: { decode: { replicas: 2 } },
      expiresAt: formatTime(clock.nowMs() + 120_000),
      reason: "launch",
      force: false,
    },
  });
  await clock.advance(240_000);
  const [pod] = (await admin.list(PODS, { namespace: SET.namespace })).items;
  await admin.delete(PODS, { namespace: SET.namespace, name: pod?.metadata.name ?? "" });
  await clock.advance(120_000);

  // A set with the HPAs that Grove makes by itself, which change with its template and go with its replicas.
  const own = { namespace: SET.namespace, name: "own" };
  const scaling = (maxReplicas: number) => ({
    ...clique("a", 1, 1),
    spec: { ...clique("a", 1, 1).spec, autoScalingConfig: { maxReplicas } },
  });
  const withHpa = workload(
    "own",
    { cliques: [scaling(3) as ReturnType<typeof clique>] },
    { namespace: SET.namespace, replicas: 2 },
  );
  await admin.create(POD_CLIQUE_SETS, withHpa as unknown as PodCliqueSet);

  // A set whose pods share claims, from a template of its own and one of the cluster.
  const claims = { namespace: SET.namespace, name: "claims" };
  const spec = { devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpus" } }] } };
  await admin.create(RESOURCE_CLAIM_TEMPLATES, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaimTemplate",
    metadata: { namespace: SET.namespace, name: "ext" },
    spec: { spec },
  });
  const withClaims = workload(
    claims.name,
    {
      resourceClaimTemplates: [{ name: "own", templateSpec: { spec } }],
      resourceSharing: [
        { name: "own", scope: "PerReplica" },
        { name: "ext", scope: "AllReplicas" },
      ],
      cliques: [clique("a", 1, 1)],
    },
    { namespace: SET.namespace, replicas: 2 },
  );
  await admin.create(POD_CLIQUE_SETS, withClaims as unknown as PodCliqueSet);
  await clock.advance(60_000);
  const [service] = (await admin.list(SERVICES, { namespace: SET.namespace })).items;
  await admin.patch(
    SERVICES,
    { namespace: SET.namespace, name: service?.metadata.name ?? "" },
    { spec: { publishNotReadyAddresses: false } },
    { type: "merge" },
  );
  await admin.patch(
    POD_CLIQUE_SETS,
    own,
    [{ op: "replace", path: "/spec/template/cliques/0/spec/autoScalingConfig/maxReplicas", value: 5 }],
    { type: "json" },
  );
  await clock.advance(240_000);
  await admin.setScale(POD_CLIQUE_SETS, own, 1);
  const edited = { metadata: { labels: { "app.kubernetes.io/component": "edited" } } };
  await admin.patch(RESOURCE_CLAIMS, { ...claims, name: "claims-all-ext" }, edited, { type: "merge" });
  await admin.setScale(POD_CLIQUE_SETS, claims, 1);
  await clock.advance(60_000);
  await admin.delete(POD_CLIQUE_SETS, own);
  await admin.delete(POD_CLIQUE_SETS, SET);
  await clock.advance(120_000);
  await leadership.release();
  abort.abort();

  expect(rbac.denied).toEqual([]);
  expect(seen.length).toBeGreaterThan(1_000);
  expect(rbac.unused().filter((permission) => !(permission in KNOWN_UNUSED))).toEqual([]);
  expect(Object.keys(KNOWN_UNUSED).filter((permission) => !rbac.unused().includes(permission))).toEqual([]);
});

/** Status changes move versions all the time on a real cluster: every third write of a kind's /scale is behind one. */
function versionsMove(api: KubeApi, admin: KubeApi): KubeApi {
  const writes = new Map<string, number>();
  return {
    ...api,
    async setScale(resource, key, replicas, options) {
      const count = writes.get(resource.plural) ?? 0;
      writes.set(resource.plural, count + 1);
      if (count % 3 === 0) {
        await admin.patch(resource, key, { metadata: { annotations: { touched: `${count}` } } }, { type: "merge" });
      }
      return api.setScale(resource, key, replicas, options);
    },
  };
}

describe("the check itself", () => {
  const ask = { verb: "patch", group: "grove.io", resource: "podcliques/scale", namespace: "x", name: "y" };

  test("a subresource is a permission of its own", () => {
    const rbac = rbacOf(manifests, ACCOUNT);
    expect(rbac.allows(ask)).toBe(true);
    expect(rbac.allows({ ...ask, resource: "podcliques/eviction" })).toBe(false);
    expect(rbac.denied).toHaveLength(1);
  });

  test("a Role holds in its namespace and for its names only", () => {
    const lease = {
      verb: "update",
      group: "coordination.k8s.io",
      resource: "leases",
      namespace: SYSTEM_NAMESPACE,
      name: "grove-autoscaler",
    };
    const rbac = rbacOf(manifests, ACCOUNT);
    expect(rbac.allows(lease)).toBe(true);
    expect(rbac.allows({ ...lease, namespace: "kube-system" })).toBe(false);
    expect(rbac.allows({ ...lease, name: "kube-scheduler" })).toBe(false);
  });

  test("nobody else is bound", () => {
    expect(rbacOf(manifests, "default").allows(ask)).toBe(false);
  });

  test("no rule grants everything", () => {
    const rules = manifests.flatMap(({ rules: own }) => own ?? []);
    expect(rules.flatMap(({ apiGroups, resources, verbs }) => [...apiGroups, ...resources, ...verbs])).not.toContain(
      "*",
    );
  });
});
