/** The webhook server of the operator: which handler answers where, and where its certificate comes from. */
import { POD_CLIQUE_SETS } from "../../api/grove/pod-clique-set.ts";
import type { KubeObject, ObjectKey } from "../../api/kubernetes/meta.ts";
import type { Clock } from "../../clock.ts";
import { startProvisioning } from "../../grove/certificates/provision.ts";
import type { CertifiedKey } from "../../grove/certificates/x509.ts";
import type { OperatorConfiguration } from "../../grove/configuration/schema.ts";
import { admissionOptionsOf } from "../../grove/configuration/settings-of.ts";
import type { OperatorSettings } from "../../grove/settings.ts";
import {
  defaultPodCliqueSets,
  validateClusterTopologies,
  validatePodCliqueSets,
} from "../../grove/webhooks/admission.ts";
import { answerReview, type ReviewHandler } from "../../grove/webhooks/admission-review.ts";
import { authorizeChanges } from "../../grove/webhooks/authorizer.ts";
import { backendLookup, clusterLookup } from "../../grove/webhooks/lookup.ts";
import { WEBHOOK_PATHS, webhookConfigurations } from "../../grove/webhooks/paths.ts";
import { isNotFound } from "../../kube/api-error.ts";
import { startInformer } from "../../kube/informer.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { RuntimeMetrics } from "../../kube/runtime-metrics.ts";
import type { Logger } from "../../log.ts";
import type { Random } from "../../random.ts";
import { startWebhookServer, type WebhookServer } from "../../server/webhook-server.ts";
import { followMountedCertificate } from "./mounted-certificate.ts";

export interface WebhooksOptions {
  readonly configuration: OperatorConfiguration;
  readonly settings: OperatorSettings;
  /** Without a rate limit: an API server waits for the answers. */
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly metrics: RuntimeMetrics;
  /** The operator's own. */
  readonly namespace: string;
  readonly certificateNames: readonly string[];
  /** For the authorizer; given where it is enabled. */
  readonly operatorUser?: string;
}

export interface Webhooks {
  readonly server: WebhookServer;
  /** There is a certificate, and the API server has been told whom to trust. */
  readonly ready: Promise<void>;
}

export async function startWebhooks(options: WebhooksOptions): Promise<Webhooks> {
  const { configuration, namespace, log } = options;
  const { bindAddress, port, secretName, serverCertDir, certProvisionMode } = configuration.server.webhooks;
  const server = await startWebhookServer({ address: bindAddress, port, routes: routesOf(options) });
  let markReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    markReady = resolve;
  });
  const onCertificate = ({ certificate, privateKey }: CertifiedKey): void => {
    server.setCertificate(certificate, privateKey);
    markReady();
  };
  if (certProvisionMode === "manual") {
    void followMountedCertificate({ ...options, folder: serverCertDir, onCertificate });
  } else {
    startProvisioning({
      ...options,
      secretName,
      names: options.certificateNames,
      configurations: webhookConfigurations({ authorizer: configuration.authorizer.enabled }),
      onCertificate,
    });
  }
  log.info({ port: server.port, certProvisionMode, namespace }, "webhook server is up");
  return { server, ready };
}

function routesOf(options: WebhooksOptions): Readonly<Record<string, (body: unknown) => Promise<unknown>>> {
  const { api, settings, configuration, operatorUser, log } = options;
  const lookup = clusterLookup(api, admissionOptionsOf(settings), backendLookup(api, settings));
  const { authorizer } = configuration;
  const handlers: readonly (readonly [string, ReviewHandler])[] = [
    [WEBHOOK_PATHS.defaultPodCliqueSet, defaultPodCliqueSets],
    [WEBHOOK_PATHS.validatePodCliqueSet, validatePodCliqueSets(lookup)],
    [WEBHOOK_PATHS.validateClusterTopology, validateClusterTopologies(lookup)],
    ...(authorizer.enabled && operatorUser !== undefined
      ? [
          [
            WEBHOOK_PATHS.authorizer,
            authorizeChanges({
              operatorUser,
              exemptUsers: authorizer.exemptServiceAccountUserNames,
              findSet: setFinder(options),
            }),
          ] as const,
        ]
      : []),
  ];
  return Object.fromEntries(
    handlers.map(([path, handler]) => [path, (body: unknown) => answerReview(body, logged(path, handler, log))]),
  );
}

/** Every change of a managed object asks for its set: from a cache, and from the server only what the cache does not know yet. */
function setFinder(options: WebhooksOptions): (key: ObjectKey) => Promise<KubeObject | undefined> {
  const sets = startInformer({ ...options, resource: POD_CLIQUE_SETS });
  return async ({ namespace, name }) => {
    const known = sets.get(namespace, name);
    if (known !== undefined) return known;
    return options.api.get(POD_CLIQUE_SETS, { namespace: namespace ?? "", name }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw error;
    });
  };
}

const logged =
  (path: string, handler: ReviewHandler, log: Logger): ReviewHandler =>
  async (request) => {
    const fields = {
      path,
      operation: request.operation,
      object: `${request.namespace ?? ""}/${request.name ?? ""}`,
      user: request.userInfo?.username,
    };
    try {
      const response = await handler(request);
      if (!response.allowed) log.info({ ...fields, why: response.status?.message }, "refused");
      else log.debug(fields, "admitted");
      return response;
    } catch (error) {
      log.error({ ...fields, error: error instanceof Error ? error.message : String(error) }, "admission failed");
      throw error;
    }
  };
