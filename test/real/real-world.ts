/**
 * Scenario worlds on a real kube-apiserver: several lanes in one cluster, each a namespace with 30 nodes, a scheduler and kubelets of its own, so that independent
 * scenarios run at the same time. One operator works for all.
 */
import { customResourceDefinitions } from "../../src/api/crds/all.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import { CUSTOM_RESOURCE_DEFINITIONS, NAMESPACES, SERVICE_ACCOUNTS } from "../../src/api/kubernetes/core.ts";
import { wallClock } from "../../src/clock.ts";
import { startGroveOperator } from "../../src/grove/operator.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import { systemRandom } from "../../src/random.ts";
import { KAI_DEFINITIONS } from "../grove/fixtures/scheduler-crds.ts";
import { assembleWorld } from "../grove/scenarios/assemble.ts";
import { followCluster } from "../grove/scenarios/cluster-view.ts";
import { startHardware } from "../grove/scenarios/hardware.ts";
import { createScenarioNodes } from "../grove/scenarios/nodes.ts";
import { problemLog } from "../grove/scenarios/problem-log.ts";
import type { ScenarioWorld } from "../grove/scenarios/scenario-world.ts";
import { SCENARIO_SETTINGS } from "../grove/scenarios/settings.ts";
import { keepAlive, NODE_LABEL, onlyOf, openCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";

export interface RealWorlds {
  /** Error lines of the operator's log. */
  readonly problems: readonly string[];
  /** Runs on a lane that is free, and leaves the lane as it was. */
  onLane(run: (world: ScenarioWorld) => Promise<void>): Promise<void>;
  stop(): Promise<void>;
}

const UNTIL_LIMIT_MS = 60_000;
const POLL_MS = 50;
/** No event of any followed kind for so long. */
const QUIET_MS = 1_500;
/** Long enough to tell "at once" from "after the delay"; a breach that is measured in whole seconds may be up to 1 s older. */
const TERMINATION_DELAY_MS = 4_000;

export async function openRealWorlds({ lanes }: { readonly lanes: number }): Promise<RealWorlds> {
  const clock = wallClock();
  const cluster = await openCluster();
  const { api } = cluster;
  const stop = new AbortController();
  const { signal } = stop;
  const { log, problems } = problemLog();
  for (const definition of [...customResourceDefinitions(), ...KAI_DEFINITIONS])
    await api.create(CUSTOM_RESOURCE_DEFINITIONS, definition);
  await eventually("all kinds to be served", async () => {
    const all = (await api.list(CUSTOM_RESOURCE_DEFINITIONS)).items;
    return all.every(({ status }) => conditionOf(status?.conditions, "Established")?.status === "True");
  });
  const operator = startGroveOperator({
    api,
    clock,
    random: systemRandom(),
    signal,
    log,
    settings: SCENARIO_SETTINGS,
  });
  const names = Array.from({ length: lanes }, (_, index) => `scenarios-${index + 1}`);
  const free = await Promise.all(names.map((namespace) => openLane({ api, namespace, signal, problems })));
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
}

export async function openLane({ api, namespace, signal, problems }: LaneOptions): Promise<ScenarioWorld> {
  const clock = wallClock();
  await api.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  await eventually("the default account of the namespace", async () => {
    await api.get(SERVICE_ACCOUNTS, { namespace, name: "default" });
    return true;
  });
  const nodeNames = await createScenarioNodes(api, { clock, prefix: namespace, labels: { [NODE_LABEL]: namespace } });
  await keepAlive(api, { clock, signal, namespace, nodeNames });
  const kubelet = startHardware({ api: onlyOf(api, namespace), clock, random: systemRandom(), signal });
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
