/** What deploy/webhooks registers is what `run --webhooks` serves, and its rights are those that are used. */
import { X509Certificate } from "node:crypto";
import { expect, test } from "vitest";
import { SCALING_POLICIES } from "../../src/api/autoscaling/scaling-policy.ts";
import { customResourceDefinitions } from "../../src/api/crds/all.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type WebhookConfiguration,
} from "../../src/api/kubernetes/admission-registration.ts";
import { type CustomResourceDefinition, SECRETS } from "../../src/api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../../src/api/kubernetes/meta.ts";
import { VOLCANO_QUEUES } from "../../src/api/scheduler/volcano.ts";
import { startPolicyWebhooks, validateOurKinds } from "../../src/cli/run/webhooks.ts";
import { VirtualClock } from "../../src/clock.ts";
import { readConfig } from "../../src/config/read-config.ts";
import { noRuntimeMetrics } from "../../src/kube/runtime-metrics.ts";
import { silentLogger } from "../../src/log.ts";
import { seededRandom } from "../../src/random.ts";
import { createApiServer } from "../../src/sim/api-server/api-server.ts";
import { createNamespace } from "../../src/sim/world.ts";
import { filesIn, kustomized, type Manifest, readManifestFile } from "./manifests.ts";
import { rbacOf } from "./rbac.ts";

const NAMESPACE = "grove-autoscaler";
const all = kustomized("deploy/webhooks").flatMap(readManifestFile);
const one = <T extends KubeObject = Manifest>(wanted: string): T =>
  all.find(({ kind }) => kind === wanted) as KubeObject as T;
const configuration = one<WebhookConfiguration>("ValidatingWebhookConfiguration");

test("the kustomization names every file, and the webhook its Service, which selects the shipped pods", () => {
  expect([...kustomized("deploy/webhooks")].sort()).toEqual([...filesIn("deploy/webhooks")].sort());
  const { webhookPort } = readConfig({ env: { PROMETHEUS_URL: "http://x" } });
  const service = one("Service");
  expect(configuration.webhooks).toMatchObject([
    {
      failurePolicy: "Ignore",
      clientConfig: { service: { ...pick(service), path: "/webhooks/validate-autoscaling", port: webhookPort } },
    },
  ]);
  const deployment = readManifestFile("deploy/manifests/deployment.yaml")[0] as Any;
  expect(service.spec).toMatchObject({
    selector: deployment.spec.selector.matchLabels,
    ports: [{ port: webhookPort, targetPort: webhookPort }],
  });
});

test("the roles grant what certificates and look-ups take, and no more", async () => {
  const added = rbacOf(all, NAMESPACE);
  const rbac = rbacOf([...filesIn("deploy/manifests").flatMap(readManifestFile), ...all], NAMESPACE);
  const clock = new VirtualClock();
  const server = createApiServer({ clock, random: seededRandom(1) });
  await server.installCustomResources([
    ...customResourceDefinitions(),
    ...[MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS].map((kind) => asCustomResource(kind)),
  ]);
  await createNamespace(server.api, NAMESPACE);
  await server.api.create(VALIDATING_WEBHOOK_CONFIGURATIONS, configuration);
  const webhooks = await startPolicyWebhooks({
    api: added.guard(server.api),
    clock,
    random: seededRandom(1),
    log: silentLogger,
    metrics: noRuntimeMetrics,
    namespace: NAMESPACE,
    address: "127.0.0.1",
    port: 0,
  });
  await clock.advance(10_000);
  expect(await webhooks.problem()).toBeUndefined();
  const key = { namespace: NAMESPACE, name: "grove-autoscaler-webhook-cert" };
  const [secret] = (await server.api.list(SECRETS, { namespace: NAMESPACE })).items;
  expect(secret?.metadata).toMatchObject(key);
  const host = `${one("Service").metadata.name}.${NAMESPACE}.svc`;
  const certificate = new X509Certificate(Buffer.from(secret?.data?.["tls.crt"] ?? "", "base64"));
  expect(certificate.checkHost(host)).toBe(host);
  const { webhooks: injected } = await server.api.get(VALIDATING_WEBHOOK_CONFIGURATIONS, { name: "grove-autoscaler" });
  expect(injected?.map(({ clientConfig }) => clientConfig.caBundle)).toEqual([secret?.data?.["ca.crt"]]);
  // A replica finds half a bundle, as after an edit by hand.
  await server.api.patch(SECRETS, key, { data: { "tls.crt": null } }, { type: "merge" });
  await clock.advance(10_000);
  expect(await webhooks.problem()).toBeUndefined();
  await webhooks.close();

  const queued = { "scheduling.grove.io/volcano-queue": "gold" };
  const pod = { containers: [{ name: "engine", image: "e" }] };
  await server.api.create(POD_CLIQUE_SETS, {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { namespace: NAMESPACE, name: "llm", annotations: queued },
    spec: {
      replicas: 1,
      template: {
        cliques: [{ name: "decode", spec: { roleName: "decode", replicas: 1, minAvailable: 1, podSpec: pod } }],
      },
    },
  } as unknown as PodCliqueSet);
  const [looks, looksBeside] = [rbac.guard(server.api), added.guard(server.api)];
  const list: typeof looks.list = (resource, options) =>
    (resource.group === VOLCANO_QUEUES.group ? looksBeside : looks).list(resource, options);
  const handler = validateOurKinds({ api: { ...looks, list }, nowMs: () => clock.nowMs() });
  const object = {
    apiVersion: "autoscaling.grove.io/v1alpha1",
    kind: SCALING_POLICIES.kind,
    metadata: { namespace: NAMESPACE, name: "x" },
    spec: {
      targetRef: { name: "llm" },
      scaleTargets: [{ name: "decode", level: "PodClique", ref: "decode", maxReplicas: 2 }],
      gpuBudget: { sharedBudgetRef: { name: "team" } },
    },
  };
  await handler({
    uid: "1",
    operation: "CREATE",
    kind: { group: SCALING_POLICIES.group, version: SCALING_POLICIES.version, kind: SCALING_POLICIES.kind },
    namespace: NAMESPACE,
    object,
  });
  expect(rbac.denied).toEqual([]);
  expect(added.denied).toEqual([]);
  expect(added.unused()).toEqual([]);
});

// biome-ignore lint/suspicious/noExplicitAny: manifests have every shape
type Any = any;
const pick = ({ metadata: { name, namespace } }: KubeObject) => ({ name, namespace });

const asCustomResource = ({ group, version, kind, plural }: Resource): CustomResourceDefinition => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: "Cluster",
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
