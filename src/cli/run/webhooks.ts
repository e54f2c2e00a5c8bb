/**
 * The webhook server of `run`: the rules of our own kinds, under certificates of its own authority. Every replica serves it; the certificates are shared
 * through a Secret.
 */
import { type PolicyAdmissionOptions, reviewChanges } from "../../autoscaler/policy-admission.ts";
import type { Clock } from "../../clock.ts";
import { startProvisioning } from "../../grove/certificates/provision.ts";
import { ALLOWED, answerReview, type ReviewHandler, refuseFields } from "../../grove/webhooks/admission-review.ts";
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
  readonly log: Logger;
  readonly metrics: RuntimeMetrics;
  /** Of the Service and of the Secret with the certificates. */
  readonly namespace: string;
  readonly address: string;
  readonly port: number;
  /** Policies of other namespaces are not compared with their surroundings; absent: all are. */
  readonly namespaces?: readonly string[];
}

/** Rejects when the address is taken. */
export async function startPolicyWebhooks(options: PolicyWebhooksOptions): Promise<WebhookServer> {
  const { api, clock, namespace, namespaces, address, port, log } = options;
  const validate = validateOurKinds({
    api,
    nowMs: () => clock.nowMs(),
    ...(namespaces !== undefined && { namespaces }),
  });
  const server = await startWebhookServer({
    address,
    port,
    routes: { "/webhooks/validate-autoscaling": (body) => answerReview(body, validate) },
  });
  const end = new AbortController();
  startProvisioning({
    ...options,
    signal: end.signal,
    secretName: "grove-autoscaler-webhook-cert",
    labels: { "app.kubernetes.io/name": NAME, "app.kubernetes.io/component": "webhook" },
    names: certificateNames(namespace, address, true, SERVICE),
    configurations: [{ kind: "ValidatingWebhookConfiguration", name: NAME }],
    onCertificate: ({ certificate, privateKey }) => server.setCertificate(certificate, privateKey),
  });
  log.info({ port: server.port, namespace }, "webhook server is up");
  return {
    ...server,
    async close() {
      // Its watches would keep the connections to the API server open.
      end.abort(new Error("the webhook server is closing"));
      await server.close();
    },
  };
}

export function validateOurKinds(options: PolicyAdmissionOptions): ReviewHandler {
  const review = reviewChanges(options);
  return async (request) => {
    const { operation, object, oldObject, namespace, subResource = "" } = request;
    if ((operation !== "CREATE" && operation !== "UPDATE") || subResource !== "" || !object) return ALLOWED;
    const { errors, warnings } = await review({
      operation,
      object,
      ...(oldObject && { oldObject }),
      ...(namespace && { namespace }),
    });
    const answer = errors.length === 0 ? ALLOWED : refuseFields(request, errors);
    return warnings.length === 0 ? answer : { ...answer, warnings };
  };
}
