/** `operator` as a process on a real kube-apiserver that calls its webhooks: what stands in for upstream's binary (grove.md 8). */
import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { request } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { CLUSTER_TOPOLOGY_BINDINGS } from "../../src/api/grove/cluster-topology-binding.ts";
import { POD_CLIQUE_SETS } from "../../src/api/grove/pod-clique-set.ts";
import {
  MUTATING_WEBHOOK_CONFIGURATIONS,
  VALIDATING_WEBHOOK_CONFIGURATIONS,
  type WebhookConfiguration,
} from "../../src/api/kubernetes/admission-registration.ts";
import { CUSTOM_RESOURCE_DEFINITIONS, LEASES, PODS, SECRETS } from "../../src/api/kubernetes/core.ts";
import { readManifestFile } from "../deploy/manifests.ts";
import { applyFolder, type Cluster, openCluster, requestToken } from "./cluster.ts";
import { canStartControlPlane } from "./control-plane/control-plane.ts";
import { eventually } from "./eventually.ts";
import { freePort } from "./real-processes.ts";

const MAIN = join(import.meta.dirname, "../../src/main.ts");
const ROOT = join(import.meta.dirname, "../..");
/** The control plane needs it too. */
const OPENSSL: string = "openssl";
const NAMESPACE = "grove-system";
const SHIPPED = [
  "podcliqueset-defaulting-webhook",
  "podcliqueset-validating-webhook",
  "clustertopology-validating-webhook",
];
const run = promisify(execFile);

type Json = Readonly<Record<string, unknown>>;

