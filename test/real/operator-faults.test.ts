/** The operator as a process that is killed in the middle of its work, on a real kube-apiserver with its webhooks. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { request } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import type { PodCliqueSetInput } from "../../src/api/grove/pod-clique-set.ts";
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type WebhookConfiguration,
} from "../../src/api/kubernetes/admission-registration.ts";
import { CUSTOM_RESOURCE_DEFINITIONS } from "../../src/api/kubernetes/core.ts";
import { readManifestFile } from "../deploy/manifests.ts";
import { KAI_DEFINITIONS } from "../grove/fixtures/scheduler-crds.ts";
import { objectSet } from "../grove/scenarios/object-set.ts";
import { untilUpdated } from "../grove/scenarios/rolling-updates.ts";
import type { ScenarioWorld } from "../grove/scenarios/scenario-world.ts";
import { SCENARIO_SETTINGS } from "../grove/scenarios/settings.ts";
import { untilPods, untilReady } from "../grove/scenarios/steps.ts";
import { onAgents, workload2 } from "../grove/workloads.ts";
import { applyFolder, type Cluster, openCluster } from "./cluster.ts";
import { canStartControlPlane } from "./control-plane/control-plane.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./real-processes.ts";
import { openLane } from "./real-world.ts";

const ROOT = join(import.meta.dirname, "../..");
const NAMESPACE = "operator-faults";
const SET = "workload2";
const run = promisify(execFile);

describe.skipIf(!canStartControlPlane())("an operator process", () => {
  let cluster: Cluster;
  let world: ScenarioWorld;
  let folder: string;
  let operator: ChildProcess | undefined;
  let ports: { readonly webhooks: number; readonly health: number; readonly metrics: number };
  const hardware = new AbortController();

  beforeAll(async () => {
    cluster = await openCluster();
    folder = mkdtempSync(join(tmpdir(), "grove-faults-"));
    const { api } = cluster;
    await applyFolder(api, join(ROOT, "deploy/crds"));
    await applyFolder(api, join(ROOT, "deploy/operator"));
    for (const definition of KAI_DEFINITIONS) await api.create(CUSTOM_RESOURCE_DEFINITIONS, definition);
    ports = { webhooks: await freePort(), health: await freePort(), metrics: await freePort() };
    const at = (port: number) => ({ bindAddress: "127.0.0.1", port });
    writeFileSync(
      join(folder, "config.yaml"),
      stringify({
        apiVersion: "operator.config.grove.io/v1alpha1",
        kind: "OperatorConfiguration",
        server: { webhooks: at(ports.webhooks), healthProbes: at(ports.health), metrics: at(ports.metrics) },
        scheduler: { profiles: [{ name: "kai-scheduler" }], defaultProfileName: "kai-scheduler" },
      }),
    );
    for (const configuration of readManifestFile("deploy/operator/webhooks.yaml") as readonly WebhookConfiguration[]) {
      const webhooks = (configuration.webhooks ?? []).map((webhook) => {
        const { path } = webhook.clientConfig["service"] as { readonly path: string };
        return { ...webhook, clientConfig: { url: `https://127.0.0.1:${ports.webhooks}${path}` } };
      });
      const kind =
        configuration.kind === "MutatingWebhookConfiguration"
          ? MUTATING_WEBHOOK_CONFIGURATIONS
          : VALIDATING_WEBHOOK_CONFIGURATIONS;
      await api.create(kind, { ...configuration, webhooks });
    }
    world = await openLane({
      api,
      namespace: NAMESPACE,
      signal: hardware.signal,
      problems: [],
      settings: SCENARIO_SETTINGS,
    });
    await world.prepare(30);
    await startOperator();
  });
  afterAll(async () => {
    operator?.kill("SIGKILL");
    hardware.abort();
    await cluster?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  async function startOperator(): Promise<void> {
    operator = spawn(
      process.execPath,
      [join(ROOT, "src/main.ts"), "operator", "--config", join(folder, "config.yaml")],
      {
        env: { PATH: process.env["PATH"], KUBECONFIG: cluster.kubeconfigPath, POD_NAMESPACE: "grove-system" },
        stdio: "ignore",
      },
    );
    await eventually("the operator to be ready", async () => {
      const { statusCode, body } = await request(`http://127.0.0.1:${ports.health}/readyz`);
      await body.dump();
      return statusCode === 200;
    });
    // The server takes a moment to see the authority that was injected.
    await eventually("the webhooks to be called", async () => {
      const probe = { ...onAgents(workload2()), metadata: { name: "probe" }, spec: { replicas: -1 } };
      const { text } = await apply(probe as never, "--dry-run=server");
      return text.includes("denied the request") || text.includes("is invalid");
    });
  }

  const kill = async (): Promise<void> => {
    const dying = operator;
    operator = undefined;
    const exit = new Promise((resolve) => dying?.once("exit", resolve));
    dying?.kill("SIGKILL");
    await exit;
  };

  async function apply(set: PodCliqueSetInput, ...flags: readonly string[]) {
    const path = join(folder, "set.json");
    writeFileSync(path, JSON.stringify({ ...set, metadata: { ...set.metadata, namespace: NAMESPACE } }));
    const args = ["--kubeconfig", cluster.kubeconfigPath, "apply", "--server-side", ...flags, "-f", path];
    try {
      const { stdout, stderr } = await run("kubectl", args);
      return { ok: true, text: stdout + stderr };
    } catch (error) {
      return { ok: false, text: (error as { readonly stderr: string }).stderr };
    }
  }

  const untilObserved = (replicas: number): Promise<void> =>
    world.until("the set to be observed and available", () => {
      const { metadata, status } = world.view.set(SET) ?? {};
      const { observedGeneration, availableReplicas, lastErrors = [] } = status ?? {};
      return observedGeneration === metadata?.generation && availableReplicas === replicas && lastErrors.length === 0;
    });
  async function bringUp(): Promise<void> {
    expect(await apply(onAgents(workload2()))).toMatchObject({ ok: true });
    await untilReady(world, 10);
    await untilObserved(1);
  }
  afterEach(async () => {
    if (operator === undefined) await startOperator();
    await world.cleanUp();
  });

  test("brings a set up, and one that is killed in the middle of it is followed by one that ends with the same", async () => {
    await bringUp();
    await world.settle();
    const calm = await objectSet(world);
    for (const pods of [1, 6]) {
      await world.cleanUp();
      expect(await apply(onAgents(workload2()))).toMatchObject({ ok: true });
      await world.until(`${pods} pods`, () => world.view.pods().length >= pods);
      await kill();
      await startOperator();
      await untilReady(world, 10);
      await untilObserved(1);
      await world.settle();
      expect(await objectSet(world)).toEqual(calm);
    }
  });

  test("in the middle of a rolling update: no pod is left old, and none is replaced twice", async () => {
    await bringUp();
    const recording = world.record();
    await world.triggerUpdate(SET, ["pc-a", "pc-b", "pc-c"]);
    await world.until("the first pod to go", () => recording.events.some(({ type }) => type === "terminating"));
    await kill();
    await startOperator();
    await untilUpdated(world, SET, 1);
    await untilReady(world, 10);
    const made = recording.stop().filter(({ type }) => type === "added");
    expect(made.map(({ pod }) => pod.spec.hostname).toSorted()).toEqual(
      world.view
        .pods()
        .map(({ spec }) => spec.hostname)
        .toSorted(),
    );
    await untilObserved(1);
  });

  test("while it is away, new sets are refused clearly and children are scaled; then it catches up", async () => {
    await bringUp();
    await kill();
    const refused = await apply({ ...onAgents(workload2()), metadata: { name: "other" } });
    expect(refused.ok).toBe(false);
    expect(refused.text).toMatch(
      /failed calling webhook "pcs\.(defaulting|mutating)\.webhooks\.grove\.io".*connection refused/,
    );
    const before = world.view.pods().map(({ metadata }) => metadata.uid);
    await world.scale("group", `${SET}-0-sg-x`, 3);
    await world.scale("clique", `${SET}-0-pc-a`, 3);
    await world.pass(2_000);
    expect(world.view.pods().map(({ metadata }) => metadata.uid)).toEqual(before);
    expect(world.view.set(SET)?.status?.availableReplicas).toBe(1);
    await startOperator();
    await untilReady(world, 15);
    await untilObserved(1);
    // What ran goes on running.
    const after = new Set(world.view.pods().map(({ metadata }) => metadata.uid));
    expect(before.filter((uid) => !after.has(uid))).toEqual([]);
    await world.scale("group", `${SET}-0-sg-x`, 2);
    await world.scale("clique", `${SET}-0-pc-a`, 2);
    await untilPods(world, 10);
  });
});
