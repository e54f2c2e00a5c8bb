/** The operator alone: a PodCliqueSet of 100 replicas × 2 pods on the embedded server, as upstream's scale test shapes it. */
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../src/api/grove/pod-clique-set.ts";
import { PODS, podCondition } from "../src/api/kubernetes/core.ts";
import { VirtualClock } from "../src/clock.ts";
import { startGroveOperator } from "../src/grove/operator.ts";
import type { KubeApi } from "../src/kube/kube-api.ts";
import { seededRandom } from "../src/random.ts";
import { createWorld } from "../src/sim/world.ts";
import { type Row, seconds } from "./measure.ts";

const REPLICAS = 100;
const PODS_PER_REPLICA = 2;

export async function benchOperator(): Promise<readonly Row[]> {
  const clock = new VirtualClock();
  const abort = new AbortController();
  const shared = { clock, random: seededRandom(1), signal: abort.signal };
  const world = await createWorld({
    ...shared,
    namespaces: ["scale"],
    nodes: 50,
    startupScale: 0.01,
    scrapeIntervalMs: 600_000,
  });
  const counted = countWrites(world.api);
  startGroveOperator({ ...shared, api: counted.api });
  const isReady = async (count: number): Promise<boolean> => {
    const { items } = await world.api.list(PODS, { namespace: "scale" });
    return items.length === count && items.every((pod) => podCondition(pod, "Ready")?.status === "True");
  };
  const until = async (count: number): Promise<void> => {
    for (let i = 0; i < 1_000 && !(await isReady(count)); i++) await clock.advance(500);
  };
  const pods = REPLICAS * PODS_PER_REPLICA;
  const up = await seconds(async () => {
    await world.api.create(POD_CLIQUE_SETS, workload());
    await until(pods);
  });
  const writesUp = counted.total();
  const upVirtualSeconds = clock.monotonicMs() / 1000;
  const down = await seconds(async () => {
    await world.api.setScale(POD_CLIQUE_SETS, { namespace: "scale", name: "scale" }, 10);
    await until(10 * PODS_PER_REPLICA);
  });
  const writesDown = counted.total() - writesUp;
  abort.abort();
  return [
    {
      what: `operator, PodCliqueSet 0→${REPLICAS} replicas × ${PODS_PER_REPLICA} pods, all ready`,
      value: `${up.toFixed(2)} s of CPU (world included), ${upVirtualSeconds.toFixed(0)} s of embedded time, ${writesUp} API writes (${(writesUp / pods).toFixed(2)} a pod)`,
    },
    { what: `operator, ${REPLICAS}→10 replicas`, value: `${down.toFixed(2)} s, ${writesDown} API writes` },
    { what: "of these, by verb", value: counted.byVerb() },
  ];
}

function workload(): PodCliqueSet {
  return {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { namespace: "scale", name: "scale" },
    spec: {
      replicas: REPLICAS,
      template: {
        cliques: [
          {
            name: "expert-worker",
            spec: {
              roleName: "expert-worker",
              replicas: PODS_PER_REPLICA,
              minAvailable: PODS_PER_REPLICA,
              podSpec: {
                containers: [{ name: "engine", image: "engine", resources: { limits: { "nvidia.com/gpu": "1" } } }],
              },
            },
          },
        ],
      },
    },
  } as unknown as PodCliqueSet;
}

function countWrites(api: KubeApi): { readonly api: KubeApi; total(): number; byVerb(): string } {
  const counts = new Map<string, number>();
  const count = (verb: string, plural: string): void => {
    const key = `${verb} ${plural}`;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  const counting =
    <Args extends [{ readonly plural: string }, ...never[]], Result>(verb: string, call: (...args: Args) => Result) =>
    (...args: Args): Result => {
      count(verb, args[0].plural);
      return call(...args);
    };
  const counted = {
    ...api,
    create: counting("create", api.create as never),
    update: counting("update", api.update as never),
    patch: counting("patch", api.patch as never),
    deleteCollection: counting("deletecollection", api.deleteCollection as never),
    delete: counting("delete", api.delete as never),
    get: counting("get", api.get as never),
  } as KubeApi;
  return {
    api: counted,
    total: () => [...counts.values()].reduce((sum, one) => sum + one, 0),
    byVerb: () =>
      [...counts]
        .toSorted(([, a], [, b]) => b - a)
        .map(([key, number]) => `${key} ${number}`)
        .join(", "),
  };
}
