import { describe, expect, test } from "vitest";
import { EVENTS, isPodReady, isPodScheduled, NODES, PODS, type Pod, podCondition } from "../../api/kubernetes/core.ts";
import { parseTime } from "../../api/kubernetes/time.ts";
import { POD_GANG_DEFINITION, POD_GANGS, type PodGang } from "../../api/scheduler/pod-gang.ts";
import { customResourceDefinition } from "../../api/schema/resource-definition.ts";
import { VirtualClock } from "../../clock.ts";
import { isNotFound } from "../../kube/api-error.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { seededRandom } from "../../random.ts";
import { createApiServer } from "../api-server/api-server.ts";
import { createDataPlane, type DataPlane } from "../engines/data-plane.ts";
import { startScheduler } from "../scheduler/scheduler.ts";
import { createNodes } from "./create-nodes.ts";
import { type Kubelet, startKubelet } from "./kubelet.ts";

interface World {
  readonly clock: VirtualClock;
  readonly api: KubeApi;
  readonly plane: DataPlane;
  readonly kubelet: Kubelet;
  readonly statusWrites: () => number;
  pod(name: string): Promise<Pod>;
  stop(): void;
}

async function world({ nodes = 2, seed = 1 } = {}): Promise<World> {
  const clock = new VirtualClock();
  const random = seededRandom(seed);
  const server = createApiServer({ clock, random });
  const stop = new AbortController();
  let statusWrites = 0;
  const api: KubeApi = {
    ...server.api,
    patch: (resource, key, patch, options) => {
      if (resource.plural === "pods" && options.subresource === "status") statusWrites++;
      return server.api.patch(resource, key, patch, options);
    },
  };
  await server.installCustomResources([customResourceDefinition(POD_GANG_DEFINITION)]);
  await createNodes(api, { clock, count: nodes, gpusPerNode: 4 });
  const plane = createDataPlane({ clock });
  const shared = { api, clock, random, signal: stop.signal };
  const startup = { aggregated: { medianMs: 60_000, p90Ms: 60_000 } };
  const kubelet = startKubelet({ ...shared, dataPlane: plane, startup });
  startScheduler(shared);
  await clock.advance(1_000);
  return {
    clock,
    api,
    plane,
    kubelet,
    statusWrites: () => statusWrites,
    pod: (name) => api.get(PODS, { namespace: "default", name }),
    stop: () => stop.abort(),
  };
}

interface Shape {
  readonly clique: string;
  readonly gang?: string;
  readonly gpus?: number;
  readonly parents?: readonly string[];
  readonly graceSeconds?: number;
}

function pod(name: string, { clique, gang, gpus = 1, parents = [], graceSeconds = 30 }: Shape): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace: "default",
      name,
      labels: {
        "app.kubernetes.io/part-of": "set",
        "grove.io/podclique": clique,
        "grove.io/podcliqueset-replica-index": "0",
        ...(gang && { "grove.io/podgang": gang }),
      },
    },
    spec: {
      terminationGracePeriodSeconds: graceSeconds,
      containers: [{ name: "engine", image: "engine:1", resources: { limits: { "nvidia.com/gpu": gpus } } }],
      ...(parents.length > 0 && {
        initContainers: [
          { name: "grove-initc", image: "initc:1", args: parents.map((parent) => `--podcliques=${parent}`) },
        ],
      }),
    },
  };
}

const podGang = (name: string, groups: Record<string, number>): PodGang => ({
  apiVersion: "scheduler.grove.io/v1alpha1",
  kind: "PodGang",
  metadata: { namespace: "default", name },
  spec: {
    podgroups: Object.entries(groups).map(([group, minReplicas]) => ({ name: group, minReplicas, podReferences: [] })),
  },
});

const readyAtMs = (p: Pod): number => parseTime(podCondition(p, "Ready")?.lastTransitionTime ?? "");

