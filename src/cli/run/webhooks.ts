/** The webhook server of `run`: defaults and rules of our own kinds, under certificates of its own authority. */

import { defaultOurKinds, validateOurKinds } from "../../autoscaler/policy-admission.ts";
import type { Clock } from "../../clock.ts";
import { startProvisioning } from "../../grove/certificates/provision.ts";
import { answerReview } from "../../grove/webhooks/admission-review.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { RuntimeMetrics } from "../../kube/runtime-metrics.ts";
import type { Logger } from "../../log.ts";
import type { Random } from "../../random.ts";
import { startWebhookServer, type WebhookServer } from "../../server/webhook-server.ts";
import { certificateNames } from "../operator/environment.ts";

const NAME = "grove-autoscaler";
/** The one of `deploy/webhooks`. */
const SERVICE = `${NAME}-webhooks`;

export interface PolicyWebhooksOptions {
  /** Without a rate limit: an API server waits for the answers. */
  readonly api: KubeApi;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly log: Logger;
  readonly metrics: RuntimeMetrics;
  /** Of the Service and of the Secret with the certificates. */
  readonly namespace: string;
  readonly address: string;
  readonly port: number;
}

/** Rejects when the address is taken. */
export async function startPolicyWebhooks(options: PolicyWebhooksOptions): Promise<WebhookServer> {
  const { api, clock, namespace, address, port, log } = options;
  const validate = validateOurKinds(api, () => clock.nowMs());
  const server = await startWebhookServer({
    address,
    port,
    routes: {
      "/webhooks/default-autoscaling": (body) => answerReview(body, defaultOurKinds),
      "/webhooks/validate-autoscaling": (body) => answerReview(body, validate),
    },
  });
  startProvisioning({
    ...options,
    secretName: "grove-autoscaler-webhook-cert",
    labels: { "app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "webhook" },
    names: certificateNames(namespace, address, true, SERVICE),
    configurations: [
      { kind: "MutatingWebhookConfiguration", name: NAME },
      { kind: "ValidatingWebhookConfiguration", name: NAME },
    ],
    onCertificate: ({ certificate, privateKey }) => server.setCertificate(certificate, privateKey),
  });
  log.info({ port: server.port, namespace }, "webhook server is up");
  return server;
}
