/** The cluster that a command talks to: its flags, the way in, and what is said when that does not work out. */
import type { Command } from "commander";
import { request } from "undici";
import { apiVersionOf, type KubeObject, type Resource } from "../api/kubernetes/meta.ts";
import { parseTime } from "../api/kubernetes/time.ts";
import type { Clock } from "../clock.ts";
import { ApiError, isUnknownResource } from "../kube/api-error.ts";
import { createKubeClient } from "../kube/client.ts";
import { KubeConfigError, type KubeCredentials, loadCredentials } from "../kube/credentials.ts";
import type { KubeApi } from "../kube/kube-api.ts";
import { CommandError, UsageError } from "./errors.ts";
import type { Terminal } from "./terminal.ts";

export const FIELD_MANAGER = "grove-autoscaler-cli";

export interface ClusterFlags {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly allNamespaces?: true;
}

export interface Cluster {
  readonly api: KubeApi;
  /** Of `--namespace`, else of the context. */
  readonly namespace: string;
  /** Who the cluster says we are; else the kubeconfig's name for it. Absent when nobody knows. */
  readonly user?: string;
  readonly serverUrl: string;
  /** `v1.34.1`; undefined when the server does not say. */
  version(): Promise<string | undefined>;
  /** The time now by the cluster's clock: what it stamps is compared with this, and not with a laptop's idea of the time. */
  nowMs(): number;
}

export function withClusterFlags(command: Command, { isForAllNamespaces = false } = {}): Command {
  command
    .option("--kubeconfig <file>", "kubeconfig file (default: $KUBECONFIG, ~/.kube/config, then the pod's own account)")
    .option("--context <name>", "context of the kubeconfig")
    .option("-n, --namespace <name>", "namespace (default: that of the context)");
  if (isForAllNamespaces) command.option("-A, --all-namespaces", "look in all namespaces");
  return command;
}

/** Runs `use` with a cluster; whatever the cluster refuses becomes one line. */
export async function withCluster<T>(
  { kubeconfig, context, namespace, allNamespaces }: ClusterFlags,
  { clock }: Terminal,
  use: (cluster: Cluster) => Promise<T>,
): Promise<T> {
  if (namespace !== undefined && allNamespaces === true) {
    throw new UsageError("--namespace and --all-namespaces exclude one another: keep one of the two");
  }
  const credentials = await loadCredentials(
    { ...(kubeconfig === undefined ? {} : { kubeconfig }), ...(context === undefined ? {} : { context }) },
    clock,
  ).catch((error: unknown) => {
    if (error instanceof KubeConfigError) throw new UsageError(error.message);
    throw new CommandError(`cannot log in to the cluster: ${firstLine(error)}`);
  });
  try {
    const api = createKubeClient({ credentials, clock, userAgent: FIELD_MANAGER });
    const { user = credentials.user, skewMs } = await askWhoAndWhen(api, clock);
    return await use({
      api,
      namespace: namespace ?? credentials.namespace,
      serverUrl: credentials.serverUrl,
      version: () => versionOf(credentials),
      nowMs: () => clock.nowMs() + skewMs,
      ...(user === undefined ? {} : { user }),
    });
  } catch (error) {
    throw describeFailure(error, credentials.serverUrl);
  } finally {
    await credentials.dispatcher.destroy().catch(() => undefined);
  }
}

async function versionOf({ serverUrl, dispatcher, headers }: KubeCredentials): Promise<string | undefined> {
  const { body } = await request(`${serverUrl}/version`, { dispatcher, headers: await headers() });
  const { gitVersion } = (await body.json()) as { readonly gitVersion?: string };
  return gitVersion;
}

export interface SelfSubjectReview extends KubeObject {
  readonly status?: { readonly userInfo?: { readonly username?: string } };
}

export const SELF_SUBJECT_REVIEWS: Resource<SelfSubjectReview> = {
  group: "authentication.k8s.io",
  version: "v1",
  kind: "SelfSubjectReview",
  plural: "selfsubjectreviews",
  namespaced: false,
};

/** Timestamps are whole seconds, and the answer took a moment. */
const SKEW_MIN_MS = 2_000;

/** Everybody may ask this (Kubernetes 1.28 and later); without an answer the local clock has to do. */
async function askWhoAndWhen(api: KubeApi, clock: Clock): Promise<{ readonly user?: string; readonly skewMs: number }> {
  const draft: SelfSubjectReview = {
    apiVersion: apiVersionOf(SELF_SUBJECT_REVIEWS),
    kind: SELF_SUBJECT_REVIEWS.kind,
    metadata: { name: "" },
  };
  const review = await api.create(SELF_SUBJECT_REVIEWS, draft).catch((error: unknown) => {
    if (error instanceof ApiError && error.code !== 401) return undefined;
    throw error;
  });
  const skewMs = parseTime(review?.metadata?.creationTimestamp ?? "") - clock.nowMs();
  const user = review?.status?.userInfo?.username;
  return { skewMs: Math.abs(skewMs) >= SKEW_MIN_MS ? skewMs : 0, ...(user === undefined ? {} : { user }) };
}

/** What the API server, or the way to it, said; anything else is a bug of ours and stays what it is. */
function describeFailure(error: unknown, serverUrl: string): unknown {
  if (error instanceof ApiError) return new CommandError(describeRefusal(error));
  if (error instanceof SyntaxError) {
    return new CommandError(
      `what answers at ${serverUrl} is no API server: its answer is not JSON; is it the right --context?`,
    );
  }
  const code = networkCode(error);
  if (code === undefined) return error;
  return new CommandError(
    `cannot reach the API server ${serverUrl}: ${code}; is it the right --context, and is the cluster up?`,
  );
}

/** What the cluster refused, as one line with the way out. */
export function describeRefusal(error: ApiError): string {
  const { code, reason, message } = error;
  if (code === 401)
    return `the cluster does not know who you are: ${message}; log in again, or choose another --context`;
  if (code === 403) return `not allowed: ${message}`;
  if (isUnknownResource(error)) {
    return "the cluster has not got the CRDs; install them: grove-autoscaler crds | kubectl apply --server-side -f -";
  }
  return `the cluster refuses (${code} ${reason}): ${message.trim().split("\n").join(" ")}`;
}

/** `ECONNREFUSED`, `UND_ERR_CONNECT_TIMEOUT`, `DEPTH_ZERO_SELF_SIGNED_CERT`, …: all that Node and undici name carry a code. */
function networkCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code } = error as { readonly code?: unknown };
  if (typeof code === "string" && /^[A-Z][A-Z0-9_]+$/.test(code) && !code.startsWith("ERR_INVALID")) return code;
  return networkCode(error.cause);
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";
