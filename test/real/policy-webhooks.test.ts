/** `run --webhooks` as a process on a real kube-apiserver that calls its webhooks, with the rights of the shipped manifests. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SCALING_OVERRIDES } from "../../src/api/autoscaling/scaling-override.ts";
import { SCALING_POLICIES } from "../../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS } from "../../src/api/grove/pod-clique-set.ts";
import {
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type WebhookConfiguration,
} from "../../src/api/kubernetes/admission-registration.ts";
import { HORIZONTAL_POD_AUTOSCALERS } from "../../src/api/kubernetes/core.ts";
import { readManifestFile } from "../deploy/manifests.ts";
import { applyFolder, type Cluster, openCluster, requestToken } from "./cluster.ts";
import { canStartControlPlane } from "./control-plane/control-plane.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./real-processes.ts";

const ROOT = join(import.meta.dirname, "../..");
// biome-ignore lint/suspicious/noExplicitAny: good and bad objects alike
type Any = any;

const policy = (name: string, spec: Any = {}): Any => ({
  apiVersion: "autoscaling.grove.io/v1alpha1",
  kind: "ScalingPolicy",
  metadata: { namespace: "default", name },
  spec: {
    targetRef: { name: "llm" },
    scaleTargets: [{ name: "decode", level: "PodClique", ref: "decode", maxReplicas: 4 }],
    ...spec,
  },
});
const onTarget = (more: Any): Any => ({ scaleTargets: [{ ...policy("x").spec.scaleTargets[0], ...more }] });
const clique = (name: string): Any => ({
  name,
  spec: {
    roleName: name,
    replicas: 2,
    minAvailable: 2,
    podSpec: { containers: [{ name: "engine", image: "engine", resources: { limits: { "nvidia.com/gpu": "4" } } }] },
  },
});

describe.skipIf(!canStartControlPlane())("the webhooks of run", () => {
  let cluster: Cluster;
  let folder: string;
  let child: ChildProcess;
  let output = "";

  beforeAll(async () => {
    cluster = await openCluster();
    folder = mkdtempSync(join(tmpdir(), "grove-webhooks-"));
    for (const part of ["crds", "manifests", "webhooks"]) await applyFolder(cluster.api, join(ROOT, "deploy", part));
    const [webhookPort, port] = [await freePort(), await freePort()];
    for (const object of readManifestFile("deploy/webhooks/webhooks.yaml")) {
      if (object.kind === "Service") continue;
      const configuration = object as WebhookConfiguration;
      const webhooks = (configuration.webhooks ?? []).map((webhook) => {
        const { path } = webhook.clientConfig["service"] as { readonly path: string };
        return { ...webhook, clientConfig: { url: `https://127.0.0.1:${webhookPort}${path}` } };
      });
      await cluster.api.create(VALIDATING_WEBHOOK_CONFIGURATIONS, { ...configuration, webhooks });
    }
    await cluster.api.create(POD_CLIQUE_SETS, {
      apiVersion: "grove.io/v1alpha1",
      kind: "PodCliqueSet",
      metadata: { namespace: "default", name: "llm" },
      spec: {
        replicas: 1,
        template: {
          cliques: [clique("decode"), clique("leader"), clique("worker")],
          podCliqueScalingGroups: [{ name: "prefill", cliqueNames: ["leader", "worker"], minAvailable: 1 }],
        },
      },
    } as Any);
    const config = JSON.parse(readFileSync(cluster.kubeconfigPath, "utf8"));
    config.users[0].user = { token: await requestToken(cluster.api, "grove-autoscaler", "grove-autoscaler") };
    config.contexts[0].context.namespace = "grove-autoscaler";
    const kubeconfig = join(folder, "kubeconfig");
    writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });
    const flags = ["--webhooks", "--webhook-port", `${webhookPort}`, "--address", "127.0.0.1", "--port", `${port}`];
    child = spawn(
      process.execPath,
      [join(ROOT, "src/main.ts"), "run", ...flags, "--no-operator", "--prometheus-url", "http://127.0.0.1:9"],
      { env: { PATH: process.env["PATH"], KUBECONFIG: kubeconfig }, stdio: ["ignore", "pipe", "pipe"] },
    );
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        output += chunk.toString();
      });
    }
    await eventually("the service to be ready", async () => {
      if (child.exitCode !== null) throw new Error(output);
      const { statusCode, body } = await request(`http://127.0.0.1:${port}/readyz`);
      await body.dump();
      return statusCode === 200;
    });
    // Let through until the API server knows the authority.
    await eventually("the API server to call the webhook", async () => {
      const probe = await attempt(cluster.api.create(SCALING_POLICIES, policy("probe", onTarget({ ref: "nobody" }))));
      if (probe.includes("denied the request")) return true;
      await cluster.api.delete(SCALING_POLICIES, { namespace: "default", name: "probe" });
      return false;
    });
  });
  afterAll(async () => {
    if (child !== undefined && child.exitCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
    await cluster?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  const create = (name: string, spec: Any = {}): Promise<string> =>
    attempt(cluster.api.create(SCALING_POLICIES, policy(name, spec)));
  const patch = (name: string, change: Any, options: Any = {}): Promise<string> =>
    attempt(cluster.api.patch(SCALING_POLICIES, { namespace: "default", name }, change, { type: "merge", ...options }));

  test("bad objects are refused with their sentence, what was wrong before blocks nothing, and without the webhook the CRD alone answers", async () => {
    const { api } = cluster;
    const ratio = { name: "narrow", between: ["decode", "prefill"], min: "5:7", max: "5:7" };
    const prefill = { name: "prefill", level: "PodCliqueScalingGroup", ref: "prefill", maxReplicas: 4 };
    expect(await create("bad", onTarget({ ref: "nobody" }))).toContain(
      'spec.scaleTargets[0].ref: "nobody": PodCliqueSet llm has no clique of that name; it has: decode',
    );
    expect(await create("bad", onTarget({ ref: "leader" }))).toContain("is a member of scaling group prefill");
    expect(await create("bad", { gpuBudget: { max: 1 } })).toContain("the minimum viable set needs 24 GPUs");
    expect(await create("bad", { interval: "10ms" })).toContain("spec.interval: must be at least 1s");
    expect(await create("bad", onTarget({ maxReplicas: 1 }))).toContain("must not be below minAvailable 2 of decode");
    expect(
      await create("bad", { scaleTargets: [...policy("x").spec.scaleTargets, prefill], ratios: [ratio] }),
    ).toContain("no whole numbers of decode and prefill inside their bounds satisfy it");

    expect(await create("good")).toBe("admitted");
    expect(await create("second")).toContain("ScalingPolicy good already scales PodCliqueSet llm");
    expect(await create("shadow", { mode: "Shadow" })).toBe("admitted");
    expect(await patch("shadow", { spec: { mode: "Active" } })).toContain("ScalingPolicy good already scales");
    expect(await create("later", { targetRef: { name: "later" } })).toBe("admitted");

    const override = (target: string, expiresAt: string): Promise<string> =>
      attempt(
        api.create(SCALING_OVERRIDES, {
          apiVersion: "autoscaling.grove.io/v1alpha1",
          kind: "ScalingOverride",
          metadata: { namespace: "default", name: target },
          spec: { policyRef: { name: "good" }, scaleTargets: { [target]: { replicas: 2 } }, expiresAt, reason: "test" },
        } as Any),
      );
    expect(await override("decode", "2020-01-01T00:00:00Z")).toContain("must be in the future");
    expect(await override("router", "2099-01-01T00:00:00Z")).toContain("is not a scale target of ScalingPolicy good");
    expect(await override("decode", "2099-01-01T00:00:00Z")).toBe("admitted");

    // An HPA that came later makes a stored policy bad.
    await api.create(HORIZONTAL_POD_AUTOSCALERS, {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { namespace: "default", name: "old" },
      spec: {
        scaleTargetRef: { apiVersion: "grove.io/v1alpha1", kind: "PodClique", name: "llm-0-decode" },
        minReplicas: 1,
        maxReplicas: 4,
      },
    });
    expect(await patch("good", { metadata: { labels: { a: "b" }, finalizers: ["example.com/keep"] } })).toBe(
      "admitted",
    );
    expect(await patch("good", { status: { replicas: "decode 2" } }, { subresource: "status" })).toBe("admitted");
    expect(await patch("good", { spec: { mode: "Paused" } })).toBe("admitted");
    expect(await patch("good", { spec: { interval: "10ms" } })).toContain("spec.interval: must be at least 1s");
    expect(await patch("shadow", { spec: { targetRef: { name: "other" } } })).toBe("admitted");
    expect(await patch("shadow", { spec: { targetRef: { name: "llm" } } })).toContain(
      "HorizontalPodAutoscaler old scales PodClique llm-0-decode too: kubectl delete hpa old -n default",
    );
    const key = { namespace: "default", name: "good" };
    expect(await attempt(api.delete(SCALING_POLICIES, key))).toBe("admitted");
    expect(await patch("good", { metadata: { finalizers: null } })).toBe("admitted");
    await expect(api.get(SCALING_POLICIES, key)).rejects.toMatchObject({ code: 404 });

    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    expect(await gone, output).toBe(0);
    expect(await create("bad", onTarget({ minReplicas: 9 }))).toContain("must not be above maxReplicas");
    expect(await create("bad", onTarget({ ref: "nobody" }))).toBe("admitted");
  });
});

/** "admitted", or what the server said. */
const attempt = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => "admitted",
    (error: unknown) => String(error),
  );
