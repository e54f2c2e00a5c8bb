/**
 * Which API server to talk to and as whom, from a kubeconfig, the pod's service account, or given values.
 *
 * @kubernetes/client-node knows every way in (client certificates, tokens, token files, exec plugins, OIDC, proxies). It is
 * asked through its public `SecurityAuthentication` interface for the headers and the dispatcher of a request; the dispatcher
 * is kept, because client-node makes a new one, and so a new TLS connection, for each call.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import type { KubeConfig } from "@kubernetes/client-node";
import { Agent, type Dispatcher } from "undici";
import { parse } from "yaml";
import type { Clock } from "../clock.ts";

/** Projected service-account tokens rotate on disk; client-go reads them again at least every minute. */
const HEADERS_MAX_AGE_MS = 30_000;

/** What client-node makes up when it finds nothing. */
const NO_CONFIG = { context: "loaded-context", server: "http://localhost:8080" } as const;
/** Its name for the pod's service account. */
const IN_CLUSTER_USER = "inClusterUser";

export interface KubeConfigSource {
  /** Path of a kubeconfig; default: `$KUBECONFIG`, then `~/.kube/config`, then the pod's service account. */
  readonly kubeconfig?: string;
  readonly context?: string;
}

export interface KubeCredentials {
  /** `https://host:port`, without a slash at the end. */
  readonly serverUrl: string;
  /** Namespace of the context, or of the pod; `default` when it has none. */
  readonly namespace: string;
  /** Name of the kubeconfig's user entry; absent in a pod. */
  readonly user?: string;
  readonly dispatcher: Dispatcher;
  /** Authorization and the like; fresh enough to use now. `renew` asks the credential plugin again. */
  headers(renew?: boolean): Promise<Readonly<Record<string, string>>>;
}

/** Thrown when there is no usable configuration; the message names the way out. */
export class KubeConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "KubeConfigError";
  }
}

export async function loadCredentials(source: KubeConfigSource, clock: Clock): Promise<KubeCredentials> {
  // 0.6 s and 70 MB: only commands that talk to a cluster pay for it.
  const { KubeConfig: Config, RequestContext, HttpMethod } = await import("@kubernetes/client-node");
  const config = new Config();
  load(config, source);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    throw new KubeConfigError(
      `the kubeconfig has no cluster for context "${config.getCurrentContext()}": choose one with --context, or set KUBECONFIG`,
    );
  }
  if (config.getCurrentContext() === NO_CONFIG.context && cluster.server === NO_CONFIG.server) {
    throw new KubeConfigError(
      "there is no kubeconfig: set KUBECONFIG, pass --kubeconfig FILE, or put one at ~/.kube/config",
    );
  }
  const serverUrl = cluster.server.replace(/\/+$/, "");
  // client-node refuses plain http unless TLS verification is off, which says nothing about a server without TLS.
  if (serverUrl.startsWith("http:")) (cluster as { skipTLSVerify: boolean }).skipTLSVerify = true;

  const tokenFile = tokenFileOf(config, source);
  let headers: Record<string, string> = {};
  let dispatcher: Dispatcher | undefined;
  let readAtMs = Number.NEGATIVE_INFINITY;
  const authenticate = async (): Promise<void> => {
    const request = new RequestContext(`${serverUrl}/`, HttpMethod.GET);
    await config.applySecurityAuthentication(request);
    headers = { ...request.getHeaders() };
    if (tokenFile !== undefined) headers["Authorization"] = `Bearer ${readToken(tokenFile)}`;
    dispatcher ??= request.getDispatcher() as Dispatcher | undefined;
    readAtMs = clock.monotonicMs();
  };
  await authenticate();
  const context = config.getContextObject(config.getCurrentContext());
  const isInCluster = context?.user === IN_CLUSTER_USER;
  return {
    serverUrl,
    namespace: context?.namespace ?? "default",
    ...(context === null || isInCluster ? {} : { user: context.user }),
    dispatcher: dispatcher ?? new Agent({ keepAliveTimeout: 30_000 }),
    async headers(renew = false) {
      if (renew || clock.monotonicMs() - readAtMs > HEADERS_MAX_AGE_MS) await authenticate();
      return headers;
    },
  };
}

function readToken(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new KubeConfigError(`cannot read the token file ${file}: ${error instanceof Error ? error.message : error}`);
  }
}

/**
 * Of the current user, when there is one. client-node does not know `tokenFile` of a kubeconfig, and reads that of a pod once a minute, also when the
 * server has just refused the token that it keeps.
 */
function tokenFileOf(config: KubeConfig, { kubeconfig }: KubeConfigSource): string | undefined {
  const user = config.getCurrentUser();
  const projected: unknown = user?.authProvider?.config?.tokenFile;
  if (typeof projected === "string") return projected;
  const given = kubeconfig ?? process.env["KUBECONFIG"];
  const files = given === undefined ? [join(homedir(), ".kube/config")] : given.split(delimiter);
  for (const file of files) {
    if (file === "" || !existsSync(file)) continue;
    const { users = [] } = (parse(readFileSync(file, "utf8")) ?? {}) as RawKubeConfig;
    const found = users.find(({ name }) => name === user?.name);
    // Of several files the first that names the user counts.
    if (found !== undefined) {
      const path = found.user?.tokenFile;
      return path === undefined || path === "" ? undefined : resolve(dirname(file), path);
    }
  }
  return undefined;
}

interface RawKubeConfig {
  readonly users?: readonly { readonly name: string; readonly user?: { readonly tokenFile?: string } }[];
}

function load(config: KubeConfig, { kubeconfig, context }: KubeConfigSource): void {
  try {
    if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
    else config.loadFromDefault();
  } catch (error) {
    const from = kubeconfig ?? "KUBECONFIG or ~/.kube/config";
    // A parser's message goes on with a picture of the place.
    const [why] = String(error instanceof Error ? error.message : error).split("\n");
    throw new KubeConfigError(`cannot read the kubeconfig ${from}: ${why}`);
  }
  if (context === undefined) return;
  if (config.getContextObject(context) === null) {
    const known = config.getContexts().map(({ name }) => name);
    throw new KubeConfigError(
      `there is no context "${context}" in the kubeconfig; it has: ${known.join(", ") || "none"}`,
    );
  }
  config.setCurrentContext(context);
}
