/**
 * Scenario worlds on a real kube-apiserver: several lanes in one cluster, each a namespace with 30 nodes, a scheduler and kubelets of its own, so that independent
 * scenarios run at the same time. One operator works for all.
 */
import { customResourceDefinitions } from "../../src/api/crds/all.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  type CustomResourceDefinition,
  NAMESPACES,
  SERVICE_ACCOUNTS,
} from "../../src/api/kubernetes/core.ts";
import { wallClock } from "../../src/clock.ts";
import { startGroveOperator } from "../../src/grove/operator.ts";
import type { OperatorSettings } from "../../src/grove/settings.ts";
import { isAlreadyExists } from "../../src/kube/api-error.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import { systemRandom } from "../../src/random.ts";
import { KAI_DEFINITIONS } from "../grove/fixtures/scheduler-crds.ts";
import { assembleWorld } from "../grove/scenarios/assemble.ts";
import { followCluster } from "../grove/scenarios/cluster-view.ts";
import { startHardware } from "../grove/scenarios/hardware.ts";
import { createScenarioNodes } from "../grove/scenarios/nodes.ts";
import { problemLog } from "../grove/scenarios/problem-log.ts";
import type { ScenarioWorld } from "../grove/scenarios/scenario-world.ts";
import { admissionWith, SCENARIO_SETTINGS } from "../grove/scenarios/settings.ts";
import { keepAlive, NODE_LABEL, onlyOf, openCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";

export interface RealWorlds {
  /** Error lines of the operator's log. */
  readonly problems: readonly string[];
  /** Further kinds; nothing is done where they are there already. */
  install(definitions: readonly CustomResourceDefinition[]): Promise<void>;
  /** Runs on a lane that is free, and leaves the lane as it was. */
  onLane(run: (world: ScenarioWorld) => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

const UNTIL_LIMIT_MS = 60_000;
const POLL_MS = 50;
/** No event of any followed kind for so long. */
const QUIET_MS = 1_500;
/** Several nodes that are uncordoned at once are as many requests: a scheduler that does not wait for all of them places other pods than one that does. */
const BATCH_MS = 200;
/** Long enough to tell "at once" from "after the delay"; a breach that is measured in whole seconds may be up to 1 s older. */
const TERMINATION_DELAY_MS = 4_000;

export interface RealWorldsOptions {
  readonly lanes: number;
  readonly settings?: OperatorSettings;
  /** Of kinds that only some scenarios need. */
  readonly definitions?: readonly CustomResourceDefinition[];
}

export async function openRealWorlds(options: RealWorldsOptions): Promise<RealWorlds> {
  const { lanes, settings = SCENARIO_SETTINGS, definitions = [] } = options;
  const clock = wallClock();
  const cluster = await openCluster();
  const { api } = cluster;
  const stop = new AbortController();
  const { signal } = stop;
  const { log, problems } = problemLog();
  const install = async (wanted: readonly CustomResourceDefinition[]): Promise<void> => {
    for (const definition of wanted) {
      await api.create(CUSTOM_RESOURCE_DEFINITIONS, definition).catch((error: unknown) => {
        if (!isAlreadyExists(error)) throw error;
      });
    }
    await eventually("all kinds to be served", async () => {
      const all = (await api.list(CUSTOM_RESOURCE_DEFINITIONS)).items;
      return all.every(({ status }) => conditionOf(status?.conditions, "Established")?.status === "True");
    });
  };
  await install([...customResourceDefinitions(), ...KAI_DEFINITIONS, ...definitions]);
  const operator = startGroveOperator({
    api,
    clock,
    random: systemRandom(),
    signal,
    log,
    settings,
  });
  const names = Array.from({ length: lanes }, (_, index) => `scenarios-${index + 1}`);
  const free = await Promise.all(names.map((namespace) => openLane({ api, namespace, signal, problems, settings })));
  await operator.ready;

  const waiting: ((world: ScenarioWorld) => void)[] = [];
  const take = (): Promise<ScenarioWorld> =>
    new Promise((resolve) => {
      const world = free.pop();
      if (world === undefined) waiting.push(resolve);
      else resolve(world);
    });
  const giveBack = (world: ScenarioWorld): void => {
    const next = waiting.shift();
    if (next === undefined) free.push(world);
    else next(world);
  };
  return {
    problems,
    install,
    async onLane(run) {
      const world = await take();
      try {
        await run(world);
      } finally {
        try {
          await world.cleanUp();
        } finally {
          giveBack(world);
        }
      }
    },
    async stop() {
      stop.abort();
      await cluster.stop();
    },
  };
}

export interface LaneOptions {
  readonly api: KubeApi;
  readonly namespace: string;
  readonly signal: AbortSignal;
  readonly problems: readonly string[];
  readonly settings: OperatorSettings;
}

export async function openLane({ api, namespace, signal, problems, settings }: LaneOptions): Promise<ScenarioWorld> {
  const clock = wallClock();
  await api.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  await eventually("the default account of the namespace", async () => {
    await api.get(SERVICE_ACCOUNTS, { namespace, name: "default" });
    return true;
  });
  const nodeNames = await createScenarioNodes(api, { clock, prefix: namespace, labels: { [NODE_LABEL]: namespace } });
  await keepAlive(api, { clock, signal, namespace, nodeNames });
  const kubelet = startHardware({
    api: onlyOf(api, namespace),
    clock,
    random: systemRandom(),
    signal,
    batchMs: BATCH_MS,
  });
  const cluster = followCluster({ api, clock, signal, namespace });
  await cluster.synced;
  let changedMs = clock.monotonicMs();
  cluster.onAnyChange(() => {
    changedMs = clock.monotonicMs();
  });
  /** Asks until the answer is yes or the time is over. */
  const poll = async (holds: () => boolean, limitMs: number): Promise<boolean> => {
    const endMs = clock.monotonicMs() + limitMs;
    while (!holds()) {
      if (clock.monotonicMs() > endMs) return false;
      await clock.sleep(POLL_MS);
    }
    return true;
  };
  return assembleWorld({
    api,
    clock,
    namespace,
    nodeNames,
    admission: admissionWith(settings),
    terminationDelayMs: TERMINATION_DELAY_MS,
    cluster,
    problems,
    crashPod: (name) => kubelet.crashPod(`${namespace}/${name}`),
    waitFor: (holds) => poll(holds, UNTIL_LIMIT_MS),
    watchFor: async (holds, forMs) => !(await poll(() => !holds(), forMs)),
    pass: (durationMs) => clock.sleep(durationMs),
    async settle() {
      await poll(() => clock.monotonicMs() - changedMs > QUIET_MS, UNTIL_LIMIT_MS);
    },
  });
}
