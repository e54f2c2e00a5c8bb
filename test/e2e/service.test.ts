/** `run` as it is composed for a cluster, on the embedded one: everything it talks to is HTTP. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../src/api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import { CUSTOM_RESOURCE_DEFINITIONS, LEASES, PODS } from "../../src/api/kubernetes/core.ts";
import { createNamespace } from "../../src/sim/world.ts";
import { readExample } from "../sim/simulation.ts";
import { endProcesses, type RunProcess, runOn, runProcess } from "./run-process.ts";
import { NAMESPACE, type ServiceWorld, type ServiceWorldOptions, startServiceWorld } from "./service-world.ts";

let running: ServiceWorld | undefined;
afterEach(async () => {
  endProcesses();
  await running?.stop();
  running = undefined;
});
const startWorld = async (options?: ServiceWorldOptions): Promise<ServiceWorld> => {
  running = await startServiceWorld(options);
  return running;
};

const LEASE = { namespace: NAMESPACE, name: "grove-autoscaler" };
const WAIT = { timeout: 50_000, interval: 100 };
const holder = async (world: ServiceWorld): Promise<string | undefined> =>
  (await world.world.api.get(LEASES, LEASE)).spec?.holderIdentity;
const isAvailable = async (world: ServiceWorld): Promise<void> => {
  const set = await world.world.api.get(POD_CLIQUE_SETS, { namespace: NAMESPACE, name: "llama-70b" });
  expect(set.status?.availableReplicas).toBe(1);
};

describe("the service on a cluster", () => {
  test("leads, scales up under load, says so everywhere, and gives the lease back", async () => {
    const world = await startWorld();
    const service = await world.start("one");
    await vi.waitFor(async () => expect((await service.get("/readyz")).text).toBe("leading\n"), WAIT);
    expect(await holder(world)).toBe("one");
    await world.deploy();
    await vi.waitFor(() => isAvailable(world), WAIT);
    world.attachTraffic(16);
    await vi.waitFor(async () => {
      const decode = await world.world.api.get(POD_CLIQUE_SCALING_GROUPS, {
        namespace: NAMESPACE,
        name: "llama-70b-0-decode",
      });
      expect(decode.spec.replicas).toBeGreaterThan(1);
    }, WAIT);

    expect((await service.get("/healthz")).text).toMatch(/^leading, last turn \d+ s ago\n$/);
    const { text } = await service.get("/metrics");
    expect(text).toMatch(/grove_autoscaler_leader 1\n/);
    expect(text).toMatch(/grove_autoscaler_desired_replicas\{policy="serving\/llama-70b",target="decode"[^}]*\} [2-9]/);
    expect(text).toMatch(
      /grove_autoscaler_scale_actions_total\{level="PodCliqueScalingGroup",direction="up",result="Written"\} [1-9]/,
    );
    expect(text).toMatch(
      /controller_runtime_reconcile_total\{controller="scalingpolicy-controller",result="requeue_after"\} [1-9]/,
    );
    expect(text).toMatch(
      /rest_client_requests_total\{code="200",method="patch",resource="podcliquescalinggroups"\} [1-9]/,
    );
    expect(text).toMatch(/process_resident_memory_bytes \d/);
    expect(service.lines.find(({ fields }) => fields["outcome"] === "Scaled")).toMatchObject({
      level: "info",
      fields: { policy: "serving/llama-70b" },
    });

    await service.stop();
    expect(await holder(world)).toBe("");
    await expect(service.get("/healthz")).rejects.toThrow("ECONNREFUSED");
    expect(service.lines.at(-1)?.message).toBe("stopped");
  });

  test("a standby is ready, and leads when the leader stops", async () => {
    const world = await startWorld();
    const first = await world.start("one");
    await vi.waitFor(async () => expect((await first.get("/readyz")).text).toBe("leading\n"), WAIT);
    const second = await world.start("two");
    expect(await second.get("/readyz")).toEqual({ status: 200, text: "standby\n" });
    expect((await second.get("/metrics")).text).toContain("grove_autoscaler_leader 0\n");
    await first.stop();
    await vi.waitFor(async () => expect((await second.get("/readyz")).text).toBe("leading\n"), WAIT);
    expect(await holder(world)).toBe("two");
  });

  test("a lease that another takes ends the service, which writes nothing more", async () => {
    const world = await startWorld();
    const service = await world.start("one");
    await vi.waitFor(async () => expect((await service.get("/readyz")).text).toBe("leading\n"), WAIT);
    const lease = await world.world.api.get(LEASES, LEASE);
    await world.world.api.patch(LEASES, LEASE, { spec: { ...lease.spec, holderIdentity: "thief" } }, { type: "merge" });
    await expect(service.failed).rejects.toThrow("another process took the lease: another replica goes on");
    await service.stop();
    expect(await holder(world)).toBe("thief");
  });

  test("without an operator nobody builds the set, and without a lease there is none", async () => {
    const world = await startWorld();
    const service = await world.start("one", { operator: "external", leaderElection: false });
    await vi.waitFor(async () => expect((await service.get("/readyz")).text).toBe("leading\n"), WAIT);
    await world.deploy();
    await vi.waitFor(async () => {
      const { status } = await world.world.api.get(SCALING_POLICIES, { namespace: NAMESPACE, name: "llama-70b" });
      expect(status?.lastDecision).toBeDefined();
    }, WAIT);
    expect((await world.world.api.list(POD_CLIQUE_SCALING_GROUPS, { namespace: NAMESPACE })).items).toEqual([]);
    await expect(holder(world)).rejects.toMatchObject({ code: 404 });
  });
});

describe("liveness", () => {
  test("a leader whose turns never come says so, also with a policy that turns once an hour", async () => {
    let lostMs = 0;
    const world = await startWorld({
      // No timer fires any more and time goes on: what a process looks like whose turns are lost.
      serviceClock: (clock) => ({
        ...clock,
        monotonicMs: () => clock.monotonicMs() + lostMs,
        setTimer: (delayMs, callback) =>
          clock.setTimer(delayMs, () => {
            if (lostMs === 0) callback();
          }),
      }),
    });
    const service = await world.start("one", { leaderElection: false });
    await vi.waitFor(async () => expect((await service.get("/readyz")).text).toBe("leading\n"), WAIT);
    await world.deploy();
    const rare = readExample<ScalingPolicy>("multinode-prefill-decode/policy.yaml", "ScalingPolicy");
    const metadata = { namespace: NAMESPACE, name: "rare" };
    const spec = { ...rare.spec, interval: "1h", targetRef: { ...rare.spec.targetRef, name: "later" } };
    await world.world.api.create(SCALING_POLICIES, { ...rare, metadata, spec });
    await vi.waitFor(async () => {
      for (const name of ["llama-70b", "rare"]) {
        const { status } = await world.world.api.get(SCALING_POLICIES, { namespace: NAMESPACE, name });
        expect(status?.conditions?.length).toBeGreaterThan(0);
      }
    }, WAIT);
    expect(await service.get("/healthz")).toMatchObject({ status: 200 });
    // A turn that had begun may still end.
    await vi.waitFor(async () => {
      lostMs += 400_000;
      const { status, text } = await service.get("/healthz");
      expect(status).toBe(503);
      expect(text).toMatch(/^no turn of any policy for \d+ s, more than 300 s\n$/);
    }, WAIT);
  });
});

describe("namespaces", () => {
  const create = async (world: ServiceWorld, namespace: string): Promise<void> => {
    const { api } = world.world;
    await createNamespace(api, namespace);
    const policy = readExample<ScalingPolicy>("prefill-decode/policy.yaml", "ScalingPolicy");
    const set = readExample<PodCliqueSet>("prefill-decode/workload.yaml", "PodCliqueSet");
    await api.create(POD_CLIQUE_SETS, { ...set, metadata: { ...set.metadata, namespace } });
    await api.create(SCALING_POLICIES, { ...policy, metadata: { ...policy.metadata, namespace } });
  };
  const reasons = async (world: ServiceWorld, namespace: string): Promise<readonly (string | undefined)[]> =>
    (await world.world.api.list(SCALING_POLICIES, { namespace })).items.map(
      ({ status }) => status?.lastDecision?.reason,
    );

  test("the named ones are worked in, the others are left alone", async () => {
    const world = await startWorld();
    const service = await world.start("one", { namespaces: "team-a,team-b" });
    await vi.waitFor(async () => expect((await service.get("/readyz")).text).toBe("leading\n"), WAIT);
    for (const namespace of ["team-a", "team-b", "team-c"]) await create(world, namespace);
    await vi.waitFor(async () => {
      for (const namespace of ["team-a", "team-b"]) {
        expect(await reasons(world, namespace)).toEqual([expect.any(String)]);
        expect((await world.world.api.list(PODS, { namespace })).items.length).toBeGreaterThan(0);
      }
    }, WAIT);
    expect(await reasons(world, "team-c")).toEqual([undefined]);
    expect((await world.world.api.list(PODS, { namespace: "team-c" })).items).toEqual([]);
  });
});

describe("before it starts", () => {
  test("a cluster without the CRDs: one line that says what to run", async () => {
    const world = await startWorld({
      prepare: ({ api }) => api.delete(CUSTOM_RESOURCE_DEFINITIONS, { name: "scalingpolicies.autoscaling.grove.io" }),
    });
    await expect(world.start("one")).rejects.toThrow(
      "the cluster does not know scalingpolicies.autoscaling.grove.io: run `grove-autoscaler crds | kubectl apply --server-side -f -`",
    );
  });

  test("a Prometheus that does not answer is a warning", async () => {
    const world = await startWorld();
    const service = await world.start("one", { prometheusUrl: "http://127.0.0.1:9" });
    expect(service.lines.find(({ level }) => level === "warn")?.message).toBe(
      "Prometheus does not answer: policies hold their replicas until it does",
    );
    expect((await service.get("/readyz")).status).toBe(200);
  });

  test("an API server that does not answer is an error with its address", async () => {
    const world = await startWorld();
    await world.world.apiServer.stop();
    await expect(world.start("one")).rejects.toThrow(/^cannot reach the API server at http:\/\/127\.0\.0\.1:\d+: .+/);
  });

  test("a port that is taken", async () => {
    const world = await startWorld();
    const service = await world.start("one");
    const port = new URL(service.url).port;
    await expect(world.start("two", { port })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${port} (--address, --port)`,
    );
  });
});

describe("the process", () => {
  const leads = ({ lines }: RunProcess) =>
    vi.waitFor(() => expect(lines().map(({ msg }) => msg)).toContain("leading"), WAIT);

  test("SIGTERM ends it with 0 and frees the lease", async () => {
    const world = await startWorld();
    const service = runOn(world);
    await leads(service);
    expect(await holder(world)).toMatch(/_[0-9a-f]+$/);
    service.child.kill("SIGTERM");
    expect(await service.exit).toBe(0);
    expect(await holder(world)).toBe("");
    expect(service.lines().at(-1)).toMatchObject({ level: "info", msg: "stopped" });
  });

  test("losing the lease ends it with 1", async () => {
    const world = await startWorld();
    const service = runOn(world);
    await leads(service);
    await world.world.api.patch(LEASES, LEASE, { spec: { holderIdentity: "thief" } }, { type: "merge" });
    expect(await service.exit).toBe(1);
    expect(service.text()).toContain("error: another process took the lease");
  });

  test.each(["--operator=external", "--no-operator"])("flags that switch things off do so: %s", async (flag) => {
    const world = await startWorld();
    const service = runOn(world, "--no-leader-elect", flag, "--log-format=text");
    await vi.waitFor(() => expect(service.text()).toContain(" leading  "), WAIT);
    expect(service.text()).not.toContain("grove operator is running");
    await expect(holder(world)).rejects.toMatchObject({ code: 404 });
    service.child.kill("SIGINT");
    expect(await service.exit).toBe(0);
  });

  test("a config file is read, and its mistakes are named", async () => {
    const folder = mkdtempSync(join(tmpdir(), "grove-config-"));
    const file = join(folder, "config.yaml");
    writeFileSync(file, "prometheus: {url: http://x}\nleaderElection: {leasename: x}\n");
    const wrong = runProcess("--config", file);
    expect(await wrong.exit).toBe(2);
    expect(wrong.text()).toBe(`error: ${file}: leaderElection.leasename is unknown; did you mean leaseName?\n`);
    rmSync(folder, { recursive: true });
    const missing = runProcess("--config", file);
    expect(await missing.exit).toBe(2);
    expect(missing.text()).toMatch(/^error: --config: cannot read .*there is no such file/);
  });

  test("a bad setting ends it with 2 and one line", async () => {
    const wrong = runProcess("--prometheus-url", "prometheus:9090");
    expect(await wrong.exit).toBe(2);
    expect(wrong.text()).toBe(
      'error: --prometheus-url: "prometheus:9090" is not a URL that starts with http:// or https://\n',
    );
  });
});
