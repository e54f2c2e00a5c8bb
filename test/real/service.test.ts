/** `run` on a real kube-apiserver, as the account and with the rights that the shipped manifests give it. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { SCALING_OVERRIDES } from "../../src/api/autoscaling/scaling-override.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { RESOURCE_DEFINITIONS } from "../../src/api/crds/all.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../src/api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import { LEASES, NAMESPACES, PODS, SERVICE_ACCOUNTS } from "../../src/api/kubernetes/core.ts";
import { formatTime } from "../../src/api/kubernetes/time.ts";
import { wallClock } from "../../src/clock.ts";
import { createKubeClient } from "../../src/kube/client.ts";
import { loadCredentials } from "../../src/kube/credentials.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import { kustomized, type Manifest, readManifestFile } from "../deploy/manifests.ts";
import { runProcess } from "../e2e/run-process.ts";
import { readExample } from "../sim/simulation.ts";
import { type ControlPlane, canStartControlPlane, startControlPlane } from "./control-plane/control-plane.ts";

const WAIT = { timeout: 90_000, interval: 250 };
const SYSTEM = "grove-autoscaler";
const SET = { namespace: "serving", name: "llama-70b" };

describe.skipIf(!canStartControlPlane())("the service on a real API server", () => {
  const clock = wallClock();
  let plane: ControlPlane;
  let folder: string;
  let admin: KubeApi;
  let kubeconfig: string;

  beforeAll(async () => {
    plane = await startControlPlane();
    folder = await mkdtemp(join(tmpdir(), "grove-service-"));
    const credentials = await loadCredentials({ kubeconfig: plane.kubeconfigPath }, clock);
    admin = createKubeClient({ credentials, clock });
    for (const manifest of kustomized("deploy").flatMap(readManifestFile)) await apply(admin, manifest);
    // A definition is in service a moment after it was accepted.
    await vi.waitFor(
      () => Promise.all(RESOURCE_DEFINITIONS.map(({ resource }) => admin.list(resource, { limit: 1 }))),
      WAIT,
    );
    const token = await admin.createSubresource(SERVICE_ACCOUNTS, { namespace: SYSTEM, name: SYSTEM }, "token", {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      metadata: { name: SYSTEM },
      spec: { expirationSeconds: 3_600 },
    } as never);
    kubeconfig = join(folder, "kubeconfig");
    const config = JSON.parse(await readFile(plane.kubeconfigPath, "utf8"));
    config.users[0].user = { token: (token as unknown as { status: { token: string } }).status.token };
    config.contexts[0].context.namespace = SYSTEM;
    await writeFile(kubeconfig, JSON.stringify(config), { mode: 0o600 });
  });
  afterAll(async () => {
    await plane?.stop();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  test("builds the set, follows an override through /scale, is refused nothing, and gives the lease back", async () => {
    const service = runProcess(
      ...["--kubeconfig", kubeconfig, "--prometheus-url", "http://127.0.0.1:9", "--address=127.0.0.1", "--port=0"],
    );
    try {
      await vi.waitFor(() => expect(service.lines().map(({ msg }) => msg)).toContain("leading"), WAIT);
      expect((await admin.get(LEASES, { namespace: SYSTEM, name: SYSTEM })).spec?.holderIdentity).toMatch(/_/);

      await admin.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: SET.namespace } });
      await admin.create(
        POD_CLIQUE_SETS,
        readExample<PodCliqueSet>("multinode-prefill-decode/workload.yaml", "PodCliqueSet"),
      );
      await admin.create(
        SCALING_POLICIES,
        readExample<ScalingPolicy>("multinode-prefill-decode/policy.yaml", "ScalingPolicy"),
      );
      const pods = async () => (await admin.list(PODS, { namespace: SET.namespace })).items;
      await vi.waitFor(async () => expect(await pods()).toHaveLength(5), WAIT);
      await vi.waitFor(async () => {
        const { status } = await admin.get(SCALING_POLICIES, SET);
        expect(status?.lastDecision?.outcome).toBe("Held");
      }, WAIT);

      await admin.create(SCALING_OVERRIDES, {
        apiVersion: "autoscaling.grove.io/v1alpha1",
        kind: "ScalingOverride",
        metadata: { namespace: SET.namespace, name: "launch" },
        spec: {
          policyRef: { name: SET.name },
          scaleTargets: { decode: { replicas: 3 } },
          expiresAt: formatTime(clock.nowMs() + 600_000),
          reason: "launch",
          force: false,
        },
      });
      await vi.waitFor(async () => {
        const group = await admin.get(POD_CLIQUE_SCALING_GROUPS, {
          namespace: SET.namespace,
          name: "llama-70b-0-decode",
        });
        expect(group.spec.replicas).toBe(3);
        expect(await pods()).toHaveLength(9);
      }, WAIT);

      const url = service.lines().find((line) => line.url !== undefined)?.url;
      const exposed = await (await request(`${url}/metrics`)).body.text();
      expect(exposed).toMatch(
        /rest_client_requests_total\{code="200",method="patch",resource="podcliquescalinggroups"\}/,
      );
      expect(exposed.split("\n").filter((line) => /code="(400|401|403|415|422|5..|error)"/.test(line))).toEqual([]);
      expect(service.lines().filter(({ level }) => level === "error")).toEqual([]);

      service.child.kill("SIGTERM");
      expect(await service.exit).toBe(0);
      expect((await admin.get(LEASES, { namespace: SYSTEM, name: SYSTEM })).spec?.holderIdentity ?? "").toBe("");
    } finally {
      service.child.kill("SIGKILL");
    }
  });

  test("without the rights it says which, and what to apply", async () => {
    const config = JSON.parse(await readFile(kubeconfig, "utf8"));
    config.users[0].user = { token: plane.tokenFor("bob@example.com") };
    const path = join(folder, "bob");
    await writeFile(path, JSON.stringify(config), { mode: 0o600 });
    const service = runProcess("--kubeconfig", path, "--prometheus-url", "http://127.0.0.1:9", "--port=0");
    expect(await service.exit).toBe(1);
    expect(service.text()).toMatch(/error: the API server refuses: .*bob@example.com.*: apply deploy\/manifests/);
  });
});

/** As `kubectl apply --server-side`. The plurals of all kinds that are shipped are regular. */
async function apply(api: KubeApi, manifest: Manifest): Promise<void> {
  const { apiVersion, kind, metadata } = manifest;
  const [group, version] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  const { namespace, name } = metadata;
  await api.patch(
    {
      group: group ?? "",
      version: version ?? "",
      kind,
      plural: `${kind.toLowerCase()}s`,
      namespaced: namespace !== undefined,
    },
    namespace === undefined ? { name } : { namespace, name },
    manifest,
    { type: "apply", fieldManager: "test", force: true },
  );
}
