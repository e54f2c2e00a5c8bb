/**
 * The embedded world: API server, GPU nodes with their kubelets, gang scheduler, engines, Prometheus.
 *
 * It runs on whatever clock it is given. In process everything is a direct call; `openDoors` puts HTTP in front of the API server, the engines and
 * Prometheus, for kubectl and for the same adapters that a real cluster gets.
 */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { request as httpRequest } from "undici";
import { admit } from "../api/admission.ts";
import { customResourceDefinitions } from "../api/crds/all.ts";
import { NAMESPACES } from "../api/kubernetes/core.ts";
import type { KubeObject } from "../api/kubernetes/meta.ts";
import type { Clock } from "../clock.ts";
import { isAlreadyExists } from "../kube/api-error.ts";
import type { KubeApi } from "../kube/kube-api.ts";
import type { Logger } from "../log.ts";
import type { MetricsSource } from "../observe/metrics-source.ts";
import type { Random } from "../random.ts";
import { type ApiServer, createApiServer } from "./api-server/api-server.ts";
import { createDataPlane, type DataPlane } from "./engines/data-plane.ts";
import type { EngineProfile } from "./engines/profiles.ts";
import type { Routing } from "./engines/routing.ts";
import { createNodes } from "./kubelet/create-nodes.ts";
import { type Kubelet, startKubelet } from "./kubelet/kubelet.ts";
import type { StartupTimes } from "./kubelet/startup.ts";
import { createPrometheus, type Prometheus } from "./prometheus/prometheus.ts";
import type { ScrapeTarget } from "./prometheus/scraper.ts";
import { startScheduler } from "./scheduler/scheduler.ts";

export interface WorldOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
  readonly nodes?: number;
  readonly gpusPerNode?: number;
  /** Multiplies the measured start-up times of the engines (minutes for large models). */
  readonly startupScale?: number;
  /** Instead of those of the profiles. */
  readonly startup?: StartupTimes;
  /** Beside the built-in ones. */
  readonly profiles?: Readonly<Record<string, EngineProfile>>;
  /** What a client waits for its first token. */
  readonly firstTokenTimeoutMs?: number;
  readonly scrapeIntervalMs?: number;
  /** Default: least-loaded. */
  readonly routing?: Routing;
  /** Engines keep prompt blocks and reuse them. Default: false. */
  readonly prefixCaching?: boolean;
  /** What Prometheus gets of the targets at a scrape. Default: all. */
  readonly scraped?: (targets: readonly ScrapeTarget[]) => readonly ScrapeTarget[];
  readonly namespaces?: readonly string[];
  readonly log?: Logger;
}

export interface World {
  readonly apiServer: ApiServer;
  readonly api: KubeApi;
  readonly dataPlane: DataPlane;
  readonly kubelet: Kubelet;
  readonly prometheus: Prometheus;
  readonly metricsSource: MetricsSource;
}

const DEFAULT_NODES = 8;
const DEFAULT_GPUS_PER_NODE = 8;
const DEFAULT_SCRAPE_INTERVAL_MS = 5_000;

export async function createWorld(options: WorldOptions, doors?: EngineDoor): Promise<World> {
  const { clock, random, signal, log } = options;
  const apiServer = createApiServer({ clock, random, admit: admission });
  const { api } = apiServer;
  await apiServer.installCustomResources(customResourceDefinitions());
  for (const name of options.namespaces ?? []) await createNamespace(api, name);

  const { profiles, firstTokenTimeoutMs, startup, routing, prefixCaching, scraped = (targets) => targets } = options;
  const dataPlane = createDataPlane({
    clock,
    ...(profiles === undefined ? {} : { profiles }),
    ...(firstTokenTimeoutMs === undefined ? {} : { firstTokenTimeoutMs }),
    ...(routing === undefined ? {} : { routing }),
    ...(prefixCaching === undefined ? {} : { prefixCaching }),
  });
  doors?.serve(dataPlane);
  const shared = { api, clock, random, signal, ...(log === undefined ? {} : { log }) };
  const kubelet = startKubelet({
    ...shared,
    dataPlane,
    startupScale: options.startupScale ?? 1,
    ...(startup === undefined ? {} : { startup }),
  });
  startScheduler(shared);
  await createNodes(api, {
    clock,
    count: options.nodes ?? DEFAULT_NODES,
    gpusPerNode: options.gpusPerNode ?? DEFAULT_GPUS_PER_NODE,
  });

  const prometheus = createPrometheus({
    clock,
    scrapeIntervalMs: options.scrapeIntervalMs ?? DEFAULT_SCRAPE_INTERVAL_MS,
    targets: () =>
      scraped(
        doors === undefined ? dataPlane.targets() : dataPlane.targets().map((target) => overHttp(target, doors.url)),
      ),
  });
  prometheus.run(signal).catch(() => undefined);
  return { apiServer, api, dataPlane, kubelet, prometheus, metricsSource: prometheus.source };
}

/** What the webhooks answer on a real cluster. */
const admission: NonNullable<Parameters<typeof createApiServer>[0]["admit"]> = ({
  operation,
  subresource,
  object,
  oldObject,
}) => {
  if (subresource !== undefined) return {};
  return admit({
    operation,
    object: object as KubeObject,
    ...(oldObject === undefined ? {} : { oldObject: oldObject as KubeObject }),
  }) as ReturnType<NonNullable<Parameters<typeof createApiServer>[0]["admit"]>>;
};

export async function createNamespace(api: KubeApi, name: string): Promise<void> {
  try {
    await api.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

/** The HTTP address of the engines' `/metrics`; open before the world is, so that targets know it. */
export interface EngineDoor {
  readonly url: string;
  serve(dataPlane: DataPlane): void;
  close(): Promise<void>;
}

export async function openEngineDoor(): Promise<EngineDoor> {
  let dataPlane: DataPlane | undefined;
  const server = createServer((request, response) => {
    if (dataPlane !== undefined) dataPlane.httpHandler(request, response);
    else response.writeHead(503).end();
  });
  const url = await listenOnLoopback(server);
  return {
    url,
    serve(plane) {
      dataPlane = plane;
    },
    close: () => closeServer(server),
  };
}

/** The Prometheus HTTP API on a loopback port. */
export async function openPrometheusDoor({
  httpHandler,
}: Prometheus): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer(httpHandler);
  const url = await listenOnLoopback(server);
  return { url, close: () => closeServer(server) };
}

function overHttp(target: ScrapeTarget, baseUrl: string): ScrapeTarget {
  const path = target.labels["__metrics_path__"];
  if (path === undefined) return target;
  return {
    labels: target.labels,
    async scrape() {
      const { statusCode, body } = await httpRequest(`${baseUrl}${path}`);
      const text = await body.text();
      if (statusCode !== 200) throw new Error(`HTTP ${statusCode}`);
      return text;
    },
  };
}

function listenOnLoopback(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      resolve(`http://127.0.0.1:${port}`);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
