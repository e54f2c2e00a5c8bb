/** A scenario world in this process on virtual time: embedded API server, this operator, the gang scheduler and the kubelets of the embedded world. */
import { admit } from "../../../src/api/admission.ts";
import { customResourceDefinitions } from "../../../src/api/crds/all.ts";
import type { CustomResourceDefinition } from "../../../src/api/kubernetes/core.ts";
import { guardWrites } from "../../../src/cli/run/guarded-api.ts";
import { VirtualClock } from "../../../src/clock.ts";
import { startGroveOperator } from "../../../src/grove/operator.ts";
import type { OperatorSettings } from "../../../src/grove/settings.ts";
import { startLeaderElection } from "../../../src/kube/lease.ts";
import { seededRandom } from "../../../src/random.ts";
import { createApiServer } from "../../../src/sim/api-server/api-server.ts";
import { KAI_DEFINITIONS } from "../fixtures/scheduler-crds.ts";
import { assembleWorld } from "./assemble.ts";
import { followCluster } from "./cluster-view.ts";
import { createFaults, type Faults } from "./faults.ts";
import { startHardware } from "./hardware.ts";
import { checkInvariants } from "./invariants.ts";
import { createScenarioNodes } from "./nodes.ts";
import { problemLog } from "./problem-log.ts";
import type { ScenarioWorld } from "./scenario-world.ts";
import { admissionWith, SCENARIO_SETTINGS } from "./settings.ts";

export interface EmbeddedWorld extends ScenarioWorld {
  readonly clock: VirtualClock;
  readonly faults: Faults;
  /** Kills one of the operators; another starts after `afterMs`, or never. */
  killOperator(index: number, afterMs?: number): void;
  /** Error lines of the operator's log. */
  readonly problems: readonly string[];
  /** Also throws what the invariants found. */
  stop(): Promise<void>;
}

export interface EmbeddedWorldOptions {
  readonly seed?: number;
  /** On top of {@link SCENARIO_SETTINGS}. */
  readonly settings?: Partial<OperatorSettings>;
  /** Of kinds that only some scenarios need. */
  readonly definitions?: readonly CustomResourceDefinition[];
  /** At work at the same time; default 1. */
  readonly operators?: number;
  /** Each operator works only while it holds the Lease that they share. */
  readonly withLease?: boolean;
  /** How late token Secrets are filled in. */
  readonly tokenDelayMs?: number;
  /** Two pods for one place may be made for a moment, and caches are seconds old: answers are lost, events late, or operators do not know of one another. */
  readonly toleratesTwins?: boolean;
}

const OPERATOR = "system:serviceaccount:grove-system:grove-operator";
const NAMESPACE = "default";
const UNTIL_LIMIT_MS = 240_000;
/** Nothing happened for so long: nothing will, but for long timers. */
const QUIET_MS = 10_000;
const RESTART_DELAY_MS = 1_000;
const STORMY = { twinsMs: 20_000, lagMs: 5_000 };
const LEASE = { namespace: "kube-system", name: "grove-operator-leader-election" };

export async function startEmbeddedWorld(options: EmbeddedWorldOptions = {}): Promise<EmbeddedWorld> {
  const clock = new VirtualClock();
  const random = seededRandom(options.seed ?? 1);
  const { definitions = [] } = options;
  const settings = { ...SCENARIO_SETTINGS, ...options.settings };
  const grove = admissionWith(settings);
  const server = createApiServer({
    clock,
    random,
    ...(options.tokenDelayMs !== undefined && { tokenDelayMs: options.tokenDelayMs }),
    admit: ({ operation, object, oldObject, subresource }) =>
      subresource === undefined
        ? admit({ operation, object, ...(oldObject !== undefined && { oldObject }) }, { grove, nowMs: clock.nowMs() })
        : {},
  });
  await server.installCustomResources([...customResourceDefinitions(), ...KAI_DEFINITIONS, ...definitions]);
  const { api } = server;
  const stop = new AbortController();
  const { signal } = stop;
  const { log, problems } = problemLog();

  const faults = createFaults({
    clock,
    breakWatches() {
      server.compact();
      server.disconnectWatches();
    },
  });
  const operators: AbortController[] = [];
  function killOperator(index: number, afterMs?: number): void {
    operators[index]?.abort(new Error("killed"));
    if (afterMs !== undefined) clock.setTimer(afterMs, () => void startOperator(index));
  }
  let processes = 0;
  async function startOperator(index: number): Promise<void> {
    if (signal.aborted) return;
    const life = new AbortController();
    operators[index] = life;
    const process = {
      signal: life.signal,
      crash() {
        // Requests that were under way when it died do not kill the next one.
        if (!life.signal.aborted) killOperator(index, RESTART_DELAY_MS);
      },
    };
    const operatorApi = faults.throughFaults(server.apiAs({ username: OPERATOR }), process);
    const common = { clock, random, log };
    if (options.withLease !== true) {
      startGroveOperator({ ...common, api: operatorApi, signal: life.signal, settings });
      return;
    }
    const leadership = startLeaderElection({
      ...common,
      ...LEASE,
      api: operatorApi,
      signal: life.signal,
      identity: `operator-${index}-${processes++}`,
    });
    await leadership.acquired;
    const work = AbortSignal.any([life.signal, leadership.lost]);
    const { api: guarded, close } = guardWrites(operatorApi);
    // As the process does it: nothing is written from that moment on, and the next process starts from nothing.
    leadership.lost.addEventListener("abort", () => {
      void close();
      process.crash();
    });
    startGroveOperator({ ...common, api: guarded, signal: work, settings });
  }
  signal.addEventListener(
    "abort",
    () => {
      for (const each of operators) each.abort();
    },
    { once: true },
  );

  const nodeNames = await createScenarioNodes(api, { clock, prefix: "agent" });
  const cluster = followCluster({ api, clock, signal, namespace: NAMESPACE });
  const invariants = checkInvariants(cluster, clock, options.toleratesTwins === true ? STORMY : {});
  const hardware = startHardware({ api, clock, random, signal });
  for (let index = 0; index < (options.operators ?? 1); index++) void startOperator(index);
  await clock.advance(1_000);
  await cluster.synced;

  let changes = 0;
  cluster.onAnyChange(() => {
    changes++;
  });
  // A lease is renewed for ever.
  const currentVersion = (): string =>
    options.withLease === true ? `${changes} ${faults.writeCount()}` : server.resourceVersion();

  const world = assembleWorld({
    api,
    clock,
    namespace: NAMESPACE,
    nodeNames,
    admission: grove,
    terminationDelayMs: 10_000,
    cluster,
    problems,
    crashPod: (name) => hardware.crashPod(`${NAMESPACE}/${name}`),
    waitFor: (holds) => clock.advanceUntil(holds, UNTIL_LIMIT_MS),
    watchFor: async (holds, forMs) => !(await clock.advanceUntil(() => !holds(), forMs)),
    pass: (durationMs) => clock.advance(durationMs),
    async settle() {
      let version = "";
      while (version !== currentVersion()) {
        version = currentVersion();
        await clock.advance(QUIET_MS);
      }
    },
  });
  return {
    ...world,
    clock,
    faults,
    killOperator,
    problems,
    async stop() {
      stop.abort();
      await server.stop();
      await clock.settle();
      invariants.throwIfBroken();
    },
  };
}
