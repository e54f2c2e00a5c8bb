/**
 * The whole product on a real control plane: the service as a process under its shipped rights, evaluations through a real Redis, metrics through a real
 * Prometheus, load from recorded traces. Only the hardware is simulated.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { SCALING_OVERRIDES } from "../../src/api/autoscaling/scaling-override.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUES } from "../../src/api/grove/pod-clique.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../src/api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import { isPodReady, isTerminating, PODS } from "../../src/api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../../src/api/kubernetes/meta.ts";
import { parseTime } from "../../src/api/kubernetes/time.ts";
import { POD_GANGS } from "../../src/api/scheduler/pod-gang.ts";
import { type AutoscalerInformers, startAutoscalerInformers } from "../../src/autoscaler/informers.ts";
import { LEVELS, type Monitor, startMonitor } from "../../src/cli/demo/monitor.ts";
import { wallClock } from "../../src/clock.ts";
import { noRuntimeMetrics } from "../../src/kube/runtime-metrics.ts";
import { silentLogger } from "../../src/log.ts";
import { seededRandom, systemRandom } from "../../src/random.ts";
import { replayTrace } from "../../src/sim/traffic/trace.ts";
import { readTraceFile } from "../../src/sim/traffic/trace-file.ts";
import { createNamespace } from "../../src/sim/world.ts";
import { readExample } from "../sim/simulation.ts";
import { applyFolder, type Cluster, missingCluster, NODE_LABEL, openCluster, removeTraces } from "./cluster.ts";
import { always, eventually } from "./eventually.ts";
import { missingPrometheus, missingRedis, skipWithout } from "./real-processes.ts";
import { type RealRedis, startRealRedis } from "./real-redis.ts";
import { createService, type Service } from "./service.ts";
import { type Hardware, startHardware } from "./simulated-hardware.ts";

const ROOT = join(import.meta.dirname, "../..");
/** Recorded requests lie beside the repository: they are too large, and other people's, to be in it. */
const TRACES = join(ROOT, "../shared/data/traces");
const CONVERSATIONS = join(TRACES, "azure-2023-conv.csv.gz");
const CODE = join(TRACES, "azure-2023-code.csv.gz");
const missingTraces = (): string | undefined =>
  existsSync(CONVERSATIONS) && existsSync(CODE) ? undefined : `no recorded traces in ${TRACES}`;

const namespace = `grove-e2e-${Math.floor(systemRandom().next() * 1e6)}`;
const SET = "llama-70b";
const clock = wallClock();

