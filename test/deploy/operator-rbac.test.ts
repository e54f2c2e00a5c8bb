/** The role of deploy/operator grants what the standalone operator does, with KAI, topologies and certificates of its own. */
import { expect, test } from "vitest";
import { admit } from "../../src/api/admission.ts";
import { customResourceDefinitions } from "../../src/api/crds/all.ts";
import { CLUSTER_TOPOLOGY_BINDINGS } from "../../src/api/grove/cluster-topology-binding.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type WebhookConfiguration,
} from "../../src/api/kubernetes/admission-registration.ts";
import { type CustomResourceDefinition, NODES, PODS, SECRETS } from "../../src/api/kubernetes/core.ts";
import type { Resource } from "../../src/api/kubernetes/meta.ts";
import { RESOURCE_CLAIMS } from "../../src/api/kubernetes/resource-claim.ts";
import { COMPUTE_DOMAINS } from "../../src/api/nvidia/compute-domain.ts";
import { KAI_POD_GROUPS, KAI_TOPOLOGIES } from "../../src/api/scheduler/kai.ts";
import { VirtualClock } from "../../src/clock.ts";
import { startProvisioning } from "../../src/grove/certificates/provision.ts";
import { syncTopologiesOnce } from "../../src/grove/cluster-topology/sync-once.ts";
import { startGroveOperator } from "../../src/grove/operator.ts";
import type { OperatorSettings } from "../../src/grove/settings.ts";
import { webhookConfigurations } from "../../src/grove/webhooks/paths.ts";
import { startLeaderElection } from "../../src/kube/lease.ts";
import { noRuntimeMetrics } from "../../src/kube/runtime-metrics.ts";
import { silentLogger } from "../../src/log.ts";
import { seededRandom } from "../../src/random.ts";
import { createApiServer } from "../../src/sim/api-server/api-server.ts";
import { createNamespace } from "../../src/sim/world.ts";
import { COMPUTE_DOMAIN_DEFINITION } from "../grove/fixtures/compute-domain-crd.ts";
import { connectedSharing } from "../grove/scenarios/mnnvl.ts";
import { clique, workload } from "../grove/workloads.ts";
import { filesIn, readManifestFile } from "./manifests.ts";
import { rbacOf } from "./rbac.ts";

const NAMESPACE = "grove-system";
const SETTINGS: OperatorSettings = {
  schedulerProfiles: ["kai-scheduler", "default-scheduler"],
  defaultSchedulerName: "kai-scheduler",
  topologyAwareScheduling: true,
  autoMnnvl: true,
  podGangNames: "legacy",
};

const CONNECTED = { name: "connected", namespace: "serving", annotations: { "grove.io/mnnvl-group": "default" } };

const asCustomResource = ({ group, version, kind, plural, namespaced }: Resource): CustomResourceDefinition => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: namespaced ? "Namespaced" : "Cluster",
    names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
});

