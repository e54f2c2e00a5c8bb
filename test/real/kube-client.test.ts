/** Our client and controller runtime against a real kube-apiserver and etcd. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { POD_CLIQUE_SCALING_GROUPS } from "../../src/api/grove/pod-clique-scaling-group.ts";
import { CONFIG_MAPS, type ConfigMap, LEASES, NAMESPACES, SECRETS } from "../../src/api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../../src/api/kubernetes/meta.ts";
import { type Clock, wallClock } from "../../src/clock.ts";
import { ApiError, isAlreadyExists, isConflict, isGone, isNotFound } from "../../src/kube/api-error.ts";
import { createKubeClient, type KubeClientOptions } from "../../src/kube/client.ts";
import { startController } from "../../src/kube/controller.ts";
import { loadCredentials } from "../../src/kube/credentials.ts";
import { type Informer, startInformer } from "../../src/kube/informer.ts";
import type { KubeApi, WatchEvent } from "../../src/kube/kube-api.ts";
import { type Leadership, startLeaderElection } from "../../src/kube/lease.ts";
import { noRuntimeMetrics, type RuntimeMetrics } from "../../src/kube/runtime-metrics.ts";
import { systemRandom } from "../../src/random.ts";
import { applyFolder } from "./cluster.ts";
import { type ControlPlane, canStartControlPlane, startControlPlane } from "./control-plane/control-plane.ts";
import { always, eventually } from "./eventually.ts";
import { startTcpProxy, type TcpProxy } from "./tcp-proxy.ts";

const PAGE_SIZE = 500;

describe.skipIf(!canStartControlPlane())("the client and the controller runtime on a real API server", () => {
  const clock = wallClock();
  const random = systemRandom();
  const folder = mkdtempSync(join(tmpdir(), "grove-kube-client-"));
  let controlPlane: ControlPlane;
  let proxy: TcpProxy;
  let api: KubeApi;
  let namespace = "";
  let namespaces = 0;
  const closers: (() => unknown)[] = [];

  const clientFor = async (
    kubeconfig: string,
    options: Partial<KubeClientOptions> = {},
    ownClock: Clock = clock,
  ): Promise<KubeApi> => {
    const credentials = await loadCredentials({ kubeconfig }, ownClock);
    closers.push(() => credentials.dispatcher.destroy());
    return createKubeClient({ credentials, clock, userAgent: "kube-client-test", ...options });
  };
  /** The administrator's kubeconfig with some of its parts replaced. */
  const kubeconfigWith = (name: string, user: object, port?: number): string => {
    const config = JSON.parse(readFileSync(controlPlane.kubeconfigPath, "utf8"));
    config.users[0].user = user;
    if (port !== undefined) config.clusters[0].cluster.server = `https://127.0.0.1:${port}`;
    const file = join(folder, name);
    writeFileSync(file, JSON.stringify(config));
    return file;
  };
  const configMap = (name: string, value = "x"): ConfigMap => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace, name },
    data: { value },
  });

  beforeAll(async () => {
    controlPlane = await startControlPlane({
      controllerManager: false,
      // Without its own cache of them the server answers from etcd, which forgets when it is compacted; with it, history lasts longer than a test.
      apiServerFlags: ["--watch-cache-sizes=configmaps#0"],
    });
    proxy = await startTcpProxy(Number(new URL(controlPlane.url).port));
    api = await clientFor(controlPlane.kubeconfigPath);
    await applyFolder(api, join(import.meta.dirname, "../../deploy/crds"));
  });
  afterAll(async () => {
    for (const close of closers) await close();
    await proxy?.stop();
    await controlPlane?.stop();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    namespace = `n${namespaces++}`;
    await api.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  });

  const createMany = async (count: number): Promise<void> => {
    const numbers = Array.from({ length: count }, (_, at) => at);
    for (let from = 0; from < count; from += 50) {
      await Promise.all(
        numbers
          .slice(from, from + 50)
          .map((at) => api.create(CONFIG_MAPS, configMap(`c${String(at).padStart(5, "0")}`))),
      );
    }
  };
  /** Moves etcd past everything that was, as its periodic compaction does. */
  const compact = async (): Promise<void> => {
    const { metadata } = await api.create(CONFIG_MAPS, configMap(`compaction-${random.next()}`.replace(".", "")));
    const { statusCode, body } = await request(`${controlPlane.etcdUrl}/v3/kv/compaction`, {
      method: "POST",
      body: JSON.stringify({ revision: metadata.resourceVersion, physical: true }),
    });
    expect([statusCode, await body.text()]).toEqual([200, expect.any(String)]);
  };

  interface Followed<T extends KubeObject> {
    readonly informer: Informer<T>;
    readonly restarts: string[];
    /** Calls of `list` since the start. */
    lists(): number;
  }
  const follow = (client: KubeApi, wrap: Partial<KubeApi> = {}): Followed<ConfigMap> =>
    followKind(CONFIG_MAPS, client, wrap);
  const followKind = <T extends KubeObject>(
    resource: Resource<T>,
    client: KubeApi,
    wrap: Partial<KubeApi>,
  ): Followed<T> => {
    const stop = new AbortController();
    closers.push(() => stop.abort());
    const restarts: string[] = [];
    let lists = 0;
    const metrics: RuntimeMetrics = { ...noRuntimeMetrics, watchRestarted: (_, cause) => void restarts.push(cause) };
    const counted: KubeApi = {
      ...client,
      ...wrap,
      list(kind, options) {
        lists++;
        return (wrap.list ?? client.list)(kind, options);
      },
    };
    const informer = startInformer<T>({
      api: counted,
      clock,
      random,
      signal: stop.signal,
      resource,
      scope: { namespace },
      metrics,
    });
    return { informer, restarts, lists: () => lists };
  };
  const agrees = async <T extends KubeObject>({ informer }: Followed<T>): Promise<void> => {
    const seen = (objects: readonly KubeObject[]): string[] =>
      objects.map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`).sort();
    await eventually("the cache to be as the server is", async () => {
      const all: KubeObject[] = [];
      let next: string | undefined;
      do {
        const page = await api.list(informer.resource, {
          namespace,
          limit: PAGE_SIZE,
          ...(next && { continue: next }),
        });
        all.push(...page.items);
        next = page.continue;
      } while (next !== undefined);
      return JSON.stringify(seen(informer.list())) === JSON.stringify(seen(all));
    });
  };

  test("a large list comes in pages of 500, none of them lost when etcd is compacted between two", async () => {
    await createMany(1_100);
    const plain = follow(api);
    await plain.informer.synced;
    expect(plain.informer.list()).toHaveLength(1_100);
    expect(plain.lists()).toBe(3);
    expect(plain.informer.get(namespace, "c00000")).toMatchObject({ kind: "ConfigMap", apiVersion: "v1" });

    let pages = 0;
    const expired: unknown[] = [];
    const disturbed = follow(api, {
      async list(resource, options) {
        if (++pages === 2) await compact();
        try {
          return await api.list(resource, options);
        } catch (error) {
          expired.push(error);
          throw error;
        }
      },
    });
    await disturbed.informer.synced;
    expect(expired).toHaveLength(1);
    expect(isGone(expired[0])).toBe(true);
    expect(disturbed.restarts).toEqual(["expired"]);
    await agrees(disturbed);
    await agrees(plain);
  });

  test("a watch whose connection breaks goes on where it was, without a new list", async () => {
    const client = await clientFor(kubeconfigWith("proxied", { token: controlPlane.adminToken }, proxy.port));
    const followed = follow(client);
    await followed.informer.synced;
    await api.create(CONFIG_MAPS, configMap("before"));
    await eventually("the first object", () => followed.informer.get(namespace, "before"));

    proxy.setDown(true);
    await api.create(CONFIG_MAPS, configMap("during"));
    await api.patch(CONFIG_MAPS, { namespace, name: "before" }, { data: { value: "y" } }, { type: "merge" });
    proxy.setDown(false);
    await eventually("what happened meanwhile", () => followed.informer.get(namespace, "during"));
    await agrees(followed);
    proxy.drop();
    await api.delete(CONFIG_MAPS, { namespace, name: "during" });
    await agrees(followed);
    expect(followed.lists()).toBe(1);
    expect(followed.restarts.length).toBeGreaterThan(0);
    expect(new Set(followed.restarts)).toEqual(new Set(["error"]));
  });

  test("a watch that the server ends is opened again, and a bookmark moves it on", async () => {
    const types: string[] = [];
    const followed = followKind(SECRETS, api, {
      async *watch<T extends KubeObject>(resource: Resource<T>, options: Parameters<KubeApi["watch"]>[1]) {
        // A server bookmarks 2 s before it ends a watch.
        for await (const event of api.watch(resource, { ...options, timeoutSeconds: 4 })) {
          types.push(event.type);
          yield event as WatchEvent<T>;
        }
      },
    });
    await followed.informer.synced;
    // Not ours, but it moves the version on: what a bookmark tells.
    const elsewhere = { namespace: "default", name: namespace };
    await api.create(SECRETS, { apiVersion: "v1", kind: "Secret", metadata: elsewhere });
    await eventually("the server to end two watches", () => followed.restarts.length >= 2);
    await api.create(SECRETS, { apiVersion: "v1", kind: "Secret", metadata: { namespace, name: "later" } });
    await agrees(followed);
    expect(followed.lists()).toBe(1);
    expect(new Set(followed.restarts)).toEqual(new Set(["timeout"]));
    expect(types).toContain("BOOKMARK");
  });

  test("a version that is too old is answered 410, and the informer lists anew", async () => {
    await compact();
    const watching = api.watch(CONFIG_MAPS, { namespace, resourceVersion: "1", signal: new AbortController().signal });
    await expect(watching[Symbol.asyncIterator]().next()).rejects.toSatisfy(isGone);

    await api.create(CONFIG_MAPS, configMap("a"));
    let isFirst = true;
    const followed = follow(api, {
      async list(resource, options) {
        const list = await api.list(resource, options);
        if (!isFirst) return list;
        isFirst = false;
        return { ...list, resourceVersion: "1" };
      },
    });
    await followed.informer.synced;
    await eventually("a second list", () => followed.lists() === 2);
    await api.create(CONFIG_MAPS, configMap("b"));
    await agrees(followed);
    expect(followed.restarts).toEqual(["expired"]);
  });

  test("refusals are told apart", async () => {
    const key = { namespace, name: "a" };
    const created = await api.create(CONFIG_MAPS, configMap("a"));
    await expect(api.create(CONFIG_MAPS, configMap("a"))).rejects.toSatisfy(
      (error) => isAlreadyExists(error) && !isConflict(error),
    );
    await api.update(CONFIG_MAPS, { ...created, data: { value: "1" } });
    await expect(api.update(CONFIG_MAPS, { ...created, data: { value: "2" } })).rejects.toSatisfy(
      (error) => isConflict(error) && !isAlreadyExists(error),
    );
    await expect(api.delete(CONFIG_MAPS, key, { preconditions: { uid: "another" } })).rejects.toSatisfy(isConflict);
    await expect(api.get(CONFIG_MAPS, { namespace, name: "none" })).rejects.toSatisfy(isNotFound);
    const invalid = api.create(CONFIG_MAPS, configMap("Not_A_Name"));
    await expect(invalid).rejects.toMatchObject({ code: 422, reason: "Invalid" });
    await expect(invalid).rejects.toMatchObject({ causes: [{ field: "metadata.name" }] });
    const bob = await clientFor(kubeconfigWith("bob", { token: controlPlane.tokenFor("bob@example.com") }));
    await expect(bob.get(CONFIG_MAPS, key)).rejects.toMatchObject({ code: 403, reason: "Forbidden" });
    const nobody = await clientFor(kubeconfigWith("nobody", { token: "wrong" }));
    await expect(nobody.get(CONFIG_MAPS, key)).rejects.toMatchObject({ code: 401, reason: "Unauthorized" });
  });

  test("server-side apply: two managers share an object, disagree, and force decides", async () => {
    const key = { namespace, name: "shared" };
    const apply = (fieldManager: string, data: Record<string, string>, force = false) =>
      api.patch(
        CONFIG_MAPS,
        key,
        { apiVersion: "v1", kind: "ConfigMap", metadata: key, data },
        { type: "apply", fieldManager, force },
      );
    await apply("one", { a: "1", b: "1" });
    expect((await apply("two", { c: "2" })).data).toEqual({ a: "1", b: "1", c: "2" });
    const disagreement = apply("two", { a: "2", c: "2" });
    await expect(disagreement).rejects.toSatisfy(isConflict);
    await expect(disagreement).rejects.toMatchObject({
      causes: [{ reason: "FieldManagerConflict", field: ".data.a" }],
    });
    expect((await apply("two", { a: "2" }, true)).data).toEqual({ a: "2", b: "1" });
    expect((await apply("one", {})).data).toEqual({ a: "2" });
  });

  test("replicas are set through /scale, unless the object has moved on", async () => {
    const key = { namespace, name: "group" };
    const group = await api.create(POD_CLIQUE_SCALING_GROUPS, {
      apiVersion: "grove.io/v1alpha1",
      kind: "PodCliqueScalingGroup",
      metadata: key,
      spec: { replicas: 1, minAvailable: 1, cliqueNames: ["leader"] },
    } as never);
    const before = group.metadata.resourceVersion ?? "";
    const scaled = await api.setScale(POD_CLIQUE_SCALING_GROUPS, key, 3, { resourceVersion: before });
    expect(scaled.spec.replicas).toBe(3);
    await expect(api.setScale(POD_CLIQUE_SCALING_GROUPS, key, 4, { resourceVersion: before })).rejects.toSatisfy(
      isConflict,
    );
    expect((await api.getScale(POD_CLIQUE_SCALING_GROUPS, key)).spec.replicas).toBe(3);
    const after = scaled.metadata.resourceVersion ?? "";
    await api.setScale(POD_CLIQUE_SCALING_GROUPS, key, 4, { resourceVersion: after });
    expect((await api.get(POD_CLIQUE_SCALING_GROUPS, key)).spec.replicas).toBe(4);
  });

  test("a controller on an informer makes every object what it should be, conflicts with others included", async () => {
    const { informer } = follow(api);
    const stop = new AbortController();
    closers.push(() => stop.abort());
    const count = 30;
    let conflicts = 0;
    const controller = startController({
      name: "test",
      clock,
      signal: stop.signal,
      workers: 4,
      async reconcile(key) {
        const object = informer.getByKey(key);
        if (object === undefined || object.data?.["done"] === "yes") return undefined;
        try {
          informer.observeWrite(await api.update(CONFIG_MAPS, { ...object, data: { ...object.data, done: "yes" } }));
        } catch (error) {
          if (isConflict(error)) conflicts++;
          throw error;
        }
        return undefined;
      },
    });
    await informer.synced;
    informer.onChange(({ after }) => {
      if (after !== undefined) controller.enqueue(`${namespace}/${after.metadata.name}`);
    });
    await createMany(count);
    // Somebody else writes all the time, and from old versions takes "done" away again.
    for (const { metadata } of informer.list())
      await api.patch(CONFIG_MAPS, { namespace, name: metadata.name }, { data: { done: null } }, { type: "merge" });
    await eventually("all to be done", async () => {
      const { items } = await api.list(CONFIG_MAPS, { namespace });
      return items.length === count && items.every(({ data }) => data?.["done"] === "yes") && controller.isIdle;
    });
    expect(conflicts).toBeLessThan(10 * count);
  });

  describe("leader election", () => {
    const start = (identity: string, client: KubeApi): { leadership: Leadership; kill: () => void } => {
      const life = new AbortController();
      closers.push(() => life.abort());
      const leadership = startLeaderElection({
        api: client,
        clock,
        random,
        signal: life.signal,
        namespace,
        name: "lead",
        identity,
        leaseDurationMs: 3_000,
        renewDeadlineMs: 2_000,
        retryPeriodMs: 300,
      });
      return { leadership, kill: () => life.abort() };
    };
    const holder = async (): Promise<string | undefined> =>
      (await api.get(LEASES, { namespace, name: "lead" })).spec?.holderIdentity;

    test("exactly one of two leads; the other takes over when the lease is given back, and when its holder dies", async () => {
      const candidates = new Map(["a", "b"].map((name) => [name, start(name, api)]));
      const leaders = (): string[] =>
        [...candidates].filter(([, { leadership }]) => leadership.isLeader()).map(([name]) => name);
      const [first = ""] = await eventually("a leader", () => leaders().length > 0 && leaders());
      await always("exactly one leads", () => leaders().length === 1, 4_000, { intervalMs: 20 });
      expect(leaders()).toEqual([first]);
      expect(await holder()).toBe(first);

      await candidates.get(first)?.leadership.release();
      candidates.get(first)?.kill();
      candidates.delete(first);
      const [second = ""] = await eventually("the other", () => leaders().length > 0 && leaders(), { limitMs: 3_000 });
      expect(second).not.toBe(first);
      candidates.set("c", start("c", api));
      candidates.get(second)?.kill();
      candidates.delete(second);
      expect(await holder()).toBe(second);
      await eventually("the third", () => leaders()[0] === "c");
      expect((await api.get(LEASES, { namespace, name: "lead" })).spec).toMatchObject({
        holderIdentity: "c",
        leaseDurationSeconds: 3,
        leaseTransitions: 2,
      });
    });

    test("a leader that is cut off stops before another begins", async () => {
      const cutOff = await clientFor(kubeconfigWith("cut-off", { token: controlPlane.adminToken }, proxy.port));
      const old = start("old", cutOff);
      await old.leadership.acquired;
      const next = start("next", api);
      proxy.setDown(true);
      let both = 0;
      await eventually(
        "the next",
        () => {
          if (old.leadership.isLeader() && next.leadership.isLeader()) both++;
          return next.leadership.isLeader();
        },
        { intervalMs: 5 },
      );
      proxy.setDown(false);
      expect(both).toBe(0);
      expect(old.leadership.lost.aborted).toBe(true);
      expect(await holder()).toBe("next");
    });
  });

  test("requests keep to the rate limit, and watches go on below it", async () => {
    const waits: number[] = [];
    const limited = await clientFor(controlPlane.kubeconfigPath, {
      rateLimit: { qps: 20, burst: 5 },
      metrics: { ...noRuntimeMetrics, rateLimiterWait: (seconds) => void waits.push(seconds) },
    });
    await api.create(CONFIG_MAPS, configMap("a"));
    const startMs = clock.monotonicMs();
    await Promise.all(Array.from({ length: 35 }, () => limited.get(CONFIG_MAPS, { namespace, name: "a" })));
    // 5 at once, then one every 50 ms: 30 of them cannot be done before 1.5 s.
    expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(1_490);
    expect(waits).toHaveLength(30);
  });

  test("a token that is replaced on disk is used from then on, and a refused one is read again at once", async () => {
    const tokenFile = join(folder, "token");
    writeFileSync(tokenFile, `${controlPlane.adminToken}\n`);
    let skippedMs = 0;
    const later: Clock = { ...clock, monotonicMs: () => clock.monotonicMs() + skippedMs };
    const client = await clientFor(kubeconfigWith("with-token-file", { tokenFile }), {}, later);
    const whoAmI = async (): Promise<string> => {
      const review = await client.create(SELF_SUBJECT_REVIEWS, {
        apiVersion: "authentication.k8s.io/v1",
        kind: "SelfSubjectReview",
        metadata: { name: "" },
      });
      return review.status?.userInfo?.username ?? "";
    };
    expect(await whoAmI()).toBe("kubernetes-admin");
    writeFileSync(tokenFile, controlPlane.tokenFor("alice@example.com"));
    skippedMs = 31_000;
    expect(await whoAmI()).toBe("alice@example.com");

    writeFileSync(tokenFile, "revoked");
    skippedMs = 62_000;
    await expect(whoAmI()).rejects.toSatisfy((error) => error instanceof ApiError && error.code === 401);
    writeFileSync(tokenFile, controlPlane.adminToken);
    expect(await whoAmI()).toBe("kubernetes-admin");
  });
});

interface SelfSubjectReview extends KubeObject {
  readonly status?: { readonly userInfo?: { readonly username?: string } };
}
const SELF_SUBJECT_REVIEWS: Resource<SelfSubjectReview> = {
  group: "authentication.k8s.io",
  version: "v1",
  kind: "SelfSubjectReview",
  plural: "selfsubjectreviews",
  namespaced: false,
};
