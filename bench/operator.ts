/** The operator alone on the embedded API server: sets of two-pod replicas, as upstream's scale test shapes them, in sizes that show how the cost grows. */

import { customResourceDefinitions } from "../src/api/crds/all.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../src/api/grove/pod-clique-set.ts";
import { NAMESPACES, PODS, podCondition } from "../src/api/kubernetes/core.ts";
import { VirtualClock } from "../src/clock.ts";
import { startGroveOperator } from "../src/grove/operator.ts";
import { startInformer } from "../src/kube/informer.ts";
import type { KubeApi } from "../src/kube/kube-api.ts";
import { seededRandom } from "../src/random.ts";
import { createApiServer } from "../src/sim/api-server/api-server.ts";
import { collectGarbage, type Row, seconds } from "./measure.ts";
import { startReadyKubelet } from "./ready-kubelet.ts";

const PODS_PER_REPLICA = 2;
/** The last is 10,000 pods: the cost of a pod has to stay what it is for 200. */
const SIZES = [100, 500, 5_000];

export async function benchOperator(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const replicas of SIZES) rows.push(...(await benchSize(replicas)));
  return rows;
}

async function benchSize(replicas: number): Promise<readonly Row[]> {
  collectGarbage();
  const clock = new VirtualClock();
  const abort = new AbortController();
  const shared = { clock, random: seededRandom(1), signal: abort.signal };
  const server = createApiServer(shared);
  await server.installCustomResources(customResourceDefinitions());
  const { api } = server;
  await api.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: "scale" } });
  const counted = countWrites(api);
  startReadyKubelet({ ...shared, api, binds: true });
  startGroveOperator({ ...shared, api: counted.api });
  const pods = startInformer({ ...shared, api, resource: PODS });
  const until = async (count: number): Promise<void> => {
    const isReady = (): boolean =>
      pods.list().length === count && pods.list().every((pod) => podCondition(pod, "Ready")?.status === "True");
    for (let i = 0; i < 1_000 && !isReady(); i++) await clock.advance(500);
    // What is told late belongs to the cost.
    await clock.advance(20_000);
  };
  const count = replicas * PODS_PER_REPLICA;
  const up = await seconds(async () => {
    await api.create(POD_CLIQUE_SETS, workload(replicas));
    await until(count);
  });
  const writesUp = counted.total();
  const byVerb = counted.byVerb();
  const idle = await seconds(() => clock.advance(600_000));
  const writesIdle = counted.total() - writesUp;
  const kept = Math.floor(replicas / 10);
  const down = await seconds(async () => {
    await api.setScale(POD_CLIQUE_SETS, { namespace: "scale", name: "scale" }, kept);
    await until(kept * PODS_PER_REPLICA);
  });
  const writesDown = counted.total() - writesUp - writesIdle;
  abort.abort();
  await server.stop();
  return [
    {
      what: `operator, embedded, 0 to ${count} pods`,
      value: `${up.toFixed(2)} s = ${((up / count) * 1e6).toFixed(0)} us a pod (API server included), ${writesUp} writes = ${(writesUp / count).toFixed(2)} a pod`,
      ...(replicas === SIZES.at(-1) && { aim: "us a pod as for the smallest" }),
    },
    { what: "  of these", value: byVerb },
    { what: `  10 minutes of nothing to do`, value: `${idle.toFixed(2)} s, ${writesIdle} writes` },
    { what: `  ${replicas} to ${kept} replicas`, value: `${down.toFixed(2)} s, ${writesDown} writes` },
  ];
}

function workload(replicas: number): PodCliqueSet {
  return {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { namespace: "scale", name: "scale" },
    spec: {
      replicas,
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
