/**
 * The operator as a process of its own on a real kube-apiserver, in the shapes of upstream's scale tests (grove.md 11): sets of two-pod cliques, kube-scheduler,
 * 100 simulated nodes, client limits of 100 requests a second with bursts of 150, 20 objects of a kind at a time.
 *
 * Requests are counted from the API server's audit log by user; watches and leases are left out. Needs the control plane of `test/real/control-plane`.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { customResourceDefinitions } from "../src/api/crds/all.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../src/api/grove/pod-clique-set.ts";
import { conditionOf } from "../src/api/kubernetes/conditions.ts";
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  isPodReady,
  isTerminating,
  LEASES,
  NODES,
  PODS,
  type Pod,
} from "../src/api/kubernetes/core.ts";
import { formatMicroTime } from "../src/api/kubernetes/time.ts";
import { wallClock } from "../src/clock.ts";
import { createKubeClient } from "../src/kube/client.ts";
import { loadCredentials } from "../src/kube/credentials.ts";
import { startInformer } from "../src/kube/informer.ts";
import type { KubeApi } from "../src/kube/kube-api.ts";
import { systemRandom } from "../src/random.ts";
import { missingParts, startControlPlane } from "../test/real/control-plane/control-plane.ts";
import { megabytes, type Row } from "./measure.ts";
import { startReadyKubelet } from "./ready-kubelet.ts";

const NAMESPACE = "default";
const NAME = "scale";
const key = { namespace: NAMESPACE, name: NAME };
/** One of the control plane's known users; it may do everything here, and only the operator is it. */
const OPERATOR = "alice@example.com";
const clock = wallClock();

export async function benchOperatorScale(): Promise<readonly Row[]> {
  const missing = missingParts();
  if (missing !== undefined) return [{ what: "operator on a real kube-apiserver", value: `skipped: ${missing}` }];
  const world = await startWorld();
  try {
    const rows: Row[] = [];
    rows.push(...(await world.deployAndDelete(500)));
    rows.push(...(await world.scale(250, 500)));
    rows.push(...(await world.scale(500, 250)));
    rows.push(...(await world.scale(0, 500)));
    rows.push(...(await world.scale(500, 0)));
    rows.push(...(await world.soak(25, 50, 3)));
    return rows;
  } finally {
    await world.stop();
  }
}

