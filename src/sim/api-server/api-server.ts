/**
 * The embedded Kubernetes API server: one store with two doors, `api` for the same process and `listen` for HTTP.
 *
 * Same answers as a real kube-apiserver, held to it by `test/conformance/api-server.ts`; the controllers that clients
 * rely on (owner garbage collection, namespaces, service accounts, CRDs) are built in and take no time.
 */
import { CUSTOM_RESOURCE_DEFINITIONS, type CustomResourceDefinition } from "../../api/kubernetes/core.ts";
import type { ObjectKey } from "../../api/kubernetes/meta.ts";
import type { Clock } from "../../clock.ts";
import { ApiError } from "../../kube/api-error.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import type { Random } from "../../random.ts";
import { builtinKinds } from "./builtin-kinds.ts";
import type { Admit, Core, RejectionFault, UserInfo } from "./core.ts";
import { startCrdController } from "./crd-controller.ts";
import { type Authorize, directApi } from "./direct-api.ts";
import { startGarbageCollector } from "./garbage-collector.ts";
import { type Listening, type ListenOptions, listen } from "./http/listen.ts";
import { KindRegistry } from "./kind.ts";
import { createInitialNamespaces, startNamespaceControllers } from "./namespace-controllers.ts";
import { Store, type StoreOptions } from "./store.ts";

export interface ApiServerOptions extends StoreOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly admit?: Admit;
  readonly authorize?: Authorize;
  /** Fault injection: asked before each write, an error it returns is thrown instead. */
  readonly rejectionFault?: RejectionFault;
  /** Text of `kubectl logs`; undefined where there is none. */
  readonly podLog?: (
    pod: ObjectKey,
    options: { readonly container?: string; readonly tailLines?: number },
  ) => string | undefined;
  /** PEM text for `ca.crt` in token Secrets. */
  readonly caCertificate?: string;
  /** Fault injection: how late token Secrets are filled in. */
  readonly tokenDelayMs?: number;
}

export interface ApiServer {
  /** The store as an administrator sees it. */
  readonly api: KubeApi;
  /** The same for a named user: field manager, admission and `authorize` see it. */
  apiAs(user: UserInfo): KubeApi;
  /** Creates or replaces definitions; their kinds are in service when this resolves. */
  installCustomResources(definitions: readonly CustomResourceDefinition[]): Promise<void>;
  /** Opens the HTTP door on loopback; `stop` closes it too. */
  listen(options?: ListenOptions): Promise<Listening>;
  /** Ends all open watches, as a restart of a server does. */
  disconnectWatches(): void;
  /** Forgets history, so that watches and lists from older versions get 410. */
  compact(): void;
  /** Latest resource version. */
  resourceVersion(): string;
  stop(): Promise<void>;
}

const ADMIN: UserInfo = { username: "grove-autoscaler", groups: ["system:masters", "system:authenticated"] };

export function createApiServer(options: ApiServerOptions): ApiServer {
  const { clock, random, admit, rejectionFault, authorize, caCertificate = "", tokenDelayMs = 0 } = options;
  const store = new Store(options);
  const kinds = new KindRegistry();
  for (const kind of builtinKinds()) kinds.add(kind);
  let services = 0;
  const core: Core = {
    clock,
    random,
    store,
    kinds,
    admit,
    rejectionFault,
    // 10.96.0.0/16, the usual service range; .0.1 is the API server's own.
    nextClusterIp() {
      services++;
      return `10.96.${((services + 1) >> 8) & 255}.${(services + 1) & 255}`;
    },
  };
  startCrdController(core);
  startGarbageCollector(core);
  startNamespaceControllers(core, { caCertificate, tokenDelayMs });
  createInitialNamespaces(core);
  const api = directApi(core, ADMIN, authorize);
  const fronts: Listening[] = [];

  return {
    api,
    apiAs: (user) => directApi(core, user, authorize),
    async installCustomResources(definitions) {
      for (const definition of definitions) await install(api, definition);
    },
    disconnectWatches: () => store.closeSubscriptions(),
    compact: () => store.compact(),
    resourceVersion: () => String(store.version),
    async listen(listenOptions = {}) {
      const front = await listen(core, options, listenOptions);
      fronts.push(front);
      return front;
    },
    async stop() {
      store.closeSubscriptions();
      await Promise.all(fronts.splice(0).map((front) => front.close()));
    },
  };
}

async function install(api: KubeApi, definition: CustomResourceDefinition): Promise<void> {
  try {
    await api.create(CUSTOM_RESOURCE_DEFINITIONS, definition);
  } catch (error) {
    if (!(error instanceof ApiError && error.reason === "AlreadyExists")) throw error;
    const { resourceVersion } = (await api.get(CUSTOM_RESOURCE_DEFINITIONS, { name: definition.metadata.name }))
      .metadata;
    await api.update(CUSTOM_RESOURCE_DEFINITIONS, {
      ...definition,
      metadata: { ...definition.metadata, ...(resourceVersion !== undefined && { resourceVersion }) },
    });
  }
}
