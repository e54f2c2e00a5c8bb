/** A scenario world in this process on virtual time: embedded API server, this operator, the gang scheduler and the kubelets of the embedded world. */
import { admit } from "../../../src/api/admission.ts";
import { customResourceDefinitions } from "../../../src/api/crds/all.ts";
import { VirtualClock } from "../../../src/clock.ts";
import { startGroveOperator } from "../../../src/grove/operator.ts";
import type { OperatorSettings } from "../../../src/grove/settings.ts";
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
import { SCENARIO_SETTINGS } from "./settings.ts";

export interface EmbeddedWorld extends ScenarioWorld {
  readonly clock: VirtualClock;
  readonly faults: Faults;
  /** Error lines of the operator's log. */
  readonly problems: readonly string[];
  /** Also throws what the invariants found. */
  stop(): Promise<void>;
}

export interface EmbeddedWorldOptions {
  readonly seed?: number;
  /** On top of {@link SCENARIO_SETTINGS}. */
  readonly settings?: Partial<OperatorSettings>;
}

const OPERATOR = "system:serviceaccount:grove-system:grove-operator";
const NAMESPACE = "default";
const UNTIL_LIMIT_MS = 240_000;
/** Nothing happened for so long: nothing will, but for long timers. */
const QUIET_MS = 10_000;
const RESTART_DELAY_MS = 1_000;

export async function startEmbeddedWorld(options: EmbeddedWorldOptions = {}): Promise<EmbeddedWorld> {
  const clock = new VirtualClock();
  const random = seededRandom(options.seed ?? 1);
  const server = createApiServer({
    clock,
    random,
    admit: ({ operation, object, oldObject, subresource }) =>
      subresource === undefined
        ? admit({ operation, object, ...(oldObject !== undefined && { oldObject }) }, { nowMs: clock.nowMs() })
        : {},
  });
  await server.installCustomResources([...customResourceDefinitions(), ...KAI_DEFINITIONS]);
  const { api } = server;
  const stop = new AbortController();
  const { signal } = stop;
  const { log, problems } = problemLog();

  let operatorStop = new AbortController();
  const faults = createFaults({
    clock,
    breakWatches() {
      server.compact();
      server.disconnectWatches();
    },
    restartOperator() {
      operatorStop.abort();
      clock.setTimer(RESTART_DELAY_MS, startOperator);
    },
  });
  function startOperator(): void {
    if (signal.aborted) return;
    operatorStop = new AbortController();
    startGroveOperator({
      api: faults.throughFaults(server.apiAs({ username: OPERATOR }), operatorStop.signal),
      clock,
      random,
      signal: operatorStop.signal,
      log,
      settings: { ...SCENARIO_SETTINGS, ...options.settings },
    });
  }
  signal.addEventListener("abort", () => operatorStop.abort(), { once: true });

  const nodeNames = await createScenarioNodes(api, { clock, prefix: "agent" });
  const cluster = followCluster({ api, clock, signal, namespace: NAMESPACE });
  const invariants = checkInvariants(cluster, clock);
  const hardware = startHardware({ api, clock, random, signal });
  startOperator();
  await clock.advance(1_000);
  await cluster.synced;

  const world = assembleWorld({
    api,
    clock,
    namespace: NAMESPACE,
    nodeNames,
    terminationDelayMs: 10_000,
    cluster,
    problems,
    crashPod: (name) => hardware.crashPod(`${NAMESPACE}/${name}`),
    waitFor: (holds) => clock.advanceUntil(holds, UNTIL_LIMIT_MS),
    watchFor: async (holds, forMs) => !(await clock.advanceUntil(() => !holds(), forMs)),
    pass: (durationMs) => clock.advance(durationMs),
    async settle() {
      let version = "";
      while (version !== server.resourceVersion()) {
        version = server.resourceVersion();
        await clock.advance(QUIET_MS);
      }
    },
  });
  return {
    ...world,
    clock,
    faults,
    problems,
    async stop() {
      stop.abort();
      await server.stop();
      await clock.settle();
      invariants.throwIfBroken();
    },
  };
}