async function startWorld() {
  const folder = mkdtempSync(join(tmpdir(), "grove-bench-"));
  const audit = join(folder, "audit.log");
  writeFileSync(join(folder, "audit.yaml"), AUDIT_POLICY);
  const controlPlane = await startControlPlane({
    scheduler: true,
    apiServerFlags: [
      "--audit-policy-file",
      join(folder, "audit.yaml"),
      "--audit-log-path",
      audit,
      "--audit-log-mode",
      "batch",
    ],
  });
  const stop = new AbortController();
  const { signal } = stop;
  const credentials = await loadCredentials({ kubeconfig: controlPlane.kubeconfigPath }, clock);
  const api = createKubeClient({ credentials, clock, userAgent: "bench" });
  await installKinds(api);
  await keepNodes(api, signal);
  startReadyKubelet({ api, clock, signal, random: systemRandom() });
  const pods = startInformer({ api, clock, signal, random: systemRandom(), resource: PODS });
  const live = (holds: (pod: Pod) => boolean = () => true): number =>
    pods.list().filter((pod) => !isTerminating(pod) && holds(pod)).length;
  await pods.synced;

  const kubeconfig = join(folder, "operator.kubeconfig");
  writeFileSync(
    kubeconfig,
    readFileSync(controlPlane.kubeconfigPath, "utf8").replace(controlPlane.adminToken, controlPlane.tokenFor(OPERATOR)),
  );
  const operator = await startOperator(folder, kubeconfig);
  const usage = (): Usage => ({ ...processUsage(operator.pid ?? 0), requests: requestsIn(audit) });

  const create = (replicas: number): Promise<unknown> => api.create(POD_CLIQUE_SETS, workload(replicas));
  const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<number> => {
    const startMs = clock.monotonicMs();
    while (!(await holds())) {
      if (clock.monotonicMs() - startMs > 900_000) throw new Error(`waited in vain for ${what}`);
      await clock.sleep(100);
    }
    return (clock.monotonicMs() - startMs) / 1000;
  };
  const allReady = (count: number): Promise<number> =>
    until(`${count} ready pods`, () => pods.list().length === count && live(isPodReady) === count);
  const gone = async (): Promise<void> => {
    await until(
      "the set to go",
      async () => (await api.list(POD_CLIQUE_SETS, { namespace: NAMESPACE })).items.length === 0,
    );
    await until("its pods to go", () => pods.list().length === 0);
  };
  const settle = (): Promise<void> => clock.sleep(6_000);

  /** Runs one phase and prints what it cost the operator. */
  const measured = async (what: string, podsChanged: number, phase: () => Promise<string>): Promise<Row[]> => {
    await settle();
    const before = usage();
    const times = await phase();
    await settle();
    const after = usage();
    const requests = difference(before.requests, after.requests);
    const total = [...requests.values()].reduce((sum, one) => sum + one, 0);
    const cpu = (after.cpuSeconds - before.cpuSeconds).toFixed(1);
    const by = [...requests].toSorted(([, a], [, b]) => b - a).slice(0, 14);
    return [
      {
        what,
        value: `${times}; CPU ${cpu} s, peak resident ${megabytes(after.peakBytes)}, ${total} requests = ${(total / podsChanged).toFixed(2)} a pod`,
      },
      { what: "  of these", value: by.map(([name, count]) => `${count} ${name}`).join(", ") },
    ];
  };

  return {
    deployAndDelete: async (replicas: number): Promise<Row[]> => {
      const rows = await measured(
        `operator, 0 to ${replicas * 2} pods on a real kube-apiserver`,
        replicas * 2,
        async () => {
          const startMs = clock.monotonicMs();
          await create(replicas);
          const created = await until("all pods", () => live() === replicas * 2);
          await allReady(replicas * 2);
          const ready = (clock.monotonicMs() - startMs) / 1000;
          await until(
            "all replicas to be available",
            async () => (await api.get(POD_CLIQUE_SETS, key)).status?.availableReplicas === replicas,
          );
          const available = (clock.monotonicMs() - startMs) / 1000;
          return `created ${created.toFixed(1)} s, ready ${ready.toFixed(1)} s, all available ${available.toFixed(1)} s`;
        },
      );
      const trigger = await measured(
        `operator, forced look at ${replicas} settled replicas`,
        replicas * 2,
        async () => {
          await api.patch(
            POD_CLIQUE_SETS,
            key,
            { metadata: { annotations: { "grove.io/reconcile-trigger": "1" } } },
            { type: "merge" },
          );
          return "";
        },
      );
      const deletion = await measured(`operator, deletion of ${replicas * 2} pods`, replicas * 2, async () => {
        const startMs = clock.monotonicMs();
        await api.delete(POD_CLIQUE_SETS, key);
        await gone();
        return `gone ${((clock.monotonicMs() - startMs) / 1000).toFixed(1)} s`;
      });
      return [...rows, ...trigger, ...deletion];
    },
    scale: async (from: number, to: number): Promise<Row[]> => {
      const exists = (await api.list(POD_CLIQUE_SETS, { namespace: NAMESPACE })).items.length > 0;
      if (!exists) await create(from);
      else await api.setScale(POD_CLIQUE_SETS, key, from);
      await allReady(from * 2);
      return measured(`operator, ${from} to ${to} replicas`, Math.abs(to - from) * 2, async () => {
        const startMs = clock.monotonicMs();
        await api.setScale(POD_CLIQUE_SETS, key, to);
        const created = to > from ? `created ${(await until("all pods", () => live() === to * 2)).toFixed(1)} s, ` : "";
        await allReady(to * 2);
        return `${created}at target ${((clock.monotonicMs() - startMs) / 1000).toFixed(1)} s`;
      });
    },
    soak: async (base: number, peak: number, cycles: number): Promise<Row[]> => {
      await api.setScale(POD_CLIQUE_SETS, key, base);
      await allReady(base * 2);
      return measured(
        `operator, soak ${base} to ${peak} and back, ${cycles} cycles`,
        (peak - base) * 2 * cycles * 2,
        async () => {
          const times: string[] = [];
          for (let cycle = 0; cycle < cycles; cycle++) {
            for (const replicas of [peak, base]) {
              await api.setScale(POD_CLIQUE_SETS, key, replicas);
              times.push(`${(await allReady(replicas * 2)).toFixed(1)}`);
            }
          }
          return `up, down, … ${times.join(", ")} s`;
        },
      );
    },
    async stop() {
      operator.kill("SIGTERM");
      stop.abort();
      await credentials.dispatcher.destroy();
      await controlPlane.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const AUDIT_POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: None
  verbs: [watch]
- level: Metadata
  users: ["${OPERATOR}"]
- level: None
`;

interface Usage {
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  /** By verb and resource. */
  readonly requests: ReadonlyMap<string, number>;
}

/** From /proc; clock ticks are hundredths of a second. */
function processUsage(pid: number): Omit<Usage, "requests"> {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const peak = /VmHWM:\s+(\d+) kB/u.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, peakBytes: Number(peak) * 1024 };
}

function requestsIn(auditLog: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const line of readFileSync(auditLog, "utf8").split("\n")) {
    if (line === "") continue;
    const { verb, objectRef } = JSON.parse(line) as {
      verb: string;
      objectRef?: { resource: string; subresource?: string };
    };
    if (objectRef === undefined || objectRef.resource === "leases") continue;
    const name = `${verb} ${objectRef.resource}${objectRef.subresource === undefined ? "" : `/${objectRef.subresource}`}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function difference(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): ReadonlyMap<string, number> {
  return new Map(
    [...after]
      .map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const)
      .filter(([, count]) => count > 0),
  );
}

async function startOperator(folder: string, kubeconfig: string): Promise<ChildProcess> {
  const [webhooks, probes, metrics] = await freePorts(3);
  const config = join(folder, "operator.yaml");
  writeFileSync(
    config,
    `apiVersion: operator.config.grove.io/v1alpha1
kind: OperatorConfiguration
runtimeClientConnection: {qps: 100, burst: 150}
leaderElection: {enabled: false}
server:
  webhooks: {bindAddress: 127.0.0.1, port: ${webhooks}}
  healthProbes: {bindAddress: 127.0.0.1, port: ${probes}}
  metrics: {bindAddress: 127.0.0.1, port: ${metrics}}
controllers:
  podCliqueSet: {concurrentSyncs: 20}
  podClique: {concurrentSyncs: 20}
  podCliqueScalingGroup: {concurrentSyncs: 20}
`,
  );
  const child = spawn(process.execPath, ["--max-semi-space-size=8", "src/main.ts", "operator", "--config", config], {
    env: { ...process.env, KUBECONFIG: kubeconfig, GROVE_INIT_CONTAINER_IMAGE: "grove-initc" },
    stdio: ["ignore", "ignore", process.env["GROVE_BENCH_LOG"] === undefined ? "ignore" : "inherit"],
  });
  const endMs = clock.monotonicMs() + 60_000;
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${probes}/readyz`).catch(() => undefined);
    if (answer?.status === 200) return child;
    if (child.exitCode !== null || clock.monotonicMs() > endMs)
      throw new Error(`the operator is not ready (exit code ${child.exitCode}): set GROVE_BENCH_LOG=1 to see its log`);
    await clock.sleep(200);
  }
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    [...Array(count)].map(
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve) => {
          const server = createServer().listen(0, "127.0.0.1", () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function installKinds(api: KubeApi): Promise<void> {
  for (const definition of customResourceDefinitions()) await api.create(CUSTOM_RESOURCE_DEFINITIONS, definition);
  for (;;) {
    const { items } = await api.list(CUSTOM_RESOURCE_DEFINITIONS);
    if (items.every(({ status }) => conditionOf(status?.conditions, "Established")?.status === "True")) return;
    await clock.sleep(200);
  }
}

const NODE_COUNT = 100;

/** Nodes with room for everything, and their heartbeats. */
async function keepNodes(api: KubeApi, signal: AbortSignal): Promise<void> {
  const names = [...Array(NODE_COUNT).keys()].map((index) => `node-${index}`);
  const resources = { cpu: "64", memory: "256Gi", pods: "110" };
  const time = new Date(clock.nowMs()).toISOString().slice(0, 19).concat("Z");
  for (const name of names) {
    await api.create(NODES, {
      apiVersion: "v1",
      kind: "Node",
      metadata: { name, labels: { "kubernetes.io/hostname": name } },
    });
    await api.patch(
      NODES,
      { name },
      {
        status: {
          capacity: resources,
          allocatable: resources,
          conditions: [
            {
              type: "Ready",
              status: "True",
              reason: "KubeletReady",
              message: "",
              lastHeartbeatTime: time,
              lastTransitionTime: time,
            },
          ],
        },
      },
      { type: "strategic", subresource: "status" },
    );
  }
  const beat = async (): Promise<void> => {
    const renewTime = formatMicroTime(clock.nowMs());
    for (const name of names) {
      const metadata = { namespace: "kube-node-lease", name };
      const lease = {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata,
        spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime },
      };
      await api.patch(LEASES, metadata, lease, { type: "apply", fieldManager: "bench", force: true });
    }
  };
  await beat();
  void (async () => {
    while (!signal.aborted) {
      await clock.sleep(10_000, signal).catch(() => undefined);
      if (!signal.aborted) await beat().catch(() => undefined);
    }
  })();
}

function workload(replicas: number): PodCliqueSet {
  return {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: key,
    spec: {
      replicas,
      template: {
        terminationDelay: "4h",
        cliqueStartupType: "CliqueStartupTypeAnyOrder",
        cliques: [
          {
            name: "expert-worker",
            spec: {
              roleName: "expert-worker",
              replicas: 2,
              minAvailable: 2,
              podSpec: {
                terminationGracePeriodSeconds: 1,
                containers: [
                  { name: "engine", image: "engine", resources: { requests: { cpu: "10m", memory: "16Mi" } } },
                ],
              },
            },
          },
        ],
      },
    },
  } as unknown as PodCliqueSet;
}