describe.skipIf(skipWithout(missingCluster(), missingPrometheus(), missingRedis(), missingTraces()))(
  "the product on a real cluster",
  { shuffle: false },
  () => {
    let cluster: Cluster;
    let hardware: Hardware;
    let redis: RealRedis;
    let redisClient: Redis;
    let service: Service;
    let informers: AutoscalerInformers;
    let monitor: Monitor;
    const statuses = { written: 0, needless: [] as string[] };
    const stop = new AbortController();
    const policy = policyFor(readExample("multinode-prefill-decode/policy.yaml", "ScalingPolicy"));
    const system = { namespace, partOf: SET };

    beforeAll(async () => {
      cluster = await openCluster();
      const { api } = cluster;
      await createNamespace(api, namespace);
      await applyFolder(api, join(ROOT, "deploy/crds"));
      const access = await applyFolder(api, join(ROOT, "deploy/manifests"));
      const account = access.find(({ kind }) => kind === "ServiceAccount");
      if (account === undefined) throw new Error("deploy/manifests holds no ServiceAccount");
      [hardware, redis] = await Promise.all([
        startHardware({ api, namespace, nodes: 8, startupScale: 0.02 }),
        startRealRedis(),
      ]);
      redisClient = new Redis(redis.url);
      service = await createService({
        kubeconfigPath: cluster.kubeconfigPath,
        account: { namespace: account.metadata.namespace ?? "default", name: account.metadata.name },
        api,
        namespace,
        prometheusUrl: hardware.prometheusUrl,
        redisUrl: redis.url,
      });
      informers = startAutoscalerInformers({
        api,
        clock,
        random: systemRandom(),
        signal: stop.signal,
        namespace,
        log: silentLogger,
        metrics: noRuntimeMetrics,
      });
      await informers.synced;
      informers.policies.onChange(({ before, after }) => {
        if (before?.status === undefined || after?.status === undefined) return;
        statuses.written++;
        const { time = "" } = after.status.lastDecision ?? {};
        const isDue = parseTime(time) + 1_000 >= parseTime(before.status.nextStatusBy ?? "");
        if (!isDue && seenIn(before) === seenIn(after)) statuses.needless.push(time);
      });
      monitor = startMonitor(informers, policy, clock);
      await service.start();
      await api.create(
        POD_CLIQUE_SETS,
        workloadFor(readExample("multinode-prefill-decode/workload.yaml", "PodCliqueSet")),
      );
      await api.create(SCALING_POLICIES, policy);
      await soon("the set to be available", () => (setNow()?.status?.availableReplicas ?? 0) === 1);
    });
    afterAll(async () => {
      monitor?.stop();
      stop.abort();
      if (cluster !== undefined)
        await removeTraces(cluster.api, namespace).catch((error: unknown) => process.stderr.write(`${error}\n`));
      await service?.kill();
      service?.cleanUp();
      await hardware?.stop();
      redisClient?.disconnect();
      await redis?.stop();
      await cluster?.stop();
    });

    // One story: what comes after a broken part would only wait in vain.
    let isBroken = false;
    afterEach(({ task }) => {
      isBroken ||= task.result?.state === "fail";
    });
    beforeEach(({ skip }) => skip(isBroken, "an earlier part of the story failed"));

    const soon = <T>(
      what: string,
      holds: () => T | false | undefined | Promise<T | false | undefined>,
      limitMs = 60_000,
    ): Promise<T> => eventually(what, holds, { limitMs, dump });
    const setNow = (): PodCliqueSet | undefined => informers.sets.get(namespace, SET);
    const policyNow = (): ScalingPolicy | undefined => informers.policies.get(namespace, policy.metadata.name);
    const target = (name: string) => policyNow()?.status?.targets?.find((one) => one.name === name);
    const groupReplicas = (ref: string): number =>
      informers.groups
        .list()
        .filter(({ metadata }) => metadata.name.endsWith(`-${ref}`))
        .reduce((sum, { spec }) => sum + spec.replicas, 0);
    /** Every clique has exactly its pods, all of them ready, and nothing is on its way out. */
    const isSettled = (): boolean =>
      informers.pods.list().every((pod) => isPodReady(pod) && !isTerminating(pod)) &&
      informers.cliques.list().every((clique) => podsOf(clique).length === clique.spec.replicas) &&
      informers.groups
        .list()
        .every(({ spec, metadata }) =>
          (spec.cliqueNames ?? []).every(
            (name) =>
              informers.cliques.list().filter((one) => one.metadata.name.match(`^${metadata.name}-[0-9]+-${name}$`))
                .length === spec.replicas,
          ),
        );
    const podsOf = ({ metadata }: KubeObject) =>
      informers.pods.list().filter((pod) => pod.metadata.labels?.["grove.io/podclique"] === metadata.name);

    const replay = (file: string, window: Parameters<typeof replayTrace>[1]): void =>
      hardware.dataPlane.attachTraffic(system, replayTrace(readTraceFile(file), window));

    test("its rights are enough: the policy is ready, and nothing is refused", async () => {
      await soon("a decision on metrics", () => {
        const { conditions, lastDecision } = policyNow()?.status ?? {};
        return (
          lastDecision !== undefined &&
          conditionOf(conditions, "Ready")?.status === "True" &&
          conditionOf(conditions, "MetricsAvailable")?.status === "True"
        );
      });
      expect(service.log()).not.toMatch(/forbidden|cannot (get|list|watch|create|patch|update|delete)/i);
    });

    test("a burst of conversations: killed in the middle of scaling up and started again, it gets where it has to, and leaves no orphan", async () => {
      // 47 requests a second; the copies of the trace begin one after the other within the first minute.
      replay(CONVERSATIONS, { startSeconds: 600, durationSeconds: 100, rateFactor: 8, random: seededRandom(1) });
      await soon("a scale-up under way", () => {
        const ready = informers.pods.list().filter(isPodReady).length;
        return groupReplicas("prefill") + groupReplicas("decode") > 2 && ready < informers.pods.list().length;
      });
      await service.kill();
      await service.start();
      await soon(
        "more of every level, all ready",
        () =>
          (setNow()?.spec.replicas ?? 0) > 1 &&
          groupReplicas("decode") > 2 &&
          groupReplicas("prefill") > 2 &&
          isSettled(),
        120_000,
      );
      expect(await orphans(cluster.api)).toEqual([]);
      expect(clear(monitor)).toEqual(NO_VIOLATION);
    });

    test("evaluations go through Redis", async () => {
      /** Jobs that Redis has numbered since its start. */
      const jobs = async (): Promise<number> => {
        const counters = await redisClient.keys("*:id");
        const values = await Promise.all(counters.map((key) => redisClient.get(key)));
        return values.reduce((sum, value) => sum + Number(value ?? 0), 0);
      };
      const evaluated = async (place: "worker" | "fallback"): Promise<number> => {
        const line = new RegExp(`^grove_autoscaler_evaluations_total\\{place="${place}"\\} (\\d+)$`, "m");
        return Number((await service.metrics()).match(line)?.[1]);
      };
      const before = { jobs: await jobs(), byWorkers: await evaluated("worker") };
      await soon(
        "more jobs, each evaluated by a worker",
        async () => (await jobs()) > before.jobs + 3 && (await evaluated("worker")) > before.byWorkers + 3,
        30_000,
      );
      expect(await evaluated("fallback")).toBe(0);
      expect(conditionOf(policyNow()?.status?.conditions, "Degraded")?.status).toBe("False");
    });

    test("a trickle of code completions: every level comes down again", async () => {
      await soon("the conversations to end", () => hardware.dataPlane.inFlight(system) < 20, 120_000);
      replay(CODE, { startSeconds: 0, durationSeconds: 60, rateFactor: 0.5, random: seededRandom(2) });
      await soon(
        "one of each",
        () =>
          setNow()?.spec.replicas === 1 &&
          groupReplicas("prefill") === 1 &&
          groupReplicas("decode") === 1 &&
          isSettled(),
        150_000,
      );
      const { scaleActions } = monitor.report();
      for (const level of LEVELS) {
        expect(scaleActions[level].up, `${level} up`).toBeGreaterThan(0);
        expect(scaleActions[level].down, `${level} down`).toBeGreaterThan(0);
      }
      expect(clear(monitor)).toEqual(NO_VIOLATION);
    });

    test("an override holds until it expires, then metrics decide again", async () => {
      const expiresMs = clock.nowMs() + 20_000;
      const { stdout } = await promisify(execFile)(process.execPath, [
        join(ROOT, "src/main.ts"),
        ...["override", "set", policy.metadata.name, "decode=3"],
        ...["--for", "20s", "--reason", "product launch", "--name", "launch"],
        ...["--namespace", namespace, "--kubeconfig", cluster.kubeconfigPath],
      ]);
      expect(stdout).toContain("launch");
      await soon("three decode replicas", () => groupReplicas("decode") === 3 && target("decode")?.ready === 3, 18_000);
      // The status follows the write of the replicas.
      await soon("the override in the policy's status", () => policyNow()?.status?.override?.name === "launch");
      expect(policyNow()?.status?.override).toMatchObject({ name: "launch", reason: "product launch" });
      await always("three decode replicas", () => groupReplicas("decode") === 3, expiresMs - clock.nowMs() - 2_000, {
        dump,
      });
      await soon("metrics to decide again", () => groupReplicas("decode") === 1 && isSettled());
      const override = await cluster.api.get(SCALING_OVERRIDES, { namespace, name: "launch" });
      expect(override.status?.phase).toBe("Expired");
      expect(clear(monitor)).toEqual(NO_VIOLATION);
    });

    test("no request was lost", () => {
      const { arrived, completed, failed, inFlight } = hardware.dataPlane.summary(system, { ttftMs: 1_000, itlMs: 50 });
      expect(arrived).toBeGreaterThan(1_000);
      expect(completed + failed + inFlight).toBe(arrived);
      expect(failed).toBe(0);
    });

    test("a status was written where a person sees a difference, and otherwise once a minute", () => {
      expect(statuses.needless).toEqual([]);
      expect(statuses.written).toBeGreaterThan(10);
    });

    test("deleting the set takes everything with it, and the service ends when it is asked to", async () => {
      await cluster.api.delete(POD_CLIQUE_SETS, { namespace, name: SET });
      await soon("everything to go", async () => (await owned(cluster.api)).length === 0);
      expect(await service.stop()).toBe(0);
    });

    async function dump(): Promise<string> {
      const lines: string[] = [];
      const { status } = policyNow() ?? {};
      lines.push(`policy: ${status?.replicas}`, `  ${status?.lastDecision?.outcome}: ${status?.lastDecision?.message}`);
      for (const { type, status: value, reason, message } of status?.conditions ?? [])
        lines.push(`  ${type}=${value} ${reason}: ${message}`);
      for (const step of status?.lastDecision?.chain ?? []) lines.push(`  ${JSON.stringify(step)}`);
      for (const { kind, metadata, spec, status: state } of [
        ...informers.sets.list(),
        ...informers.groups.list(),
        ...informers.cliques.list(),
      ])
        lines.push(`${kind} ${metadata.name} replicas=${spec.replicas} status=${JSON.stringify(state)?.slice(0, 300)}`);
      for (const pod of informers.pods.list())
        lines.push(
          `Pod ${pod.metadata.name} node=${pod.spec.nodeName} ready=${isPodReady(pod)}${isTerminating(pod) ? " terminating" : ""}`,
        );
      lines.push(`in flight: ${hardware?.dataPlane.inFlight(system)}`, `service:\n${service.log()}`);
      return lines.join("\n");
    }
  },
);

