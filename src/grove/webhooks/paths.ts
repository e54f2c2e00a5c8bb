/** Where the webhooks are, and which configurations of the cluster call them (grove.md 8.2). */

export const WEBHOOK_PATHS = {
  defaultPodCliqueSet: "/webhooks/default-podcliqueset",
  validatePodCliqueSet: "/webhooks/validate-podcliqueset",
  validateClusterTopology: "/webhooks/validate-clustertopology",
  authorizer: "/webhooks/authorizer-webhook",
} as const;

export interface WebhookConfigurationRef {
  readonly kind: "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration";
  readonly name: string;
}

export function webhookConfigurations({
  authorizer,
}: {
  readonly authorizer: boolean;
}): readonly WebhookConfigurationRef[] {
  return [
    { kind: "MutatingWebhookConfiguration", name: "podcliqueset-defaulting-webhook" },
    { kind: "ValidatingWebhookConfiguration", name: "podcliqueset-validating-webhook" },
    { kind: "ValidatingWebhookConfiguration", name: "clustertopology-validating-webhook" },
    ...(authorizer ? [{ kind: "ValidatingWebhookConfiguration", name: "authorizer-webhook" } as const] : []),
  ];
}
