/** For tests: the embedded API server on virtual time with the operator, a scheduler and a kubelet in miniature. */
import { admit } from "../../src/api/admission.ts";
import { customResourceDefinitions } from "../../src/api/crds/all.ts";
import { POD_CLIQUE_SETS, type PodCliqueSetInput } from "../../src/api/grove/pod-clique-set.ts";
import { isTerminating, PODS, type Pod, podCondition } from "../../src/api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../../src/api/kubernetes/meta.ts";
import { formatTime } from "../../src/api/kubernetes/time.ts";
import { VirtualClock } from "../../src/clock.ts";
import { type GroveOperator, startGroveOperator } from "../../src/grove/operator.ts";
import { ApiError } from "../../src/kube/api-error.ts";
import { startInformer } from "../../src/kube/informer.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import type { Logger } from "../../src/log.ts";
import { seededRandom } from "../../src/random.ts";
import { createApiServer } from "../../src/sim/api-server/api-server.ts";

export interface Write {
  readonly verb: string;
  readonly plural: string;
  readonly name: string;
  readonly subresource?: string;
}

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
  /** Ends all watches and forgets history, as a restart of the API server does. */
  breakWatches(): void;
  stop(): Promise<void>;
}

const OPERATOR = "system:serviceaccount:grove:operator";

export interface TestWorldOptions {
  readonly seed?: number;
  /** Whether the API server refuses this write of the operator with an internal error. */
  readonly failsWrite?: () => boolean;
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
  await server.installCustomResources(customResourceDefinitions());
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
    api: recorded(server.apiAs({ username: OPERATOR }), writes),
    clock,
    random,
    signal: stop.signal,
    log,
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
  const kubelet = startTinyKubelet(world, stop.signal);
  await clock.advance(1000);
  await operator.ready;
  return world;
}

/** Binds each ungated pod while there is room, makes it ready a second later, and ends terminating ones at once. */
function startTinyKubelet({ api, clock }: TestWorld, signal: AbortSignal): { setCapacity(pods: number): void } {
  let capacity = Number.POSITIVE_INFINITY;
  const pods = startInformer({ api, clock, random: seededRandom(9), signal, resource: PODS });
  const handled = new Set<string>();
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    try {
      await work();
    } catch {
      // The pod went in between; its next event says so.
    }
  };
  const visit = (pod: Pod): void => {
    const key = { namespace: pod.metadata.namespace ?? "", name: pod.metadata.name };
    if (isTerminating(pod)) {
      void attempt(() => api.delete(PODS, key, { gracePeriodSeconds: 0 }));
      return;
    }
    const uid = pod.metadata.uid ?? "";
    if (handled.has(uid) || (pod.spec.schedulingGates ?? []).length > 0) return;
    const bound = pods.list().filter(({ metadata }) => handled.has(metadata.uid ?? "")).length;
    if (bound >= capacity) return;
    handled.add(uid);
    void attempt(() => start(key));
  };
  const start = async (key: { readonly namespace: string; readonly name: string }): Promise<void> => {
    const target = { apiVersion: "v1", kind: "Node", name: `node-${key.name}` };
    const binding = { apiVersion: "v1", kind: "Binding", metadata: key, target };
    await api.createSubresource(PODS, key, "binding", binding as never);
    await clock.sleep(1000, signal);
    const time = formatTime(clock.nowMs());
    const pod = await api.get(PODS, key);
    const conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
      type,
      status: "True",
      lastTransitionTime: podCondition(pod, type)?.lastTransitionTime ?? time,
    }));
    await api.patch(
      PODS,
      key,
      {
        status: {
          phase: "Running",
          conditions,
          containerStatuses: pod.spec.containers.map(({ name }) => ({
            name,
            ready: true,
            started: true,
            restartCount: 0,
            image: "",
            imageID: "",
          })),
        },
      },
      { type: "merge", subresource: "status" },
    );
  };
  const visitAll = (): void => {
    for (const pod of pods.list()) visit(pod);
  };
  pods.onChange(({ after }) => {
    if (after !== undefined) visit(after);
    else if (Number.isFinite(capacity)) visitAll();
  });
  return {
    setCapacity(pods) {
      capacity = pods;
      visitAll();
    },
  };
}

function recorded(api: KubeApi, writes: Write[]): KubeApi {
  const note = (verb: string, plural: string, name: string, subresource?: string): void => {
    if (plural !== "events") writes.push({ verb, plural, name, ...(subresource !== undefined && { subresource }) });
  };
  return {
    ...api,
    create(resource, object, options) {
      note("create", resource.plural, object.metadata.name || (object.metadata.generateName ?? ""));
      return api.create(resource, object, options);
    },
    update(resource, object, options) {
      note("update", resource.plural, object.metadata.name, options?.subresource);
      return api.update(resource, object, options);
    },
    patch(resource, key, patch, options) {
      note("patch", resource.plural, key.name, options.subresource);
      return api.patch(resource, key, patch, options);
    },
    delete(resource, key, options) {
      note("delete", resource.plural, key.name);
      return api.delete(resource, key, options);
    },
  };
}