describe("a pod's life", () => {
  test("pending, running, ready in three status writes, then serves", async () => {
    const { clock, api, pod: get, plane, statusWrites, stop } = await world();
    await api.create(PODS, pod("w", { clique: "set-0-worker" }));
    await clock.advance(1_000);
    const bound = await get("w");
    expect(isPodScheduled(bound)).toBe(true);
    expect(bound.status).toMatchObject({
      phase: "Pending",
      containerStatuses: [{ ready: false, state: { waiting: { reason: "ContainerCreating" } } }],
    });
    await clock.advance(20_000);
    expect((await get("w")).status).toMatchObject({ phase: "Running", podIP: expect.stringMatching(/^10\./) });
    expect(isPodReady(await get("w"))).toBe(false);
    expect(plane.targets().filter(({ labels }) => labels["job"] === "grove-engines")).toEqual([]);
    await clock.advance(45_000);
    expect(isPodReady(await get("w"))).toBe(true);
    expect(statusWrites()).toBe(3);
    expect(plane.targets().filter(({ labels }) => labels["job"] === "grove-engines")).toHaveLength(1);
    stop();
  });

  test("deletion drains first, and the pod goes when its work is done", async () => {
    const { clock, api, pod: get, plane, stop } = await world();
    await api.create(PODS, pod("w", { clique: "set-0-worker", graceSeconds: 120 }));
    await clock.advance(70_000);
    const system = { namespace: "default", partOf: "set" };
    plane.attachTraffic(system, [{ atMs: 0, inputTokens: 1_000, outputTokens: 3_000 }]);
    await clock.advance(1_000);
    await api.delete(PODS, { namespace: "default", name: "w" });
    await clock.advance(5_000);
    expect((await get("w")).metadata.deletionTimestamp).toBeDefined();
    await clock.advance(40_000);
    expect(await get("w").catch(isNotFound)).toBe(true);
    expect(plane.summary(system, { ttftMs: 1_000, itlMs: 50 })).toMatchObject({ completed: 1, retried: 0, failed: 0 });
    stop();
  });

  test("work that does not end within the grace period is lost", async () => {
    const { clock, api, pod: get, plane, stop } = await world();
    await api.create(PODS, pod("w", { clique: "set-0-worker", graceSeconds: 5 }));
    await clock.advance(70_000);
    const system = { namespace: "default", partOf: "set" };
    plane.attachTraffic(system, [{ atMs: 0, inputTokens: 1_000, outputTokens: 30_000 }]);
    await clock.advance(1_000);
    await api.delete(PODS, { namespace: "default", name: "w" });
    await clock.advance(7_000);
    expect(await get("w").catch(isNotFound)).toBe(true);
    expect(plane.summary(system, { ttftMs: 1_000, itlMs: 50 })).toMatchObject({ completed: 0, retried: 1 });
    stop();
  });

  test("grove-initc waits for ready pods of the parent clique by label, not by a prefix of the name", async () => {
    const { clock, api, pod: get, stop } = await world();
    await api.create(POD_GANGS, podGang("g", { a: 1, "a-b": 1, c: 1 }));
    await api.create(PODS, pod("child", { clique: "c", gang: "g", parents: ["a:1"] }));
    await api.create(PODS, pod("a-b-x", { clique: "a-b", gang: "g" }));
    const parent = pod("a-x", { clique: "a", gang: "g", parents: ["a-b:1"] });
    await api.create(PODS, parent);
    await clock.advance(300_000);
    const [first, second, third] = [await get("a-b-x"), await get("a-x"), await get("child")];
    expect([first, second, third].every(isPodReady)).toBe(true);
    expect(readyAtMs(second) - readyAtMs(first)).toBeGreaterThan(50_000);
    expect(readyAtMs(third) - readyAtMs(second)).toBeGreaterThan(50_000);
    stop();
  });

  test("a crash restarts the containers and the engine serves nothing meanwhile", async () => {
    const { clock, api, pod: get, plane, kubelet, stop } = await world();
    await api.create(PODS, pod("w", { clique: "set-0-worker" }));
    await clock.advance(70_000);
    kubelet.crashPod("default/w");
    await clock.advance(1_000);
    const crashed = await get("w");
    expect(isPodReady(crashed)).toBe(false);
    expect(crashed.status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 1,
      lastState: { terminated: { exitCode: 137 } },
    });
    expect(plane.podMetrics("default/w")).toBeUndefined();
    await clock.advance(60_000);
    expect(isPodReady(await get("w"))).toBe(true);
    expect(plane.podMetrics("default/w")).toBeDefined();
    stop();
  });
});

