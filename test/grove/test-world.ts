/** For tests: the embedded API server on virtual time with the operator, a scheduler and a kubelet in miniature. */
import { admit } from "../../src/api/admission.ts";
import { customResourceDefinitions } from "../../src/api/crds/all.ts";
import { POD_CLIQUE_SETS, type PodCliqueSetInput } from "../../src/api/grove/pod-clique-set.ts";
import type { CustomResourceDefinition } from "../../src/api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../../src/api/kubernetes/meta.ts";
import { VirtualClock } from "../../src/clock.ts";
import type { GangPhaseListener } from "../../src/grove/gang-phases.ts";
import { type GroveOperator, startGroveOperator } from "../../src/grove/operator.ts";
import type { OperatorSettings } from "../../src/grove/settings.ts";
import { ApiError } from "../../src/kube/api-error.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import type { Logger } from "../../src/log.ts";
import { seededRandom } from "../../src/random.ts";
import { createApiServer } from "../../src/sim/api-server/api-server.ts";
import { recordedApi, type Write } from "./recorded-api.ts";
import { startTinyKubelet } from "./tiny-kubelet.ts";

export interface TestWorld {
  readonly api: KubeApi;
  readonly clock: VirtualClock;
  readonly operator: GroveOperator;
  /** Writes of the operator since the last look, Events left out. */
  takeWrites(): readonly Write[];
  /** Error lines of the operator's log. */
  readonly problems: string[];
  /** Pods for which there is room; the scheduler binds no more. Unlimited at first. */
  setCapacity(pods: number): void;
  list<T extends KubeObject>(resource: Resource<T>): Promise<readonly T[]>;
  names(resource: Resource): Promise<readonly string[]>;
  /** Lets everything that can happen happen. */
  settle(durationMs?: number): Promise<void>;
  createSet(set: PodCliqueSetInput): Promise<void>;
  /** Kinds that come while the operator runs. */
  install(definitions: readonly CustomResourceDefinition[]): Promise<void>;
  /** Ends all watches and forgets history, as a restart of the API server does. */
  breakWatches(): void;
  stop(): Promise<void>;
}

const OPERATOR = "system:serviceaccount:grove:operator";

export interface TestWorldOptions {
  readonly seed?: number;
  /** Whether the API server refuses this write of the operator with an internal error. */
  readonly failsWrite?: () => boolean;
  readonly onGangPhase?: GangPhaseListener;
  /** That the operator looks after; all when absent. */
  readonly namespaces?: readonly string[];
  readonly settings?: Partial<OperatorSettings>;
  /** Kinds of others that are installed from the start. */
  readonly definitions?: readonly CustomResourceDefinition[];
  /** API groups that the operator finds not served, as on a cluster without them. */
  readonly absentGroups?: ReadonlySet<string>;
}

export async function startTestWorld(options: TestWorldOptions = {}): Promise<TestWorld> {
  const clock = new VirtualClock();
  const random = seededRandom(options.seed ?? 1);
  const server = createApiServer({
    clock,
    random,
    rejectionFault: ({ userInfo }) =>
      userInfo.username === OPERATOR && options.failsWrite?.() === true
        ? new ApiError(500, "InternalError", "injected")
        : undefined,
    admit: ({ operation, object, oldObject, subresource }) =>
      subresource === undefined
        ? admit({ operation, object, ...(oldObject !== undefined && { oldObject }) }, { nowMs: clock.nowMs() })
        : {},
  });
  await server.installCustomResources([...customResourceDefinitions(), ...(options.definitions ?? [])]);
  const stop = new AbortController();
  const writes: Write[] = [];
  const problems: string[] = [];
  const log: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (fields, message) => {
      problems.push(`${message} ${JSON.stringify(fields)}`);
    },
    child: () => log,
  };
  const api = server.api;
  const operator = startGroveOperator({
    api: recordedApi(withoutGroups(server.apiAs({ username: OPERATOR }), options.absentGroups), writes),
    clock,
    random,
    signal: stop.signal,
    log,
    ...(options.settings !== undefined && { settings: options.settings }),
    ...(options.onGangPhase !== undefined && { onGangPhase: options.onGangPhase }),
    ...(options.namespaces !== undefined && { namespaces: options.namespaces }),
  });
  const world: TestWorld = {
    api,
    clock,
    operator,
    problems,
    setCapacity: (pods) => kubelet.setCapacity(pods),
    takeWrites: () => writes.splice(0),
    list: async (resource) => (await api.list(resource)).items,
    names: async (resource) => (await api.list(resource)).items.map(({ metadata }) => metadata.name).sort(),
    settle: (durationMs = 20_000) => clock.advance(durationMs),
    createSet: async (set) => {
      await api.create(POD_CLIQUE_SETS, set as never);
    },
    install: (definitions) => server.installCustomResources(definitions),
    breakWatches() {
      server.compact();
      server.disconnectWatches();
    },
    async stop() {
      stop.abort();
      await server.stop();
      await clock.settle();
    },
  };
  const kubelet = startTinyKubelet({ api, clock, signal: stop.signal });
  await clock.advance(1000);
  await operator.ready;
  return world;
}

/** Lists of these groups fail as those of unknown kinds do. */
function withoutGroups(api: KubeApi, groups: ReadonlySet<string> = new Set()): KubeApi {
  return {
    ...api,
    list: async (resource, options) => {
      if (!groups.has(resource.group)) return api.list(resource, options);
      throw new ApiError(404, "NotFound", "the server could not find the requested resource");
    },
  };
}
