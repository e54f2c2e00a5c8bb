/**
 * certProvisionMode auto: makes the webhooks' certificates, keeps them in a Secret that all replicas share, renews them, and tells the API server whom to trust.
 *
 * Each replica does the same and meets the others at the Secret: whoever loses the race for it takes what the winner wrote. The configurations get the
 * new authority before the first handshake under it.
 */
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type WebhookConfiguration,
} from "../../api/kubernetes/admission-registration.ts";
import { SECRETS, type Secret } from "../../api/kubernetes/core.ts";
import type { Clock } from "../../clock.ts";
import { startController } from "../../kube/controller.ts";
import { startInformer } from "../../kube/informer.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { RuntimeMetrics } from "../../kube/runtime-metrics.ts";
import type { Logger } from "../../log.ts";
import type { Random } from "../../random.ts";
import type { WebhookConfigurationRef } from "../webhooks/paths.ts";
import { type CertificateBundle, planCertificates } from "./renewal.ts";
import type { CertifiedKey } from "./x509.ts";

export interface ProvisionOptions {
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly metrics: RuntimeMetrics;
  readonly namespace: string;
  readonly secretName: string;
  /** Of the Secret; default: those of the operator. */
  readonly labels?: Readonly<Record<string, string>>;
  /** DNS names and addresses that the certificate must hold; the first one is its common name. */
  readonly names: readonly string[];
  readonly configurations: readonly WebhookConfigurationRef[];
  /** With the first certificate, and with each one after it. */
  readonly onCertificate: (certificate: CertifiedKey) => void;
}

const KEY = "certificates";
/** A wrong clock or a lost event is found after this time. */
const LOOK_MS = 3_600_000;
/** Not `managed-by: grove-operator`: whoever looks for what is left of a deleted set finds it by that label. */
const LABELS = {
  "app.kubernetes.io/name": "grove-operator",
  "app.kubernetes.io/component": "webhook",
  "app.kubernetes.io/part-of": "grove",
} as const;

export function startProvisioning(options: ProvisionOptions): void {
  const { api, clock, log, namespace, secretName, names, configurations, onCertificate } = options;
  const secrets = startInformer({
    ...options,
    resource: SECRETS,
    scope: { namespace, fieldSelector: `metadata.name=${secretName}` },
  });
  const mutating = startInformer({ ...options, resource: MUTATING_WEBHOOK_CONFIGURATIONS });
  const validating = startInformer({ ...options, resource: VALIDATING_WEBHOOK_CONFIGURATIONS });
  let served: string | undefined;
  const missing = new Set<string>();

  const controller = startController({ ...options, name: "webhook-certificates", reconcile });
  const isOurs = ({
    kind,
    metadata,
  }: {
    readonly kind: string;
    readonly metadata: { readonly name: string };
  }): boolean => configurations.some((one) => one.kind === kind && one.name === metadata.name);
  secrets.onChange(() => controller.enqueue(KEY));
  for (const informer of [mutating, validating]) {
    informer.onChange(({ before, after }) => {
      const object = after ?? before;
      if (object !== undefined && isOurs(object)) controller.enqueue(KEY);
    });
  }
  void Promise.all([secrets.synced, mutating.synced, validating.synced]).then(() => controller.enqueue(KEY));

  async function reconcile(): Promise<{ readonly requeueAfterMs: number } | undefined> {
    if (![secrets, mutating, validating].every((informer) => informer.hasSynced())) return undefined;
    // 1. The Secret.
    const secret = secrets.get(namespace, secretName);
    const { bundle, renewed, dueAtMs } = planCertificates(bundleOf(secret), names, clock.nowMs());
    if (renewed !== undefined) {
      secrets.observeWrite(await store(secret, bundle));
      log.info({ secret: `${namespace}/${secretName}`, why: renewed }, "made webhook certificates");
    }
    // 2. Whom the API server trusts.
    await inject(bundle.ca);
    // 3. What is served.
    if (served !== bundle.certificate) {
      served = bundle.certificate;
      onCertificate({ certificate: bundle.certificate, privateKey: bundle.privateKey });
    }
    return { requeueAfterMs: Math.min(LOOK_MS, Math.max(1_000, dueAtMs - clock.nowMs())) };
  }

  function store(secret: Secret | undefined, bundle: CertificateBundle): Promise<Secret> {
    const data = dataOf(bundle);
    // A conflict or an AlreadyExists is another replica's win; the next try finds what it wrote.
    if (secret !== undefined) return api.update(SECRETS, { ...secret, data: { ...secret.data, ...data } });
    return api.create(SECRETS, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { namespace, name: secretName, labels: options.labels ?? LABELS },
      type: "Opaque",
      data,
    });
  }

  async function inject(ca: string): Promise<void> {
    const caBundle = Buffer.from(ca).toString("base64");
    for (const { kind, name } of configurations) {
      const informer = kind === "MutatingWebhookConfiguration" ? mutating : validating;
      const configuration = informer.get(undefined, name);
      if (configuration === undefined) {
        if (!missing.has(name)) {
          log.info(
            { kind, name },
            "there is no such webhook configuration: nobody calls this webhook; apply the manifests that have it",
          );
        }
        missing.add(name);
        continue;
      }
      missing.delete(name);
      if (isInjected(configuration, caBundle)) continue;
      informer.observeWrite(await api.update(informer.resource, withBundle(configuration, caBundle)));
      log.info({ kind, name }, "injected the authority into the webhook configuration");
    }
  }
}

const isInjected = ({ webhooks = [] }: WebhookConfiguration, caBundle: string): boolean =>
  webhooks.every(({ clientConfig }) => clientConfig.caBundle === caBundle);

const withBundle = (configuration: WebhookConfiguration, caBundle: string): WebhookConfiguration => ({
  ...configuration,
  webhooks: (configuration.webhooks ?? []).map((webhook) => ({
    ...webhook,
    clientConfig: { ...webhook.clientConfig, caBundle },
  })),
});

function bundleOf(secret: Secret | undefined): Partial<CertificateBundle> {
  const text = (key: string): string => Buffer.from(secret?.data?.[key] ?? "", "base64").toString("utf8");
  return { certificate: text("tls.crt"), privateKey: text("tls.key"), ca: text("ca.crt"), caKey: text("ca.key") };
}

function dataOf({ certificate, privateKey, ca, caKey }: CertificateBundle): Readonly<Record<string, string>> {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return {
    "tls.crt": base64(certificate),
    "tls.key": base64(privateKey),
    "ca.crt": base64(ca),
    "ca.key": base64(caKey),
  };
}
