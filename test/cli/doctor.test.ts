/** What is wrong with an installation, and what to do about it: `doctor` against a running system and against broken ones. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { customResourceDefinitions } from "../../src/api/crds/all.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import { VALIDATING_WEBHOOK_CONFIGURATIONS } from "../../src/api/kubernetes/admission-registration.ts";
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  type CustomResourceDefinition,
  HORIZONTAL_POD_AUTOSCALERS,
  LEASES,
} from "../../src/api/kubernetes/core.ts";
import { formatMicroTime } from "../../src/api/kubernetes/time.ts";
import type { Check } from "../../src/cli/doctor/check.ts";
import type { Clock } from "../../src/clock.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import { createNamespace } from "../../src/sim/world.ts";
import { readExample } from "../sim/simulation.ts";
import { type BareCluster, startBareCluster } from "./bare-cluster.ts";
import type { CliResult } from "./cli.ts";
import { type LiveWorld, startLiveWorld } from "./live-world.ts";

const EXAMPLE = "prefill-decode";
const INSTALL = "grove-autoscaler crds | kubectl apply --server-side -f -";

async function createLease(
  { api, clock }: { readonly api: KubeApi; readonly clock: Clock },
  { namespace = "grove-autoscaler", name = "grove-autoscaler", holderIdentity = "pod-1" } = {},
): Promise<void> {
  await createNamespace(api, namespace);
  await api.create(LEASES, {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name, namespace },
    spec: { holderIdentity, leaseDurationSeconds: 15, renewTime: formatMicroTime(clock.nowMs()) },
  });
}

interface Findings {
  readonly code: number;
  readonly checks: readonly Check[];
  of(check: string): readonly Check[];
}

function findings({ code, out, err }: CliResult): Findings {
  expect(err).toBe("");
  const { ok, checks } = JSON.parse(out) as { readonly ok: boolean; readonly checks: readonly Check[] };
  expect(ok).toBe(!checks.some(({ status }) => status === "failed"));
  expect(code).toBe(ok ? 0 : 1);
  for (const { status, wayOut } of checks) expect(wayOut !== undefined).toBe(["warning", "failed"].includes(status));
  return { code, checks, of: (name) => checks.filter(({ check }) => check === name) };
}

describe("a running system", () => {
  let world: LiveWorld;
  beforeAll(async () => {
    world = await startLiveWorld({ seed: 5 });
    await createLease({ api: world.simulation.world.api, clock: world.simulation.clock });
  });
  afterAll(() => world.stop());

  test("nothing failed: one line a check, inside 80 columns, exit code 0", async () => {
    const { out, err, code } = await world.run(["doctor"]);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
    const flat = out.replace(/\n {9}/g, " ");
    expect(flat.split("\n").map((line) => line.replace(/:\d+/, ":PORT"))).toEqual([
      "ok       API server: v1.35.4+embedded, at http://127.0.0.1:PORT",
      "ok       CRDs grove.io: PodCliqueSet, PodClique, PodCliqueScalingGroup, ClusterTopologyBinding: as this version has them",
      "ok       CRDs scheduler.grove.io: PodGang: as this version has them",
      "ok       CRDs autoscaling.grove.io: ScalingPolicy, ScalingOverride, GPUBudget: as this version has them",
      "ok       rights of the autoscaler: kubernetes-admin may do all of it in all namespaces (35 rights)",
      "ok       rights of the operator: kubernetes-admin may do all of it in all namespaces (72 rights)",
      "ok       autoscaler: pod-1 leads, renewed 0s ago (Lease grove-autoscaler/grove-autoscaler)",
      "ok       operator: no operator of its own leads, so the one built into the autoscaler: every PodCliqueSet is taken up",
      "ok       webhook: not installed; it is optional (kubectl apply --server-side -k deploy/webhooks)",
      "ok       policies: one policy, as it should be",
      expect.stringMatching(/^ok {7}Prometheus: answers; (\d+) of \1 targets are up$/),
      "",
      "nothing failed",
    ]);
  });

  test("-o json and yaml say the same; colours only for a person", async () => {
    const { checks } = findings(await world.run(["doctor", "-A", "-o", "json"]));
    expect(parse((await world.run(["doctor", "-A", "-o", "yaml"])).out)).toEqual({ ok: true, checks });
    expect((await world.run(["doctor"], { isInteractive: true })).out).toContain(
      "\x1b[32mok\x1b[0m       API server: ",
    );
  });

  test("a Prometheus that does not answer, and none", async () => {
    const { of } = findings(await world.run(["doctor", "-o", "json", "--prometheus", "http://127.0.0.1:1"]));
    expect(of("Prometheus")).toMatchObject([{ status: "failed", message: expect.stringContaining("ECONNREFUSED") }]);
    expect(findings(await world.run(["doctor", "-o", "json"], { environment: {} })).of("Prometheus")).toEqual([
      { check: "Prometheus", status: "skipped", message: "not asked: no --prometheus URL" },
    ]);
    expect(await world.run(["doctor", "--prometheus", "nonsense"])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^error: --prometheus: /),
    });
  });
});

describe("a system that goes wrong", () => {
  let world: LiveWorld;
  afterEach(() => world.stop());

  test("another autoscaler on a target is found before and after the policy gives way to it", async () => {
    world = await startLiveWorld({ seed: 6 });
    const { api } = world.simulation.world;
    await createLease({ api, clock: world.simulation.clock });
    await api.create(HORIZONTAL_POD_AUTOSCALERS, {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: { name: "rival", namespace: "serving" },
      spec: {
        scaleTargetRef: { apiVersion: "grove.io/v1alpha1", kind: "PodCliqueScalingGroup", name: "llama-70b-0-decode" },
        maxReplicas: 9,
      },
    });
    const rival =
      "HorizontalPodAutoscaler rival scales PodCliqueScalingGroup llama-70b-0-decode too: kubectl delete hpa rival -n serving";
    const before = findings(await world.run(["doctor", "-o", "json"]));
    expect(before.of("policy serving/llama-70b")).toMatchObject([
      { status: "failed", message: `spec.scaleTargets[2]: ${rival}` },
    ]);
    await world.simulation.clock.advance(60_000);
    const after = findings(await world.run(["doctor", "-o", "json"]));
    expect(after.of("policy serving/llama-70b").filter(({ status }) => status === "failed")).toEqual([
      {
        check: "policy serving/llama-70b",
        status: "failed",
        message: `AbleToScale=False ForeignController: decode: ${rival}`,
        wayOut: "grove-autoscaler explain llama-70b -n serving",
      },
    ]);
    expect(after.of("policies")).toEqual([]);
  });

  test("an autoscaler that is gone: its lease, its decisions, and the operator with it", async () => {
    world = await startLiveWorld({ seed: 6 });
    const { api } = world.simulation.world;
    await createLease({ api, clock: world.simulation.clock });
    world.simulation.stop();
    await world.simulation.clock.advance(630_000);
    const key = { namespace: "serving", name: "llama-70b" };
    await api.patch(POD_CLIQUE_SETS, key, { spec: { replicas: 2 } }, { type: "merge" });
    // A moment ago: the operator may still come to it.
    expect(findings(await world.run(["doctor", "-o", "json"])).of("operator")).toMatchObject([{ status: "ok" }]);
    await world.simulation.clock.advance(61_000);
    const { of } = findings(await world.run(["doctor", "-o", "json"]));
    expect(of("autoscaler")).toEqual([
      {
        check: "autoscaler",
        status: "failed",
        message: "pod-1 holds Lease grove-autoscaler/grove-autoscaler and has not renewed it for 11m",
        wayOut: "kubectl -n grove-autoscaler get pods: one has to run and be ready",
      },
    ]);
    expect(of("operator")).toMatchObject([
      { status: "failed", message: "nobody has taken up the latest spec of PodCliqueSet serving/llama-70b" },
    ]);
    expect(of("policy serving/llama-70b")).toMatchObject([
      { status: "failed", message: expect.stringMatching(/^the last decision is \d+m old$/) },
    ]);
  });

  test("targets that are down are a warning", async () => {
    world = await startLiveWorld({ seed: 6 });
    await createLease({ api: world.simulation.world.api, clock: world.simulation.clock });
    const answer = (value: string) => ({
      status: "success",
      data: { resultType: "vector", result: [{ metric: {}, value: [0, value] }] },
    });
    const server = createServer((incoming, response) => {
      incoming.resume().once("end", () => {
        isSum = !isSum;
        response.setHeader("content-type", "application/json").end(JSON.stringify(answer(isSum ? "3" : "2")));
      });
    });
    let isSum = false;
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    try {
      const { of, code } = findings(
        await world.run(["doctor", "-o", "json", "--prometheus", `http://127.0.0.1:${port}`]),
      );
      expect(code).toBe(0);
      expect(of("Prometheus")).toMatchObject([{ status: "warning", message: "answers; 2 of 3 targets are up" }]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });
});

describe("an installation that is not complete", () => {
  let cluster: BareCluster;
  afterEach(() => cluster.stop());
  const doctor = async (...args: string[]): Promise<Findings> =>
    findings(await cluster.run(["doctor", "-o", "json", ...args]));

  test("nothing but an API server", async () => {
    cluster = await startBareCluster({}, { crds: [] });
    const { of, code } = await doctor();
    expect(code).toBe(1);
    expect(of("CRDs autoscaling.grove.io")).toEqual([
      {
        check: "CRDs autoscaling.grove.io",
        status: "failed",
        message:
          "not installed: scalingpolicies.autoscaling.grove.io, scalingoverrides.autoscaling.grove.io, gpubudgets.autoscaling.grove.io",
        wayOut: INSTALL,
      },
    ]);
    expect(of("CRDs grove.io")).toMatchObject([{ status: "failed" }]);
    expect(of("autoscaler")).toMatchObject([
      { status: "failed", message: "there is no Lease grove-autoscaler, in no namespace" },
    ]);
    expect(of("operator")).toMatchObject([{ status: "warning" }]);
    expect(of("policies")).toEqual([
      { check: "policies", status: "skipped", message: "none in namespace default (-A looks in all)" },
    ]);
    const { out } = await cluster.run(["doctor"]);
    expect(out).toContain(`         → ${INSTALL}`);
    expect(out).toMatch(/^4 checks failed, 1 warning$/m);
  });

  test("an API server that does not answer is a failed check", async () => {
    cluster = await startBareCluster();
    const gone = cluster.scratch.kubeconfig({ url: "http://127.0.0.1:1" });
    const { checks } = findings(await cluster.run(["doctor", "-o", "json"], { kubeconfig: gone }));
    expect(checks).toEqual([
      {
        check: "API server",
        status: "failed",
        message: "cannot reach the API server http://127.0.0.1:1: ECONNREFUSED",
        wayOut: "is it the right --context, and is the cluster up?",
      },
      { check: "Prometheus", status: "skipped", message: "not asked: no --prometheus URL" },
    ]);
  });

  test("CRDs of another version: what is dropped, what is new, and other rules", async () => {
    cluster = await startBareCluster();
    await edit("scalingpolicies.autoscaling.grove.io", (schema) => void delete schema.properties.spec.properties.slo);
    const { of } = await doctor();
    expect(of("CRDs autoscaling.grove.io")).toMatchObject([
      {
        status: "failed",
        message: "scalingpolicies.autoscaling.grove.io is older: it would drop spec.slo",
        wayOut: INSTALL,
      },
    ]);

    await reinstall("scalingpolicies.autoscaling.grove.io");
    await edit("scalingpolicies.autoscaling.grove.io", (schema) => {
      schema.properties.spec.properties.tomorrow = { type: "string" };
    });
    expect((await doctor()).of("CRDs autoscaling.grove.io")).toMatchObject([
      { status: "warning", message: expect.stringMatching(/is newer than this program: it knows spec\.tomorrow$/) },
    ]);

    await reinstall("scalingpolicies.autoscaling.grove.io");
    await edit(
      "scalingpolicies.autoscaling.grove.io",
      (schema) => void delete schema.properties.spec["x-kubernetes-validations"],
    );
    expect((await doctor()).of("CRDs autoscaling.grove.io")).toMatchObject([
      { status: "warning", message: expect.stringContaining("checks objects by other rules than this version") },
    ]);
  });

  test("Grove's own CRDs may be upstream's: what they lack is a warning", async () => {
    cluster = await startBareCluster();
    await createLease(cluster);
    await edit("podcliquesets.grove.io", (schema) => void delete schema.properties.status.properties.hpaPodSelector);
    await edit(
      "podcliquesets.grove.io",
      (schema) => void delete schema.properties.status.properties.observedGeneration,
    );
    const { of, code } = await doctor();
    expect(code).toBe(0);
    expect(of("CRDs grove.io")).toMatchObject([
      {
        status: "warning",
        message: expect.stringMatching(
          /^podcliquesets\.grove\.io is older: it would drop .*status\.observedGeneration/,
        ),
      },
    ]);
  });

  test("what may not be read is no failure, and is said", async () => {
    cluster = await startBareCluster({
      authorize: (_, verb, { plural }) =>
        !["customresourcedefinitions", "scalingpolicies", "leases"].includes(plural) || !["get", "list"].includes(verb),
    });
    const { of } = await doctor();
    expect(of("CRDs grove.io")).toMatchObject([
      { status: "warning", message: expect.stringMatching(/cannot be seen: not allowed: .*"alice" cannot get/) },
    ]);
    expect(of("scalingpolicies")).toMatchObject([{ status: "warning" }]);
    expect(of("policies")).toEqual([]);
    expect(of("autoscaler")).toMatchObject([
      { status: "warning", message: expect.stringMatching(/^Lease grove-autoscaler cannot be read: /) },
    ]);
  });

  test("kinds that are not there are missing, also to those who may not read definitions", async () => {
    cluster = await startBareCluster(
      { authorize: (_, __, { plural }) => plural !== "customresourcedefinitions" },
      {
        crds: customResourceDefinitions().filter(({ spec }) => spec.names.kind !== "GPUBudget"),
      },
    );
    const { of } = await doctor();
    expect(of("CRDs autoscaling.grove.io")).toMatchObject([
      { status: "failed", message: "not installed: gpubudgets.autoscaling.grove.io" },
    ]);
    expect(of("CRDs grove.io")).toMatchObject([{ status: "warning" }]);
  });

  const noScale: NonNullable<Parameters<typeof startBareCluster>[0]>["authorize"] = (_, verb, { plural }, namespace) =>
    !(verb === "patch" && plural === "podcliques") && !(plural === "pods" && namespace === undefined);

  test("rights that the account of a service lacks are a failure, named once a kind", async () => {
    const user = "system:serviceaccount:grove-autoscaler:grove-autoscaler";
    cluster = await startBareCluster({ authorize: noScale }, { user });
    const everywhere = (await doctor()).of("rights of the autoscaler");
    expect(everywhere).toEqual([
      {
        check: "rights of the autoscaler",
        status: "failed",
        message: `${user} may not patch podcliques/scale.grove.io; list, watch pods in all namespaces`,
        wayOut: "kubectl apply --server-side -f deploy/manifests/rbac-autoscaler.yaml",
      },
    ]);
    // Where the service works in single namespaces.
    expect((await doctor("-n", "default")).of("rights of the autoscaler")[0]?.message).toBe(
      `${user} may not patch podcliques/scale.grove.io in namespace default`,
    );
  });

  test("a person who lacks them is told, and nothing has failed by that", async () => {
    cluster = await startBareCluster({ authorize: noScale });
    await createLease(cluster);
    const { of, code } = await doctor();
    expect(code).toBe(0);
    expect(of("rights of the autoscaler")).toMatchObject([
      {
        status: "warning",
        message: expect.stringMatching(/^alice may not patch .*the service may have an account that may$/),
      },
    ]);
  });

  test("another operator leads, so its rights are its own affair", async () => {
    cluster = await startBareCluster();
    await createLease(cluster, {
      namespace: "grove-system",
      name: "grove-operator-leader-election",
      holderIdentity: "op",
    });
    const { of } = await doctor();
    expect(of("operator")).toMatchObject([
      { status: "ok", message: "op leads, renewed 0s ago (Lease grove-system/grove-operator-leader-election)" },
    ]);
    expect(of("rights of the operator")).toMatchObject([{ status: "skipped" }]);
  });

  test("a lease: given back, elsewhere by another name, or in the usual namespace where lists are refused", async () => {
    cluster = await startBareCluster({ authorize: (_, verb, { plural }) => plural !== "leases" || verb !== "list" });
    await createLease(cluster, { holderIdentity: "" });
    await createLease(cluster, { namespace: "kube-public", name: "mine" });
    expect((await doctor()).of("autoscaler")).toMatchObject([
      {
        status: "failed",
        message: "nobody holds Lease grove-autoscaler/grove-autoscaler: its last holder gave it back",
      },
    ]);
    const named = ["--lease-name", "mine", "--lease-namespace", "kube-public"];
    expect((await doctor(...named)).of("autoscaler")).toMatchObject([{ status: "ok" }]);
    expect((await doctor("--lease-namespace", "default")).of("autoscaler")).toMatchObject([
      { status: "failed", message: "there is no Lease grove-autoscaler, not in namespace default" },
    ]);
  });

  test("a policy that nobody has looked at, and what it says when somebody has", async () => {
    cluster = await startBareCluster();
    await createLease(cluster);
    const example = readExample<ScalingPolicy>(`${EXAMPLE}/policy.yaml`, "ScalingPolicy");
    await cluster.api.create(SCALING_POLICIES, { ...example, metadata: { name: "p", namespace: "default" } });
    expect((await doctor()).of("policies")).toMatchObject([{ status: "ok" }]);
    await cluster.clock.advance(180_000);
    expect((await doctor()).of("policy default/p")).toMatchObject([
      { status: "failed", message: "nothing was decided about it since it was made 3m ago" },
    ]);

    const say = (type: string, status: string, reason: string, message: string) => ({
      type,
      status,
      reason,
      message,
      lastTransitionTime: "2026-01-01T00:00:00Z",
    });
    const conditions = [
      say("Ready", "False", "TargetNotFound", "there is no PodCliqueSet x"),
      say("TargetResolved", "False", "TargetNotFound", "there is no PodCliqueSet x"),
      say("MetricsAvailable", "False", "Missing", "decode: kvCacheUsage: nothing"),
      say("CapacityPending", "True", "Unschedulable", "decode: 1 without nodes or overdue"),
      // A mode and a limit are what somebody asked for.
      say("ScalingActive", "False", "Paused", "mode is Paused"),
      say("ScalingLimited", "True", "TooManyReplicas", "a target is at maxReplicas"),
    ];
    const key = { namespace: "default", name: "p" };
    const patch = { status: { conditions } };
    await cluster.api.patch(SCALING_POLICIES, key, patch, { type: "merge", subresource: "status" });
    const { of } = await doctor();
    expect(of("policy default/p").map(({ status, message }) => `${status} ${message}`)).toEqual([
      "failed Ready=False TargetNotFound: there is no PodCliqueSet x",
      "failed MetricsAvailable=False Missing: decode: kvCacheUsage: nothing",
      "warning CapacityPending=True Unschedulable: decode: 1 without nodes or overdue",
    ]);
  });

  test("policies that are decided about without a lease", async () => {
    cluster = await startBareCluster();
    const example = readExample<ScalingPolicy>(`${EXAMPLE}/policy.yaml`, "ScalingPolicy");
    await cluster.api.create(SCALING_POLICIES, { ...example, metadata: { name: "p", namespace: "default" } });
    const lastDecision = {
      id: "1",
      time: formatMicroTime(cluster.clock.nowMs()),
      outcome: "Held",
      reason: "DemandMet",
    };
    const key = { namespace: "default", name: "p" };
    await cluster.api.patch(
      SCALING_POLICIES,
      key,
      { status: { lastDecision } },
      { type: "merge", subresource: "status" },
    );
    expect((await doctor()).of("autoscaler")).toMatchObject([
      { status: "warning", message: expect.stringMatching(/, but policies are decided about$/) },
    ]);
  });

  test("two policies of one set contradict each other, whatever their statuses say", async () => {
    cluster = await startBareCluster();
    const example = readExample<ScalingPolicy>(`${EXAMPLE}/policy.yaml`, "ScalingPolicy");
    for (const name of ["a", "b"])
      await cluster.api.create(SCALING_POLICIES, { ...example, metadata: { name, namespace: "default" } });
    const workload = readExample<PodCliqueSet>(`${EXAMPLE}/workload.yaml`, "PodCliqueSet");
    await cluster.api.create(POD_CLIQUE_SETS, {
      ...workload,
      metadata: { ...workload.metadata, namespace: "default" },
    });
    const { of } = await doctor();
    expect(of("policy default/a")).toMatchObject([
      { status: "failed", message: expect.stringMatching(/^spec\.targetRef\.name: ScalingPolicy b already scales /) },
    ]);
  });

  test("the webhook: with nobody behind it, and with", async () => {
    cluster = await startBareCluster();
    await cluster.api.create(CUSTOM_RESOURCE_DEFINITIONS, WEBHOOKS_AS_CUSTOM_KIND);
    const register = (caBundle: string) => ({
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name: "grove-autoscaler" },
      webhooks: [{ name: "validate.autoscaling.grove.io", clientConfig: { caBundle } }],
    });
    await cluster.api.create(VALIDATING_WEBHOOK_CONFIGURATIONS, register(""));
    expect((await doctor()).of("webhook")).toMatchObject([
      { status: "warning", wayOut: "GROVE_AUTOSCALER_WEBHOOKS=true on the service" },
    ]);
    const { webhooks } = register("Q0E=");
    const key = { name: "grove-autoscaler" };
    await cluster.api.patch(VALIDATING_WEBHOOK_CONFIGURATIONS, key, { webhooks }, { type: "merge" });
    expect((await doctor()).of("webhook")).toMatchObject([{ status: "ok" }]);
  });

  // biome-ignore lint/suspicious/noExplicitAny: a schema is edited as the JSON that it is
  type Schema = any;

  async function edit(name: string, change: (schema: Schema) => void): Promise<void> {
    const crd = structuredClone(await cluster.api.get(CUSTOM_RESOURCE_DEFINITIONS, { name }));
    change(crd.spec.versions[0]?.schema?.openAPIV3Schema);
    await cluster.api.update(CUSTOM_RESOURCE_DEFINITIONS, crd);
  }

  async function reinstall(name: string): Promise<void> {
    const ours = customResourceDefinitions().find(({ metadata }) => metadata.name === name) as CustomResourceDefinition;
    const { metadata } = await cluster.api.get(CUSTOM_RESOURCE_DEFINITIONS, { name });
    await cluster.api.update(CUSTOM_RESOURCE_DEFINITIONS, { ...ours, metadata });
  }
});

/** The embedded server does not know the kind. */
const WEBHOOKS_AS_CUSTOM_KIND: CustomResourceDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "validatingwebhookconfigurations.admissionregistration.k8s.io" },
  spec: {
    group: "admissionregistration.k8s.io",
    scope: "Cluster",
    names: {
      kind: "ValidatingWebhookConfiguration",
      listKind: "ValidatingWebhookConfigurationList",
      plural: "validatingwebhookconfigurations",
      singular: "validatingwebhookconfiguration",
    },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};