describe.skipIf(!canStartControlPlane())("the operator process", () => {
  let cluster: Cluster;
  let folder: string;
  /** As the account of the shipped manifests. */
  let kubeconfig: string;
  const alive = new Set<ChildProcess>();

  beforeAll(async () => {
    cluster = await openCluster();
    folder = mkdtempSync(join(tmpdir(), "grove-operator-"));
    await applyFolder(cluster.api, join(ROOT, "deploy/crds"));
    await applyFolder(cluster.api, join(ROOT, "deploy/operator"));
    const token = await requestToken(cluster.api, NAMESPACE, "grove-operator");
    const config = JSON.parse(readFileSync(cluster.kubeconfigPath, "utf8"));
    config.users[0].user = { token };
    config.contexts[0].context.namespace = NAMESPACE;
    kubeconfig = join(folder, "kubeconfig");
    writeFileSync(kubeconfig, JSON.stringify(config), { mode: 0o600 });
    makeCertificate(folder);
  });
  afterEach(async () => {
    for (const child of alive) child.kill("SIGKILL");
    for (const { metadata } of (await cluster.api.list(POD_CLIQUE_SETS)).items) {
      const key = { namespace: metadata.namespace ?? "", name: metadata.name };
      // Without an operator nobody takes the finalizer off.
      await cluster.api
        .patch(POD_CLIQUE_SETS, key, { metadata: { finalizers: null } }, { type: "merge" })
        .catch(() => undefined);
      await cluster.api.delete(POD_CLIQUE_SETS, key).catch(() => undefined);
    }
    await removeWebhookConfigurations();
    for (const { metadata } of (await cluster.api.list(CLUSTER_TOPOLOGY_BINDINGS)).items) {
      const key = { name: metadata.name };
      await cluster.api
        .patch(CLUSTER_TOPOLOGY_BINDINGS, key, { metadata: { finalizers: null } }, { type: "merge" })
        .catch(() => undefined);
      await cluster.api.delete(CLUSTER_TOPOLOGY_BINDINGS, key).catch(() => undefined);
    }
    await cluster.api
      .delete(SECRETS, { namespace: NAMESPACE, name: "grove-webhook-server-cert" })
      .catch(() => undefined);
  });
  afterAll(async () => {
    await cluster?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  interface Operator {
    readonly child: ChildProcess;
    readonly exit: Promise<number | null>;
    readonly ports: { readonly webhooks: number; readonly health: number; readonly metrics: number };
    text(): string;
    ready(): Promise<void>;
  }

  async function start(
    configuration: Json = {},
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Operator> {
    const ports = { webhooks: await freePort(), health: await freePort(), metrics: await freePort() };
    const { webhooks = {}, ...rest } = configuration as { webhooks?: Json };
    const file = join(folder, `config-${ports.health}.yaml`);
    writeFileSync(
      file,
      stringify({
        apiVersion: "operator.config.grove.io/v1alpha1",
        kind: "OperatorConfiguration",
        server: {
          webhooks: { bindAddress: "127.0.0.1", port: ports.webhooks, ...webhooks },
          healthProbes: { bindAddress: "127.0.0.1", port: ports.health },
          metrics: { bindAddress: "127.0.0.1", port: ports.metrics },
        },
        ...rest,
      }),
    );
    return { ...launch(["--config", file], environment), ports, ready: () => untilReady(ports.health) };
  }

  function launch(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [MAIN, "operator", ...args], {
      env: { PATH: process.env["PATH"], KUBECONFIG: kubeconfig, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    alive.add(child);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (chunk: Buffer) => {
        text += chunk.toString();
      });
    }
    const exit = new Promise<number | null>((resolve) => child.once("exit", resolve));
    void exit.then(() => alive.delete(child));
    return { child, exit, text: () => text };
  }

  const probe = async (port: number, path: string): Promise<{ readonly status: number; readonly text: string }> => {
    const { statusCode, body } = await request(`http://127.0.0.1:${port}${path}`);
    return { status: statusCode, text: await body.text() };
  };
  const untilReady = (port: number): Promise<void> =>
    eventually("the operator to be ready", async () => (await probe(port, "/readyz")).status === 200).then(
      () => undefined,
    );

  /** Those of the manifests, with a URL in place of the Service. */
  async function registerWebhooks(port: number, caBundle?: string, names?: readonly string[]): Promise<void> {
    const configurations = ["webhooks", "authorizer-webhook"].flatMap((file) =>
      readManifestFile(`deploy/operator/${file}.yaml`),
    ) as readonly WebhookConfiguration[];
    for (const configuration of configurations) {
      const { name } = configuration.metadata;
      if (names !== undefined && !names.includes(name)) continue;
      const webhooks = (configuration.webhooks ?? []).map((webhook) => {
        const { path } = webhook.clientConfig["service"] as { readonly path: string };
        const url = `https://127.0.0.1:${port}${path}`;
        return { ...webhook, clientConfig: { url, ...(caBundle !== undefined && { caBundle }) } };
      });
      await cluster.api.create(resourceOf(configuration), { ...configuration, webhooks });
    }
  }
  const resourceOf = ({ kind }: WebhookConfiguration) =>
    kind === "MutatingWebhookConfiguration" ? MUTATING_WEBHOOK_CONFIGURATIONS : VALIDATING_WEBHOOK_CONFIGURATIONS;
  async function removeWebhookConfigurations(): Promise<void> {
    for (const resource of [MUTATING_WEBHOOK_CONFIGURATIONS, VALIDATING_WEBHOOK_CONFIGURATIONS]) {
      for (const { metadata } of (await cluster.api.list(resource)).items) {
        await cluster.api.delete(resource, { name: metadata.name });
      }
    }
  }

  /** @returns what kubectl wrote, and whether it was content */
  async function kubectl(
    args: readonly string[],
    object?: Json,
  ): Promise<{ readonly ok: boolean; readonly text: string }> {
    const path = join(folder, "object.json");
    if (object !== undefined) writeFileSync(path, JSON.stringify(object));
    const flags = ["--kubeconfig", cluster.kubeconfigPath, ...args, ...(object === undefined ? [] : ["-f", path])];
    try {
      const { stdout, stderr } = await run("kubectl", flags);
      return { ok: true, text: stdout + stderr };
    } catch (error) {
      return { ok: false, text: (error as { readonly stderr: string }).stderr };
    }
  }
  const apply = (object: Json) => kubectl(["apply", "--server-side"], object);
  const set = (name: string, template: Json = {}, metadata: Json = {}): Json => ({
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { name, namespace: "default", ...metadata },
    spec: {
      replicas: 1,
      template: {
        cliques: [
          {
            name: "a",
            spec: { roleName: "a", replicas: 2, podSpec: { containers: [{ name: "main", image: "x:1" }] } },
          },
        ],
        ...template,
      },
    },
  });
  /** The server takes a moment to see new configurations; a dry run leaves nothing behind until then. */
  const untilCalled = (): Promise<unknown> =>
    eventually("the webhooks to be called", async () => {
      const tried = await kubectl(
        ["apply", "--server-side", "--dry-run=server"],
        set("bad", { terminationDelay: "0s" }),
      );
      // By both: what the defaulting one leaves out is missed by the validating one.
      return tried.text.includes("denied the request") && !tried.text.includes("is required");
    });
  const stop = async (operator: Pick<Operator, "child" | "exit">): Promise<number | null> => {
    const startMs = performance.now();
    operator.child.kill("SIGTERM");
    const code = await operator.exit;
    expect(performance.now() - startMs).toBeLessThan(10_000);
    return code;
  };

  test("auto certificates: made, injected, and the webhooks default, refuse and admit what kubectl applies", async () => {
    const operator = await start({ topologyAwareScheduling: { enabled: true }, leaderElection: { enabled: true } });
    await operator.ready();
    expect(operator.text()).toMatch(/there is no such webhook configuration/);
    // Manifests that come later are found.
    await registerWebhooks(operator.ports.webhooks, undefined, SHIPPED);
    const secret = await cluster.api.get(SECRETS, { namespace: NAMESPACE, name: "grove-webhook-server-cert" });
    expect(Object.keys(secret.data ?? {}).toSorted()).toEqual(["ca.crt", "ca.key", "tls.crt", "tls.key"]);
    await eventually("the authority to be in all configurations", async () => {
      const all = [
        ...(await cluster.api.list(MUTATING_WEBHOOK_CONFIGURATIONS)).items,
        ...(await cluster.api.list(VALIDATING_WEBHOOK_CONFIGURATIONS)).items,
      ];
      return (
        all.length === 3 &&
        all.every(({ webhooks }) =>
          webhooks?.every(({ clientConfig }) => clientConfig.caBundle === secret.data?.["ca.crt"]),
        )
      );
    });
    await untilCalled();
    const refused = await apply(set("bad", { terminationDelay: "0s" }));
    expect(refused.ok).toBe(false);
    expect(refused.text).toContain(
      'admission webhook "pcs.validating.webhooks.grove.io" denied the request: spec.template.terminationDelay: must be a duration above 0, such as 30s or 4h (ERR_VALIDATE_CREATE_PODCLIQUESET)',
    );
    expect((await apply(set("mnnvl", {}, { annotations: { "grove.io/mnnvl-group": "fabric" } }))).text).toMatch(
      /metadata\.annotations\[grove\.io\/mnnvl-group\]: .*MNNVL is not enabled/,
    );
    const long = await apply(set("a-name-with-quite-a-lot-of-characters-in-it-ok", {}));
    expect(long.text).toMatch(/spec\.template\.cliques\[0\]\.name: .* at most 45 fit into a pod name/);

    // Topology constraints follow bindings that were made a moment ago.
    const constrained = set("packed", { topologyConstraint: { topologyName: "dc", pack: { required: "rack" } } });
    expect((await apply(constrained)).text).toMatch(/ClusterTopologyBinding "dc" does not exist; create it first/);
    const binding = (levels: readonly Json[], schedulerTopologyBindings?: readonly Json[]): Json => ({
      apiVersion: "grove.io/v1alpha1",
      kind: "ClusterTopologyBinding",
      metadata: { name: "dc" },
      spec: { levels, ...(schedulerTopologyBindings !== undefined && { schedulerTopologyBindings }) },
    });
    const levels = [
      { domain: "zone", key: "kubernetes.io/zone" },
      { domain: "rack", key: "kubernetes.io/rack" },
    ];
    expect((await apply(binding([levels[0] as Json, { domain: "zone", key: "kubernetes.io/rack" }]))).text).toMatch(
      /"clustertopology\.validating\.webhooks\.grove\.io" denied the request: spec\.levels\[1\]\.domain: Duplicate value/,
    );
    expect((await apply(binding(levels, [{ schedulerName: "kai-scheduler", topologyReference: "x" }]))).text).toContain(
      "spec.schedulerTopologyReferences[0].schedulerName: scheduler backend is not enabled in Grove",
    );
    expect(
      (await apply(binding(levels, [{ schedulerName: "default-scheduler", topologyReference: "x" }]))).text,
    ).toContain("scheduler backend does not implement topology-aware scheduling");
    expect(await apply(binding(levels))).toMatchObject({ ok: true });
    expect(await apply(constrained)).toMatchObject({ ok: true });

    // A good one has its defaults, becomes pods, and keeps what is fixed.
    expect(await apply(set("good"))).toMatchObject({ ok: true });
    const good = await cluster.api.get(POD_CLIQUE_SETS, { namespace: "default", name: "good" });
    expect(good.spec.template).toMatchObject({
      terminationDelay: "4h",
      headlessServiceConfig: { publishNotReadyAddresses: true },
      cliques: [{ spec: { minAvailable: 2, podSpec: { restartPolicy: "Always", terminationGracePeriodSeconds: 30 } } }],
    });
    await eventually("its pods", async () => {
      const pods = await cluster.api.list(PODS, { labelSelector: "app.kubernetes.io/part-of=good" });
      return pods.items.length === 2;
    });
    const changed = set("good", {
      cliques: [
        {
          name: "a",
          spec: { roleName: "b", replicas: 2, podSpec: { containers: [{ name: "main", image: "x:1" }] } },
        },
      ],
    });
    const fixed = await apply(changed);
    expect(fixed.text).toMatch(
      /spec\.template\.cliques\[0\]\.spec\.roleName: field is immutable.*\(ERR_VALIDATE_UPDATE_PODCLIQUESET\)/,
    );
    expect(await kubectl(["scale", "pcs", "good", "--replicas=2"])).toMatchObject({ ok: true });
    expect(await kubectl(["delete", "pcs", "good", "--timeout=60s"])).toMatchObject({ ok: true });

    // What it counts.
    const exposed = (await probe(operator.ports.metrics, "/metrics")).text;
    expect(exposed).toMatch(
      /grove_operator_reconcile_total\{controller="podcliqueset-controller",result="success"\} [1-9]/,
    );
    expect(exposed).toMatch(/grove_operator_api_requests_total\{verb="create",resource="pods",code="201"\} [1-9]/);
    expect(exposed).toMatch(/grove_operator_gang_phase_seconds_count\{phase="gated"\} [1-9]/);
    expect(
      exposed
        .split("\n")
        // A 5xx is the server's word on itself: a busy machine may be late with etcd or a review, and the operator tries again.
        .filter((line) => /^grove_operator_api_requests_total.*code="(401|403|415|422)"/.test(line)),
      operator.text(),
    ).toEqual([]);
    expect((await probe(operator.ports.metrics, "/healthz")).status).toBe(404);
    expect(await probe(operator.ports.health, "/healthz")).toEqual({ status: 200, text: "ok\n" });
    expect((await probe(operator.ports.health, "/metrics")).status).toBe(404);

    expect(await stop(operator)).toBe(0);
    const lease = await cluster.api.get(LEASES, { namespace: NAMESPACE, name: "grove-operator-leader-election" });
    expect(lease.spec?.holderIdentity ?? "").toBe("");
  });

  test("manual certificates: not ready without, ready with them, reloaded, configurations left alone", async () => {
    const serverCertDir = join(folder, "certs");
    mkdirSync(serverCertDir);
    const operator = await start({ webhooks: { certProvisionMode: "manual", serverCertDir } });
    await eventually("it to look for the files", () => operator.text().includes("cannot be used"));
    expect(await probe(operator.ports.health, "/readyz")).toEqual({
      status: 503,
      text: "there is no certificate yet\n",
    });
    expect(await probe(operator.ports.health, "/healthz")).toMatchObject({ status: 200 });
    const put = (name: string): void => {
      writeFileSync(join(serverCertDir, "tls.crt"), readFileSync(join(folder, `${name}.crt`)));
      writeFileSync(join(serverCertDir, "tls.key"), readFileSync(join(folder, `${name}.key`)));
    };
    put("server");
    await operator.ready();
    const caBundle = readFileSync(join(folder, "ca.crt")).toString("base64");
    await registerWebhooks(operator.ports.webhooks, caBundle, [
      "podcliqueset-defaulting-webhook",
      "podcliqueset-validating-webhook",
    ]);
    await untilCalled();
    expect(await apply(set("good"))).toMatchObject({ ok: true });
    put("other");
    await eventually("the renewed certificate to be served", () =>
      operator.text().includes("the mounted certificate changed"),
    );
    expect((await apply(set("bad", { terminationDelay: "0s" }))).text).toMatch(/denied the request/);
    const { items } = await cluster.api.list(VALIDATING_WEBHOOK_CONFIGURATIONS);
    expect(items[0]?.webhooks?.[0]?.clientConfig.caBundle).toBe(caBundle);
    expect(
      (await cluster.api.list(SECRETS, { namespace: NAMESPACE })).items.map(({ metadata }) => metadata.name),
    ).not.toContain("grove-webhook-server-cert");
    expect(await stop(operator)).toBe(0);
  });

  test("the authorizer keeps hands off managed objects, the operator's own excepted", async () => {
    const operator = await start(
      {
        authorizer: {
          enabled: true,
          exemptServiceAccountUserNames: ["system:serviceaccount:kube-system:generic-garbage-collector"],
        },
      },
      { GROVE_OPERATOR_SERVICE_ACCOUNT_NAME: "grove-operator" },
    );
    await operator.ready();
    await registerWebhooks(operator.ports.webhooks);
    await untilCalled();
    expect(await apply(set("guarded"))).toMatchObject({ ok: true });
    await eventually("its pods", async () => {
      const pods = await cluster.api.list(PODS, { labelSelector: "app.kubernetes.io/part-of=guarded" });
      return pods.items.length === 2;
    });
    const denied = await kubectl(["delete", "pclq", "guarded-0-a"]);
    expect(denied.text).toMatch(
      /"authorizer\.webhooks\.grove\.io" denied the request: admission denied, deletion of resource: default\/guarded-0-a is not allowed/,
    );
    expect((await kubectl(["label", "pclq", "guarded-0-a", "x=y"])).text).toMatch(/creation\/updation of resource/);
    expect(await kubectl(["delete", "pods", "-l", "app.kubernetes.io/part-of=guarded", "--wait=false"])).toMatchObject({
      ok: true,
    });
    expect(
      await kubectl(["annotate", "pcs", "guarded", "grove.io/disable-managed-resource-protection=true"]),
    ).toMatchObject({ ok: true });
    await eventually(
      "the protection to be off",
      async () => (await kubectl(["label", "pclq", "guarded-0-a", "x=y"])).ok,
    );
    expect(await stop(operator)).toBe(0);
  });

  test("two processes with one lease: one reconciles, the other takes over", async () => {
    const leaderElection = { enabled: true, leaseDuration: "6s", renewDeadline: "4s", retryPeriod: "1s" };
    const first = await start({ leaderElection });
    await first.ready();
    await eventually("the first to lead", () => first.text().includes("grove operator is running"));
    const second = await start({ leaderElection });
    await second.ready();
    expect(second.text()).not.toContain("became leader");
    first.child.kill("SIGKILL");
    await eventually("the second to lead", () => second.text().includes("grove operator is running"));
    // It is taken from the second by force: it must end rather than go on.
    const key = { namespace: NAMESPACE, name: "grove-operator-leader-election" };
    const lease = await cluster.api.get(LEASES, key);
    await cluster.api.update(LEASES, { ...lease, spec: { ...lease.spec, holderIdentity: "somebody-else" } });
    expect(await second.exit).toBe(6);
    expect(second.text()).toMatch(/error: leader election lost: another process took the lease/);
    await cluster.api.delete(LEASES, key);
  });

  describe("exit codes", () => {
    test("0 for --version, 1 for a wrong command line, 2 for a wrong configuration", async () => {
      const version = launch(["--version"]);
      expect(await version.exit).toBe(0);
      expect(version.text()).toMatch(/^\d+\.\d+\.\d+/);
      for (const args of [[], ["--config"], ["--config", "x", "--bogus"], ["--config", "x", "y"]]) {
        expect(await launch(args).exit, args.join(" ")).toBe(1);
      }
      const missing = launch(["--config", join(folder, "nowhere.yaml")]);
      expect(await missing.exit).toBe(2);
      expect(missing.text()).toMatch(/^error: --config: cannot read .*nowhere\.yaml/);
      const wrong = await start({ logLevel: "loud", leaderElecton: {} });
      expect(await wrong.exit).toBe(2);
      expect(wrong.text()).toMatch(
        /leaderElecton: is unknown; .*logLevel: must be one of|logLevel: .*leaderElecton: is unknown/,
      );
    });

    test("0 for a signal while it still waits for a server that does not answer", async () => {
      const mute = createServer();
      await new Promise<void>((resolve) => mute.listen(0, "127.0.0.1", resolve));
      try {
        const config = JSON.parse(readFileSync(kubeconfig, "utf8"));
        config.clusters[0].cluster.server = `http://127.0.0.1:${(mute.address() as AddressInfo).port}`;
        const path = join(folder, "mute");
        writeFileSync(path, JSON.stringify(config));
        const connected = new Promise((resolve) => mute.once("connection", resolve));
        const operator = await start({}, { KUBECONFIG: path });
        await connected;
        expect(await stop(operator)).toBe(0);
      } finally {
        mute.close();
      }
    });

    test("3: the topologies cannot be synced", async () => {
      const binding = {
        apiVersion: "grove.io/v1alpha1",
        kind: "ClusterTopologyBinding",
        metadata: { name: "early" },
        spec: { levels: [{ domain: "zone", key: "z" }] },
      };
      expect(await apply(binding)).toMatchObject({ ok: true });
      const operator = await start({
        topologyAwareScheduling: { enabled: true },
        scheduler: { profiles: [{ name: "kai-scheduler" }] },
      });
      expect(await operator.exit).toBe(3);
      expect(operator.text()).toMatch(
        /topologies could not be synced: ClusterTopologyBinding early, scheduler kai-scheduler/,
      );
    });

    test("4: no way to the API server, nobody that it knows, no account for the authorizer", async () => {
      const none = await start({}, { KUBECONFIG: join(folder, "nowhere") });
      expect(await none.exit).toBe(4);
      const config = JSON.parse(readFileSync(kubeconfig, "utf8"));
      const path = join(folder, "changed");
      writeFileSync(path, JSON.stringify({ ...config, users: [{ name: "admin", user: { token: "wrong" } }] }));
      const stranger = await start({}, { KUBECONFIG: path });
      expect(await stranger.exit).toBe(4);
      expect(stranger.text()).toMatch(/cannot work with the API server at https:.*Unauthorized/);
      config.clusters[0].cluster.server = `https://127.0.0.1:${await freePort()}`;
      writeFileSync(path, JSON.stringify(config));
      const away = await start({}, { KUBECONFIG: path });
      expect(await away.exit).toBe(4);
      const nameless = await start({ authorizer: { enabled: true } });
      expect(await nameless.exit).toBe(4);
      expect(nameless.text()).toMatch(/GROVE_OPERATOR_SERVICE_ACCOUNT_NAME is not set/);
    });

    test("5: a scheduler that is configured and not installed", async () => {
      const operator = await start({ scheduler: { profiles: [{ name: "volcano" }] } });
      expect(await operator.exit).toBe(5);
      expect(operator.text()).toMatch(/podgroups\.scheduling\.volcano\.sh/);
    });

    test("6: a port that is taken; 4 when it is that of the probes", async () => {
      const first = await start();
      await first.ready();
      const second = await start({ webhooks: { port: first.ports.webhooks } });
      expect(await second.exit).toBe(6);
      expect(second.text()).toMatch(/error: server\.webhooks: .*EADDRINUSE/);
      const third = await start({ server: { healthProbes: { bindAddress: "127.0.0.1", port: first.ports.health } } });
      expect(await third.exit).toBe(4);
      expect(third.text()).toMatch(/error: server\.healthProbes: .*EADDRINUSE/);
      expect(await stop(first)).toBe(0);
    });

    test("7: MNNVL without the ComputeDomain CRD, with the words that upstream's test reads; and it runs with it", async () => {
      const operator = await start({ network: { autoMNNVLEnabled: true } });
      expect(await operator.exit).toBe(7);
      expect(operator.text()).toContain("MNNVL preflight check failed");
      expect(operator.text()).toContain("ComputeDomain CRD");
      await cluster.api.create(CUSTOM_RESOURCE_DEFINITIONS, {
        apiVersion: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        metadata: { name: "computedomains.resource.nvidia.com" },
        spec: {
          group: "resource.nvidia.com",
          scope: "Namespaced",
          names: {
            kind: "ComputeDomain",
            plural: "computedomains",
            singular: "computedomain",
            listKind: "ComputeDomainList",
          },
          versions: [
            {
              name: "v1beta1",
              served: true,
              storage: true,
              schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
            },
          ],
        },
      });
      await eventually("the CRD to be served", async () => (await kubectl(["get", "computedomains"])).ok);
      const with1 = await start({ network: { autoMNNVLEnabled: true } });
      await with1.ready();
      expect(await stop(with1)).toBe(0);
      await cluster.api.delete(CUSTOM_RESOURCE_DEFINITIONS, { name: "computedomains.resource.nvidia.com" });
    });
  });
});

/** By openssl: an authority, and two server certificates under it for loopback. */
function makeCertificate(folder: string): void {
  const openssl = (...args: readonly string[]): void => {
    execFileSync(OPENSSL, args, { cwd: folder, stdio: "ignore" });
  };
  openssl(
    "req",
    "-x509",
    "-newkey",
    "rsa:2048",
    "-nodes",
    "-days",
    "2",
    "-subj",
    "/CN=ca",
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
  );
  writeFileSync(join(folder, "san.cnf"), "subjectAltName=IP:127.0.0.1\n");
  for (const name of ["server", "other"]) {
    openssl(
      "req",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-subj",
      "/CN=webhooks",
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.csr`,
    );
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      "ca.crt",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-days",
      "2",
      "-extfile",
      "san.cnf",
      "-out",
      `${name}.crt`,
    );
  }
}