describe("nodes", () => {
  test("a node that is down serves nothing and takes no pods; back again, its pods start anew", async () => {
    const { clock, api, pod: get, plane, kubelet, stop } = await world({ nodes: 1 });
    await api.create(PODS, pod("w", { clique: "set-0-worker" }));
    await clock.advance(70_000);
    await kubelet.setNodeDown("gpu-node-000", true);
    await api.create(PODS, pod("late", { clique: "set-0-worker" }));
    await clock.advance(120_000);
    expect(isPodReady(await get("w"))).toBe(false);
    expect(plane.podMetrics("default/w")).toBeUndefined();
    expect((await get("late")).spec.nodeName).toBeUndefined();
    await kubelet.setNodeDown("gpu-node-000", false);
    await clock.advance(140_000);
    expect(isPodReady(await get("w"))).toBe(true);
    expect(isPodReady(await get("late"))).toBe(true);
    expect(plane.podMetrics("default/w")).toBeDefined();
    stop();
  });

  test("pods of a node that is removed are removed", async () => {
    const { clock, api, pod: get, stop } = await world({ nodes: 1 });
    await api.create(PODS, pod("w", { clique: "set-0-worker" }));
    await clock.advance(70_000);
    await api.delete(NODES, { name: "gpu-node-000" });
    await clock.advance(1_000);
    expect(await get("w").catch(isNotFound)).toBe(true);
    stop();
  });
});

describe("scheduling", () => {
  test("a gang waits as a whole, says so once with an event, and starts when there is room", async () => {
    const { clock, api, pod: get, statusWrites, stop } = await world({ nodes: 2 });
    await api.create(PODS, pod("blocker", { clique: "other", gpus: 4 }));
    await clock.advance(100_000);
    await api.create(POD_GANGS, podGang("g", { a: 2 }));
    const before = statusWrites();
    for (const name of ["a0", "a1"]) await api.create(PODS, pod(name, { clique: "a", gang: "g", gpus: 4 }));
    await clock.advance(60_000);
    for (const name of ["a0", "a1"]) {
      const waiting = await get(name);
      expect(waiting.spec.nodeName).toBeUndefined();
      expect(podCondition(waiting, "PodScheduled")).toMatchObject({ status: "False", reason: "Unschedulable" });
    }
    expect(statusWrites() - before).toBeLessThanOrEqual(4);
    const { items } = await api.list(EVENTS, { namespace: "default" });
    const failed = items.filter(({ reason }) => reason === "FailedScheduling");
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThanOrEqual(4);
    await api.delete(PODS, { namespace: "default", name: "blocker" });
    await clock.advance(40_000);
    expect(new Set([(await get("a0")).spec.nodeName, (await get("a1")).spec.nodeName]).size).toBe(2);
    stop();
  });

  test("the same seed gives the same placements and the same times", async () => {
    async function run(): Promise<unknown> {
      const { clock, api, stop } = await world({ nodes: 3, seed: 9 });
      for (let i = 0; i < 8; i++) await api.create(PODS, pod(`decode-${i}`, { clique: "set-0-decode" }));
      await clock.advance(300_000);
      const { items } = await api.list(PODS);
      stop();
      return items.map((p) => [p.metadata.name, p.spec.nodeName, readyAtMs(p)]);
    }
    const first = await run();
    expect(await run()).toEqual(first);
  });
});
