/** A kubeconfig for the embedded server, as YAML text (JSON is YAML). */
export interface KubeconfigOptions {
  readonly url: string;
  readonly token?: string;
  readonly namespace?: string;
  readonly clusterName?: string;
}

export function kubeconfigFor({
  url,
  token,
  namespace = "default",
  clusterName = "embedded",
}: KubeconfigOptions): string {
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: clusterName, cluster: { server: url } }],
    users: [{ name: clusterName, user: token === undefined ? {} : { token } }],
    contexts: [{ name: clusterName, context: { cluster: clusterName, user: clusterName, namespace } }],
    "current-context": clusterName,
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
