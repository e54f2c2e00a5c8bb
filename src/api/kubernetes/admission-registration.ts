/** Which webhooks an API server calls (admissionregistration.k8s.io/v1). */
import type { KubeObject, Resource } from "./meta.ts";

export interface WebhookConfiguration extends KubeObject {
  readonly webhooks?: readonly {
    readonly name: string;
    readonly clientConfig: {
      /** PEM in base64: whom the API server trusts to be the webhook. */
      readonly caBundle?: string;
      readonly [field: string]: unknown;
    };
    readonly [field: string]: unknown;
  }[];
}

export const MUTATING_WEBHOOK_CONFIGURATIONS: Resource<WebhookConfiguration> = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "MutatingWebhookConfiguration",
  plural: "mutatingwebhookconfigurations",
  namespaced: false,
};
export const VALIDATING_WEBHOOK_CONFIGURATIONS: Resource<WebhookConfiguration> = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  kind: "ValidatingWebhookConfiguration",
  plural: "validatingwebhookconfigurations",
  namespaced: false,
};