test("the standalone operator is refused nothing", async () => {
  const rbac = rbacOf(filesIn("deploy/operator").flatMap(readManifestFile), "grove-operator");
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const abort = new AbortController();
  const { signal } = abort;
  const server = createApiServer({
    clock,
    random,
    admit: ({ operation, subresource, object, oldObject }) =>
      subresource === undefined ? admit({ operation, object, ...(oldObject !== undefined && { oldObject }) }) : {},
  });
  const admin = server.api;
  await server.installCustomResources([
    ...customResourceDefinitions(),
    ...[MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS, KAI_POD_GROUPS, KAI_TOPOLOGIES].map(
      (resource) => asCustomResource(resource as Resource),
    ),
    COMPUTE_DOMAIN_DEFINITION,
  ]);
  await createNamespace(admin, NAMESPACE);
  await createNamespace(admin, "serving");
  for (const resource of [MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS]) {
    for (const { kind, name } of webhookConfigurations({ authorizer: true })) {
      if (kind !== resource.kind) continue;
      const webhooks = [{ name: "x", clientConfig: {} }];
      const configuration = { apiVersion: "admissionregistration.k8s.io/v1", kind, metadata: { name }, webhooks };
      await admin.create(resource, configuration as WebhookConfiguration);
    }
  }
  const binding = (key: string) => ({
    apiVersion: "grove.io/v1alpha1",
    kind: "ClusterTopologyBinding",
    metadata: { name: "dc" },
    spec: { levels: [{ domain: "rack", key }] },
  });
  await admin.create(CLUSTER_TOPOLOGY_BINDINGS, binding("rack"));

  const api = rbac.guard(server.apiAs({ username: `system:serviceaccount:${NAMESPACE}:grove-operator` }));
  const shared = { api, clock, random, signal, log: silentLogger, metrics: noRuntimeMetrics };
  await syncTopologiesOnce(api, SETTINGS);
  let certificates = 0;
  startProvisioning({
    ...shared,
    namespace: NAMESPACE,
    secretName: "grove-webhook-server-cert",
    names: ["grove-operator.grove-system.svc"],
    configurations: webhookConfigurations({ authorizer: true }),
    onCertificate: () => certificates++,
  });
  const lease = startLeaderElection({
    ...shared,
    namespace: NAMESPACE,
    name: "grove-operator-leader-election",
    identity: "one",
  });
  await clock.advance(5_000);
  await lease.acquired;
  const operator = startGroveOperator({ ...shared, settings: SETTINGS });
  await clock.advance(5_000);
  await operator.ready;

  const key = { namespace: "serving", name: "w" };
  const scaled = { ...clique("a", 2, 1), spec: { ...clique("a", 2, 1).spec, autoScalingConfig: { maxReplicas: 4 } } };
  const template = {
    cliques: [scaled as ReturnType<typeof clique>, clique("b", 1, 1)],
    podCliqueScalingGroups: [{ name: "g", cliqueNames: ["b"], replicas: 2, minAvailable: 1 }],
    topologyConstraint: { topologyName: "dc", pack: { required: "rack" } },
  };
  await admin.create(POD_CLIQUE_SETS, workload("w", template, { namespace: "serving" }) as unknown as PodCliqueSet);
  await clock.advance(30_000);
  expect((await admin.list(PODS, { namespace: "serving" })).items).toHaveLength(4);
  expect((await admin.list(KAI_POD_GROUPS, { namespace: "serving" })).items).toHaveLength(2);
  // With claims and domains, of which somebody deletes and edits some.
  const connected = { namespace: "serving", name: "connected" };
  await admin.create(POD_CLIQUE_SETS, { ...connectedSharing("connected", 2), metadata: CONNECTED } as never);
  await admin.setScale(POD_CLIQUE_SETS, key, 2);
  await clock.advance(30_000);
  const claims = (await admin.list(RESOURCE_CLAIMS, { namespace: "serving" })).items.map(
    ({ metadata }) => metadata.name,
  );
  expect(claims).toHaveLength(11);
  expect((await admin.list(COMPUTE_DOMAINS, { namespace: "serving" })).items).toHaveLength(2);
  const edited = { metadata: { labels: { "app.kubernetes.io/component": "edited" } } };
  await admin.patch(RESOURCE_CLAIMS, { ...connected, name: claims[0] ?? "" }, edited, { type: "merge" });
  const bare = { metadata: { finalizers: null } };
  await admin.patch(COMPUTE_DOMAINS, { ...connected, name: "connected-0-default" }, bare, { type: "merge" });
  await admin.setScale(POD_CLIQUE_SETS, connected, 1);
  await admin.setScale(POD_CLIQUE_SETS, key, 1);
  await admin.patch(CLUSTER_TOPOLOGY_BINDINGS, { name: "dc" }, { spec: binding("other").spec }, { type: "merge" });
  // Half of the certificates' Secret is lost.
  const secret = { namespace: NAMESPACE, name: "grove-webhook-server-cert" };
  await admin.patch(SECRETS, secret, { data: { "tls.key": null } }, { type: "merge" });
  await clock.advance(240_000);
  await admin.delete(POD_CLIQUE_SETS, key);
  await admin.delete(POD_CLIQUE_SETS, connected);
  await admin.delete(CLUSTER_TOPOLOGY_BINDINGS, { name: "dc" });
  await clock.advance(60_000);
  await lease.release();
  abort.abort();

  expect(certificates).toBe(2);
  expect((await admin.list(NODES)).items).toEqual([]);
  expect((await admin.list(POD_CLIQUE_SETS)).items).toEqual([]);
  expect((await admin.list(COMPUTE_DOMAINS)).items).toEqual([]);
  expect(rbac.denied).toEqual([]);
});