const NO_VIOLATION = { ratioViolationSeconds: 0, floorViolationSeconds: 0, budgetViolationSeconds: 0 };

function clear(monitor: Monitor): typeof NO_VIOLATION {
  const { ratioViolationSeconds, floorViolationSeconds, budgetViolationSeconds } = monitor.report();
  return { ratioViolationSeconds, floorViolationSeconds, budgetViolationSeconds };
}

/** What a person sees of a status, without the numbers and times of the moment. */
const seenIn = ({ metadata, status = {} }: ScalingPolicy): string =>
  JSON.stringify([
    metadata.generation,
    status.conditions?.map(({ type, status: value, reason }) => `${type} ${value} ${reason}`).sort(),
    [status.targets, status.budget, status.override, status.schedule],
    [status.lastDecision?.outcome, status.lastDecision?.reason, status.history?.length, status.history?.at(-1)?.id],
  ]);

/** The example, in a hurry: decisions every 2 s, windows of 10 s, and load targets that a short burst passes. */
function policyFor(example: ScalingPolicy): ScalingPolicy {
  const behavior: ScalingPolicy["spec"]["scaleTargets"][number]["behavior"] = {
    scaleUp: {
      stabilizationWindowSeconds: 0,
      tolerance: "0.1",
      selectPolicy: "Max",
      policies: [{ type: "Pods", value: 4, periodSeconds: 5 }],
    },
    scaleDown: {
      stabilizationWindowSeconds: 15,
      tolerance: "0.1",
      selectPolicy: "Max",
      policies: [{ type: "Pods", value: 2, periodSeconds: 5 }],
    },
  };
  const own = (query: string, averageValue: string): ScalingPolicy["spec"]["scaleTargets"][number]["metrics"] => [
    { type: "Prometheus", prometheus: { query, target: { type: "AverageValue", averageValue } }, advisoryOnly: false },
  ];
  const metrics: Readonly<Record<string, ReturnType<typeof own>>> = {
    frontend: own("sum(rate(dynamo_frontend_requests_started_total{ {{selector}} }[10s]))", "20"),
    prefill: own(
      `avg by (exported_namespace, exported_pod) (avg_over_time(DCGM_FI_DEV_GPU_UTIL{exported_namespace="{{namespace}}", exported_pod=~"{{podRegex}}"}[10s])) / 100`,
      "700m",
    ),
    // The ready-made signal, with its window of a minute.
    decode: [
      {
        type: "Preset",
        preset: { name: "kvCacheUsage", target: { type: "Utilization", averageUtilization: 15 } },
        advisoryOnly: false,
      },
    ],
  };
  return {
    ...example,
    metadata: { ...example.metadata, namespace },
    spec: {
      ...example.spec,
      interval: "2s",
      // Traffic that falls off a cliff holds for as long, like the windows of this story.
      metricsPolicy: { ...example.spec.metricsPolicy, warmUp: "15s" },
      scaleTargets: example.spec.scaleTargets.map((one) => ({
        ...one,
        behavior,
        ...(one.level === "PodCliqueSet" ? {} : { metrics: metrics[one.name] ?? [] }),
      })),
    },
  };
}

