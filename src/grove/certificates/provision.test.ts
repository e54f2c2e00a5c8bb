import { X509Certificate } from "node:crypto";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type WebhookConfiguration,
} from "../../api/kubernetes/admission-registration.ts";
import { type CustomResourceDefinition, SECRETS } from "../../api/kubernetes/core.ts";
import type { Resource } from "../../api/kubernetes/meta.ts";
import { VirtualClock } from "../../clock.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { noRuntimeMetrics } from "../../kube/runtime-metrics.ts";
import { type Logger, silentLogger } from "../../log.ts";
import { seededRandom } from "../../random.ts";
import { createApiServer } from "../../sim/api-server/api-server.ts";
import { createNamespace } from "../../sim/world.ts";
import { webhookConfigurations } from "../webhooks/paths.ts";
import { startProvisioning } from "./provision.ts";
import { planCertificates } from "./renewal.ts";
import type { CertifiedKey } from "./x509.ts";

const NAMESPACE = "grove-system";
const KEY = { namespace: NAMESPACE, name: "grove-webhook-server-cert" };
const DAY_MS = 86_400_000;

/** The embedded server calls no webhooks, so it has not got their configurations; as custom resources they are the same on the wire. */
const asCustomResource = ({ group, kind, plural }: Resource): CustomResourceDefinition => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: "Cluster",
    names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
});

let clock: VirtualClock;
let api: KubeApi;
let stop: AbortController;
let notes: string[];
beforeEach(async () => {
  clock = new VirtualClock();
  stop = new AbortController();
  notes = [];
  const server = createApiServer({ clock, random: seededRandom(1) });
  api = server.api;
  await server.installCustomResources(
    [MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS].map(asCustomResource),
  );
  await createNamespace(api, NAMESPACE);
});
afterEach(() => stop.abort(new Error("over")));

function replica(seed = 1): CertifiedKey[] {
  const served: CertifiedKey[] = [];
  const log: Logger = { ...silentLogger, info: (fields, text) => void notes.push(`${text} ${JSON.stringify(fields)}`) };
  startProvisioning({
    api,
    clock,
    random: seededRandom(seed),
    signal: stop.signal,
    log,
    metrics: noRuntimeMetrics,
    namespace: NAMESPACE,
    secretName: KEY.name,
    names: ["grove-operator.grove-system.svc"],
    configurations: webhookConfigurations({ authorizer: false }),
    onCertificate: (certificate) => served.push(certificate),
  });
  return served;
}

async function register(resource: Resource<WebhookConfiguration>, name: string): Promise<void> {
  await api.create(resource, {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: resource.kind,
    metadata: { name },
    webhooks: [{ name: "one", clientConfig: { service: { name: "grove-operator" } }, sideEffects: "None" }],
  });
}
const bundleOf = async (resource: Resource<WebhookConfiguration>, name: string): Promise<string> =>
  Buffer.from((await api.get(resource, { name })).webhooks?.[0]?.clientConfig.caBundle ?? "", "base64").toString();
const secretText = async (key: string): Promise<string> =>
  Buffer.from((await api.get(SECRETS, KEY)).data?.[key] ?? "", "base64").toString();

describe("certificates in the cluster", () => {
  test("are made once, and the configurations that are there, or come later, are told whom to trust", async () => {
    await register(MUTATING_WEBHOOK_CONFIGURATIONS, "podcliqueset-defaulting-webhook");
    await register(VALIDATING_WEBHOOK_CONFIGURATIONS, "somebody-elses");
    const served = replica();
    await clock.advance(5_000);
    expect(served).toHaveLength(1);
    expect(served[0]?.certificate).toBe(await secretText("tls.crt"));
    // Whoever looks for what is left of deleted sets looks for that label, and in every namespace.
    const { items } = await api.list(SECRETS, { labelSelector: "app.kubernetes.io/managed-by=grove-operator" });
    expect(items).toEqual([]);
    const ca = await secretText("ca.crt");
    expect(await bundleOf(MUTATING_WEBHOOK_CONFIGURATIONS, "podcliqueset-defaulting-webhook")).toBe(ca);
    expect(await bundleOf(VALIDATING_WEBHOOK_CONFIGURATIONS, "somebody-elses")).toBe("");
    expect(notes.filter((note) => note.startsWith("there is no such webhook configuration"))).toHaveLength(2);
    const changed = await api.get(MUTATING_WEBHOOK_CONFIGURATIONS, { name: "podcliqueset-defaulting-webhook" });
    expect(changed.webhooks?.[0]).toMatchObject({
      clientConfig: { service: { name: "grove-operator" } },
      sideEffects: "None",
    });

    await register(VALIDATING_WEBHOOK_CONFIGURATIONS, "podcliqueset-validating-webhook");
    await clock.advance(5_000);
    expect(await bundleOf(VALIDATING_WEBHOOK_CONFIGURATIONS, "podcliqueset-validating-webhook")).toBe(ca);
    // Somebody applies the manifests again.
    await api.patch(
      VALIDATING_WEBHOOK_CONFIGURATIONS,
      { name: "podcliqueset-validating-webhook" },
      { webhooks: [{ name: "one", clientConfig: {} }] },
      { type: "merge" },
    );
    await clock.advance(5_000);
    expect(await bundleOf(VALIDATING_WEBHOOK_CONFIGURATIONS, "podcliqueset-validating-webhook")).toBe(ca);
    expect(served).toHaveLength(1);
  });

  test("two replicas that start together end up with the same ones", async () => {
    const [first, second] = [replica(1), replica(2)];
    await clock.advance(60_000);
    expect(first.at(-1)?.certificate).toBe(await secretText("tls.crt"));
    expect(second.at(-1)).toEqual(first.at(-1));
  });

  test("an empty Secret of a chart is filled, one that is deleted is made again", async () => {
    await api.create(SECRETS, { apiVersion: "v1", kind: "Secret", metadata: KEY, type: "Opaque" });
    const served = replica();
    await clock.advance(5_000);
    expect(served).toHaveLength(1);
    await api.delete(SECRETS, KEY);
    await clock.advance(60_000);
    expect(served.at(-1)?.certificate).toBe(await secretText("tls.crt"));
  });

  test("are renewed in time, under the authority that everybody trusts already", async () => {
    await register(MUTATING_WEBHOOK_CONFIGURATIONS, "podcliqueset-defaulting-webhook");
    const { bundle } = planCertificates({}, ["grove-operator.grove-system.svc"], clock.nowMs() - 274.5 * DAY_MS);
    const base64 = (text: string): string => Buffer.from(text).toString("base64");
    const data = {
      "tls.crt": base64(bundle.certificate),
      "tls.key": base64(bundle.privateKey),
      "ca.crt": base64(bundle.ca),
      "ca.key": base64(bundle.caKey),
    };
    await api.create(SECRETS, { apiVersion: "v1", kind: "Secret", metadata: KEY, type: "Opaque", data });
    const served = replica();
    await clock.advance(5_000);
    expect(served).toEqual([{ certificate: bundle.certificate, privateKey: bundle.privateKey }]);
    const { ca } = bundle;
    await clock.advance(DAY_MS);
    expect(served).toHaveLength(2);
    const leaf = new X509Certificate(served[1]?.certificate ?? "");
    expect(leaf.verify(new X509Certificate(ca).publicKey)).toBe(true);
    expect(leaf.validToDate.getTime()).toBeGreaterThan(clock.nowMs() + 300 * DAY_MS);
    expect(await bundleOf(MUTATING_WEBHOOK_CONFIGURATIONS, "podcliqueset-defaulting-webhook")).toBe(ca);
  });
});
