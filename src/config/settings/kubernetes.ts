/** The API server. */
import { names, number, text, whole } from "../parse.ts";
import { setting } from "../setting.ts";

export const KUBERNETES = {
  kubeconfig: setting<string | undefined>({
    file: "kubernetes.kubeconfig",
    flag: "--kubeconfig <file>",
    env: "GROVE_AUTOSCALER_KUBECONFIG",
    about: "kubeconfig; default: $KUBECONFIG, ~/.kube/config, then the pod's service account",
    fallback: undefined,
    parse: text,
  }),
  context: setting<string | undefined>({
    file: "kubernetes.context",
    flag: "--context <name>",
    env: "GROVE_AUTOSCALER_CONTEXT",
    about: "context of the kubeconfig; default: its current one",
    fallback: undefined,
    parse: text,
  }),
  namespaces: setting<readonly string[] | undefined>({
    file: "kubernetes.namespaces",
    flag: "--namespace <name>",
    env: "GROVE_AUTOSCALER_NAMESPACES",
    about: "work in this namespace only; may be repeated, or names with commas; default: all",
    fallback: undefined,
    parse: names,
    isRepeatable: true,
  }),
  qps: setting({
    file: "kubernetes.qps",
    flag: "--kube-api-qps <number>",
    env: "GROVE_AUTOSCALER_KUBE_API_QPS",
    about: "requests a second to the API server",
    fallback: 100,
    parse: number({ above: 0 }),
  }),
  burst: setting({
    file: "kubernetes.burst",
    flag: "--kube-api-burst <number>",
    env: "GROVE_AUTOSCALER_KUBE_API_BURST",
    about: "requests that may go out at once above that rate",
    fallback: 120,
    parse: whole({ min: 1 }),
  }),
} as const;