/** The example on the nodes of this test only. */
function workloadFor(example: PodCliqueSet): PodCliqueSet {
  const { template } = example.spec;
  return {
    ...example,
    metadata: { ...example.metadata, namespace },
    spec: {
      ...example.spec,
      template: {
        ...template,
        cliques: template.cliques.map((clique) => ({
          ...clique,
          spec: {
            ...clique.spec,
            podSpec: {
              ...clique.spec.podSpec,
              nodeSelector: { [NODE_LABEL]: namespace },
              tolerations: [{ key: NODE_LABEL, operator: "Exists" }],
            },
          },
        })),
      },
    },
  };
}

const KINDS: readonly Resource[] = [POD_CLIQUE_SETS, POD_CLIQUE_SCALING_GROUPS, POD_CLIQUES, POD_GANGS, PODS];

async function owned(api: Cluster["api"]): Promise<readonly KubeObject[]> {
  const lists = await Promise.all(KINDS.map((kind) => api.list(kind, { namespace })));
  return lists.flatMap(({ items }) => items);
}

/** Objects below the set whose owner is not there. */
async function orphans(api: Cluster["api"]): Promise<readonly string[]> {
  const all = await owned(api);
  const uids = new Set(all.map(({ metadata }) => metadata.uid));
  return all
    .filter(({ kind }) => kind !== POD_CLIQUE_SETS.kind)
    .filter(({ metadata }) => {
      const owners = metadata.ownerReferences ?? [];
      return owners.length === 0 || owners.some(({ uid }) => !uids.has(uid));
    })
    .map(({ kind, metadata }) => `${kind} ${metadata.name}`);
}
