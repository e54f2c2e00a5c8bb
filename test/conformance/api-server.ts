/**
 * The behaviour of a Kubernetes API server that the product relies on, as tests over raw HTTP. They run against the
 * embedded server and against a real kube-apiserver with its controller manager, and must agree.
 */
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { HttpAnswer, RequestOptions, Target } from "./target.ts";
import { GADGET_CRD, GADGET_GROUP, WIDGET_CRD, WIDGET_GROUP } from "./widget-crd.ts";

// biome-ignore lint/suspicious/noExplicitAny: objects of every kind
type Any = any;

const MERGE = "application/merge-patch+json";
const JSON_PATCH = "application/json-patch+json";
const STRATEGIC = "application/strategic-merge-patch+json";
const APPLY = "application/apply-patch+yaml";
/** A real garbage collector learns of new kinds only every 30 s. */
const LIMIT_MS = 90_000;

export function describeApiServer(name: string, makeTarget: () => Promise<Target>, { skip = false } = {}): void {
  describe.skipIf(skip)(name, () => {
    let target: Target;
    let ns: string;
    beforeAll(async () => {
      target = await makeTarget();
      for (const crd of [WIDGET_CRD, GADGET_CRD]) {
        const made = await post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", crd);
        if (made.status !== 201 && made.status !== 409) throw new Error(made.text);
        await until(async () => {
          const { json } = await get(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd.metadata.name}`);
          return json.status?.conditions?.some((c: Any) => c.type === "Established" && c.status === "True");
        });
      }
      for (const group of [WIDGET_GROUP, GADGET_GROUP]) {
        await until(
          async () => (await get(`/apis/${group}/v1/namespaces/default/${group.split(".")[0]}`)).status === 200,
        );
      }
    }, 180_000);
    afterAll(async () => target?.stop());
    beforeEach(async () => {
      const { json } = await post("/api/v1/namespaces", {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { generateName: "t-" },
      });
      ns = json.metadata.name;
      await until(async () => (await get(`${core("serviceaccounts")}/default`)).status === 200);
    });

    const ask = (method: string, path: string, options?: RequestOptions): Promise<HttpAnswer> =>
      target.request(method, path, options);
    const get = (path: string, accept?: string) =>
      ask("GET", path, accept === undefined ? {} : { headers: { accept } });
    const post = (path: string, body: unknown) => ask("POST", path, { body });
    const put = (path: string, body: unknown) => ask("PUT", path, { body });
    const remove = (path: string, body?: unknown) => ask("DELETE", path, body === undefined ? {} : { body });
    const patch = (path: string, body: unknown, type = MERGE) =>
      ask("PATCH", path, { body, headers: { "content-type": type } });
    const apply = (path: string, body: object, manager: string, force = false) =>
      patch(`${path}${path.includes("?") ? "&" : "?"}fieldManager=${manager}&force=${force}`, body, APPLY);
    const core = (plural: string): string => `/api/v1/namespaces/${ns}/${plural}`;
    const widgets = (): string => `/apis/${WIDGET_GROUP}/v1/namespaces/${ns}/widgets`;
    const widget = (name: string, spec: object = {}, metadata: object = {}) => ({
      apiVersion: `${WIDGET_GROUP}/v1`,
      kind: "Widget",
      metadata: { name, ...metadata },
      spec: { model: "m", ...spec },
    });
    const pod = (name: string, spec: object = {}, metadata: object = {}) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, ...metadata },
      spec: { containers: [{ name: "main", image: "busybox:1" }], ...spec },
    });
    const configMap = (name: string, data: object = {}, metadata: object = {}) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name, ...metadata },
      data,
    });
    const until = async (holds: () => Promise<unknown>): Promise<void> => {
      const endMs = Date.now() + LIMIT_MS;
      while (!(await holds())) {
        if (Date.now() > endMs) throw new Error("did not come true");
        await wait(25);
      }
    };
    const gone = async (path: string): Promise<void> => {
      await until(async () => (await get(path)).status === 404);
      expect((await get(path)).json.reason).toBe("NotFound");
    };
    const causes = ({ json }: HttpAnswer): string[] => (json.details?.causes ?? []).map((c: Any) => c.field).sort();
    const ownedBy = (owner: Any, more: object = {}) => ({
      ownerReferences: [
        { apiVersion: owner.apiVersion, kind: owner.kind, name: owner.metadata.name, uid: owner.metadata.uid, ...more },
      ],
    });

    describe("objects", () => {
      test("creation fills in the metadata", async () => {
        const { status, json } = await post(widgets(), widget("a"));
        expect(status).toBe(201);
        expect(json.metadata).toMatchObject({ name: "a", namespace: ns, generation: 1 });
        expect(json.metadata.uid).toMatch(/^[0-9a-f-]{36}$/);
        expect(json.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
        expect(json.metadata.resourceVersion).toMatch(/^\d+$/);
      });

      test("a second object of the same name is refused", async () => {
        await post(widgets(), widget("a"));
        const { status, json } = await post(widgets(), widget("a"));
        expect([status, json.reason]).toEqual([409, "AlreadyExists"]);
        expect(json.message).toBe('widgets.widgets.example.com "a" already exists');
        expect(json.details).toMatchObject({ name: "a", group: WIDGET_GROUP, kind: "widgets" });
      });

      test("generateName gives five characters from the safe alphabet", async () => {
        const { json } = await post(core("configmaps"), { ...configMap(""), metadata: { generateName: "c-" } });
        expect(json.metadata.name).toMatch(/^c-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
        expect(json.metadata.generateName).toBe("c-");
      });

      test("what is not there is not found", async () => {
        const { status, json } = await get(`${widgets()}/none`);
        expect([status, json.reason, json.message]).toEqual([
          404,
          "NotFound",
          'widgets.widgets.example.com "none" not found',
        ]);
        expect((await get(`/apis/${WIDGET_GROUP}/v1/namespaces/${ns}/nothings`)).status).toBe(404);
        expect((await put(`${widgets()}/none`, widget("none", {}, { resourceVersion: "1" }))).status).toBe(404);
      });

      test("a missing namespace is not found, a wrong one is a bad request", async () => {
        const missing = await post("/api/v1/namespaces/no-such/configmaps", configMap("a"));
        expect([missing.status, missing.json.message]).toEqual([404, 'namespaces "no-such" not found']);
        expect((await post(core("configmaps"), configMap("a", {}, { namespace: "other" }))).status).toBe(400);
      });

      test("names are checked", async () => {
        const answer = await post(core("configmaps"), configMap("Not_OK"));
        expect([answer.status, answer.json.reason]).toEqual([422, "Invalid"]);
        expect(causes(answer)).toEqual(["metadata.name"]);
        expect(answer.json.message).toContain("a lowercase RFC 1123 subdomain must consist of");
      });

      test("labels are checked", async () => {
        const answer = await post(core("configmaps"), configMap("a", {}, { labels: { a: "not ok" } }));
        expect(answer.status).toBe(422);
        expect(causes(answer)).toEqual(["metadata.labels"]);
      });

      test("an update with an old resourceVersion conflicts", async () => {
        const { json: made } = await post(widgets(), widget("a"));
        await patch(`${widgets()}/a`, { spec: { replicas: 2 } });
        const { status, json } = await put(`${widgets()}/a`, made);
        expect([status, json.reason]).toEqual([409, "Conflict"]);
        expect(json.message).toBe(
          'Operation cannot be fulfilled on widgets.widgets.example.com "a": the object has been modified; please apply your changes to the latest version and try again',
        );
      });

      test("a custom resource needs a resourceVersion to be replaced, a ConfigMap does not", async () => {
        await post(widgets(), widget("a"));
        const answer = await put(`${widgets()}/a`, widget("a"));
        expect(answer.status).toBe(422);
        expect(causes(answer)).toEqual(["metadata.resourceVersion"]);
        await post(core("configmaps"), configMap("c", { a: "1" }));
        const { status, json } = await put(`${core("configmaps")}/c`, configMap("c", { b: "2" }));
        expect([status, json.data]).toEqual([200, { b: "2" }]);
      });

      test("a patch with an old resourceVersion or another uid conflicts", async () => {
        const { json: made } = await post(widgets(), widget("a"));
        await patch(`${widgets()}/a`, { spec: { replicas: 2 } });
        const { resourceVersion } = made.metadata;
        expect((await patch(`${widgets()}/a`, { metadata: { resourceVersion }, spec: { replicas: 3 } })).status).toBe(
          409,
        );
        const answer = await patch(`${widgets()}/a`, { metadata: { uid: "other" } });
        expect(answer.status).toBe(422);
        expect(causes(answer)).toContain("metadata.uid");
        expect((await put(`${widgets()}/a`, widget("a", {}, { resourceVersion, uid: "other" }))).status).toBe(409);
      });

      test("a write that changes nothing writes nothing", async () => {
        const { json: made } = await post(widgets(), widget("a", { replicas: 1 }));
        const { json: patched } = await patch(`${widgets()}/a`, { spec: { replicas: 1 } });
        const { json: replaced } = await put(`${widgets()}/a`, patched);
        expect(patched.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
        expect(replaced.metadata.resourceVersion).toBe(made.metadata.resourceVersion);
      });

      test("only spec changes count as a generation", async () => {
        await post(widgets(), widget("a"));
        const labelled = await patch(`${widgets()}/a`, { metadata: { labels: { a: "b" } } });
        expect(labelled.json.metadata.generation).toBe(1);
        const status = await patch(`${widgets()}/a/status`, { status: { replicas: 1 } });
        expect(status.json.metadata.generation).toBe(1);
        const spec = await patch(`${widgets()}/a`, { spec: { replicas: 7 } });
        expect(spec.json.metadata.generation).toBe(2);
      });

      test("server-side metadata cannot be chosen", async () => {
        const { json: made } = await post(
          widgets(),
          widget("a", {}, { generation: 9, creationTimestamp: "2001-01-01T00:00:00Z" }),
        );
        expect(made.metadata.generation).toBe(1);
        expect(made.metadata.creationTimestamp).not.toMatch(/^2001/);
        const { json } = await patch(`${widgets()}/a`, { metadata: { generation: 5 } });
        expect(json.metadata.generation).toBe(1);
      });

      test("dry run answers but does not write", async () => {
        const { status, json } = await post(`${widgets()}?dryRun=All`, widget("a"));
        expect([status, json.metadata.name, json.spec.replicas]).toEqual([201, "a", 1]);
        expect((await get(`${widgets()}/a`)).status).toBe(404);
      });

      test("a Secret takes plain text and stores base64", async () => {
        const { json } = await post(core("secrets"), {
          apiVersion: "v1",
          kind: "Secret",
          metadata: { name: "s" },
          stringData: { a: "b" },
        });
        expect([json.data, json.stringData, json.type]).toEqual([{ a: "Yg==" }, undefined, "Opaque"]);
      });

      test("a Service gets an address of its own, unless it is headless", async () => {
        const service = (name: string, spec: object) => ({
          apiVersion: "v1",
          kind: "Service",
          metadata: { name },
          spec: { ports: [{ port: 80 }], ...spec },
        });
        const { json } = await post(core("services"), service("a", {}));
        expect(json.spec).toMatchObject({ type: "ClusterIP", ports: [{ port: 80, protocol: "TCP", targetPort: 80 }] });
        expect(json.spec.clusterIP).toMatch(/^10\.96\.\d+\.\d+$/);
        const headless = await post(core("services"), service("b", { clusterIP: "None" }));
        expect(headless.json.spec.clusterIP).toBe("None");
        const changed = await patch(`${core("services")}/a`, { spec: { clusterIP: "10.96.9.9" } });
        expect(changed.status).toBe(422);
      });

      test("YAML bodies are read for creation", async () => {
        const body = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: written\ndata:\n  a: b\n";
        const answer = await ask("POST", core("configmaps"), { body, headers: { "content-type": "application/yaml" } });
        expect([answer.status, (await get(`${core("configmaps")}/written`)).json.data]).toEqual([201, { a: "b" }]);
      });
    });

    describe("lists", () => {
      test("pages show one state and end without a token", async () => {
        for (const name of ["a", "b", "c", "d", "e"])
          await post(core("configmaps"), configMap(name, {}, { labels: { page: "x" } }));
        const base = `${core("configmaps")}?labelSelector=page%3Dx&limit=2`;
        const names: string[] = [];
        let token = "";
        let version = "";
        do {
          const { json } = await get(`${base}${token === "" ? "" : `&continue=${encodeURIComponent(token)}`}`);
          if (version === "") {
            version = json.metadata.resourceVersion;
            await remove(`${core("configmaps")}/e`);
          }
          expect(json.items.length).toBeLessThanOrEqual(2);
          names.push(...json.items.map((item: Any) => item.metadata.name));
          token = json.metadata.continue ?? "";
        } while (token !== "");
        expect(names).toEqual(["a", "b", "c", "d", "e"]);
      });

      test("a page says how many remain", async () => {
        for (const name of ["a", "b", "c"]) await post(widgets(), widget(name));
        const { json } = await get(`${widgets()}?limit=1`);
        expect(json).toMatchObject({
          kind: "WidgetList",
          apiVersion: `${WIDGET_GROUP}/v1`,
          metadata: { remainingItemCount: 2 },
        });
      });

      test.each([
        { selector: "app=x", want: ["a"] },
        { selector: "app!=x", want: ["b", "c"] },
        { selector: "app in (x,y)", want: ["a", "b"] },
        { selector: "app notin (x)", want: ["b", "c"] },
        { selector: "app", want: ["a", "b"] },
        { selector: "!app", want: ["c"] },
        { selector: "app,tier=t", want: ["b"] },
      ])("label selector $selector", async ({ selector, want }) => {
        await post(widgets(), widget("a", {}, { labels: { app: "x" } }));
        await post(widgets(), widget("b", {}, { labels: { app: "y", tier: "t" } }));
        await post(widgets(), widget("c"));
        const { json } = await get(`${widgets()}?labelSelector=${encodeURIComponent(selector)}`);
        expect(json.items.map((item: Any) => item.metadata.name)).toEqual(want);
      });

      test("field selectors: names everywhere, more on pods, others refused", async () => {
        await post(core("pods"), pod("a"));
        await post(core("pods"), pod("b", { nodeName: "n1" }));
        const names = async (selector: string) =>
          (await get(`${core("pods")}?fieldSelector=${encodeURIComponent(selector)}`)).json.items.map(
            (item: Any) => item.metadata.name,
          );
        expect(await names("metadata.name=a")).toEqual(["a"]);
        expect(await names("spec.nodeName=n1")).toEqual(["b"]);
        expect(await names("spec.nodeName=")).toEqual(["a"]);
        expect(await names("status.phase=Pending,metadata.name!=a")).toEqual(["b"]);
        expect((await get(`${widgets()}?fieldSelector=spec.model%3Dm`)).status).toBe(400);
      });

      test("a list at version 0 is the current state, one in the future times out", async () => {
        await post(widgets(), widget("a"));
        await until(async () => (await get(`${widgets()}?resourceVersion=0`)).json.items.length === 1);
        const { json } = await get(`${widgets()}?resourceVersion=999999999`);
        expect([json.code, json.reason]).toEqual([504, "Timeout"]);
      });

      test("an exact version shows the past", async () => {
        const { json: made } = await post(widgets(), widget("a"));
        await remove(`${widgets()}/a`);
        const { resourceVersion } = made.metadata;
        const { json } = await get(`${widgets()}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`);
        expect(json.items.map((item: Any) => item.metadata.name)).toEqual(["a"]);
      });

      test("a collection is deleted by selector", async () => {
        await post(widgets(), widget("a", {}, { labels: { go: "1" } }));
        await post(widgets(), widget("b"));
        expect((await remove(`${widgets()}?labelSelector=go%3D1`)).status).toBe(200);
        const { json } = await get(widgets());
        expect(json.items.map((item: Any) => item.metadata.name)).toEqual(["b"]);
      });
    });

    describe("watches", () => {
      /** Events of a watch until `done`, or until the server ends it. */
      const watch = async (
        path: string,
        act: () => Promise<unknown>,
        done: (events: Any[]) => boolean,
      ): Promise<Any[]> => {
        const stop = new AbortController();
        const timer = setTimeout(() => stop.abort(), LIMIT_MS);
        const events: Any[] = [];
        const reading = (async () => {
          for await (const line of target.lines(path, stop.signal)) {
            if (line.trim() !== "") events.push(JSON.parse(line));
            if (done(events)) break;
          }
        })();
        await act();
        await reading;
        clearTimeout(timer);
        stop.abort();
        return events;
      };
      const story = (events: Any[]): string[] => events.map(({ type, object }) => `${type} ${object.metadata.name}`);

      test("changes after a version come in order, with rising versions", async () => {
        const { json } = await get(widgets());
        const events = await watch(
          `${widgets()}?watch=1&resourceVersion=${json.metadata.resourceVersion}`,
          async () => {
            await post(widgets(), widget("a"));
            await patch(`${widgets()}/a`, { spec: { replicas: 3 } });
            await remove(`${widgets()}/a`);
          },
          (seen) => seen.length === 3,
        );
        expect(story(events)).toEqual(["ADDED a", "MODIFIED a", "DELETED a"]);
        const versions = events.map(({ object }) => Number(object.metadata.resourceVersion));
        expect(versions).toEqual([...versions].sort((a, b) => a - b));
        expect(new Set(versions).size).toBe(3);
      });

      test("without a version the present comes first", async () => {
        await post(widgets(), widget("a"));
        const events = await watch(
          `${widgets()}?watch=true`,
          async () => post(widgets(), widget("b")),
          (seen) => seen.length === 2,
        );
        expect(story(events)).toEqual(["ADDED a", "ADDED b"]);
      });

      test("an object that leaves the selection is deleted for the watcher", async () => {
        const { json } = await get(widgets());
        const events = await watch(
          `${widgets()}?watch=1&labelSelector=app%3Dx&resourceVersion=${json.metadata.resourceVersion}`,
          async () => {
            await post(widgets(), widget("a"));
            await patch(`${widgets()}/a`, { metadata: { labels: { app: "x" } } });
            await patch(`${widgets()}/a`, { metadata: { labels: { app: "y" } } });
          },
          (seen) => seen.length === 2,
        );
        expect(story(events)).toEqual(["ADDED a", "DELETED a"]);
      });

      test("the server ends a watch after timeoutSeconds, with a bookmark when asked", async () => {
        const { json } = await get(widgets());
        const events = await watch(
          `${widgets()}?watch=1&allowWatchBookmarks=true&timeoutSeconds=3&resourceVersion=${json.metadata.resourceVersion}`,
          async () => post(widgets(), widget("a")),
          () => false,
        );
        expect(events[0]?.type).toBe("ADDED");
        const bookmarks = events.filter(({ type }) => type === "BOOKMARK");
        expect(bookmarks.length).toBeGreaterThan(0);
        expect(bookmarks[0].object.kind).toBe("Widget");
        expect(bookmarks[0].object.metadata.resourceVersion).toMatch(/^\d+$/);
      });

      test("streamed lists end with a marked bookmark", async () => {
        await post(widgets(), widget("a"));
        const query = "watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
        const events = await watch(
          `${widgets()}?${query}`,
          async () => undefined,
          (seen) => seen.at(-1)?.type === "BOOKMARK",
        );
        expect(events.map(({ type }) => type)).toEqual(["ADDED", "BOOKMARK"]);
        expect(events[1].object.metadata.annotations).toEqual({ "k8s.io/initial-events-end": "true" });
      });

      test("one object is watched by name", async () => {
        await post(widgets(), widget("a"));
        await post(widgets(), widget("b"));
        const events = await watch(
          `${widgets()}?watch=1&fieldSelector=metadata.name%3Db`,
          async () => undefined,
          (seen) => seen.length === 1,
        );
        expect(story(events)).toEqual(["ADDED b"]);
      });

      test("a watch as a table has columns once", async () => {
        await post(widgets(), widget("a"));
        await post(widgets(), widget("b"));
        const stop = new AbortController();
        const rows: Any[] = [];
        for await (const line of target.lines(`${widgets()}?watch=1`, stop.signal)) {
          rows.push(JSON.parse(line));
          if (rows.length === 2) break;
        }
        stop.abort();
        expect(rows.map(({ object }) => object.metadata.name).sort()).toEqual(["a", "b"]);
      });
    });

    describe("patches", () => {
      test("merge patch sets, removes and replaces lists", async () => {
        await post(widgets(), widget("a", { size: "S", tags: ["x", "y"] }));
        const { json } = await patch(`${widgets()}/a`, { spec: { size: null, tags: ["z"] } });
        expect(json.spec).toEqual({ model: "m", replicas: 1, tags: ["z"] });
      });

      test("JSON patch tests before it writes", async () => {
        await post(widgets(), widget("a", { tags: ["x"] }));
        const path = `${widgets()}/a`;
        const ok = await patch(
          path,
          [
            { op: "test", path: "/spec/model", value: "m" },
            { op: "add", path: "/spec/tags/-", value: "y" },
            { op: "replace", path: "/spec/replicas", value: 4 },
          ],
          JSON_PATCH,
        );
        expect(ok.json.spec).toEqual({ model: "m", replicas: 4, tags: ["x", "y"] });
        const failed = await patch(path, [{ op: "test", path: "/spec/model", value: "other" }], JSON_PATCH);
        expect([failed.status, failed.json.reason]).toEqual([422, "Invalid"]);
        expect((await patch(path, [{ op: "remove", path: "/spec/nothing" }], JSON_PATCH)).status).toBe(422);
      });

      test("strategic merge joins lists by their keys, on built-in kinds only", async () => {
        await post(
          core("pods"),
          pod("p", {
            containers: [
              { name: "a", image: "i:1" },
              { name: "b", image: "i:1" },
            ],
          }),
        );
        const body = {
          spec: { containers: [{ name: "b", image: "i:2" }] },
          metadata: { finalizers: ["x.example.com/f"] },
        };
        const { json } = await patch(`${core("pods")}/p`, body, STRATEGIC);
        expect(json.spec.containers.map((c: Any) => `${c.name} ${c.image}`).sort()).toEqual(["a i:1", "b i:2"]);
        const second = await patch(
          `${core("pods")}/p`,
          { metadata: { "$deleteFromPrimitiveList/finalizers": ["x.example.com/f"] } },
          STRATEGIC,
        );
        expect(second.json.metadata.finalizers).toBeUndefined();
        await post(widgets(), widget("w"));
        expect((await patch(`${widgets()}/w`, { spec: {} }, STRATEGIC)).status).toBe(415);
      });

      test("strategic merge deletes by $patch and replaces conditions by type", async () => {
        await post(core("pods"), pod("p"));
        const condition = (type: string, status: string) => ({ type, status });
        const set = (conditions: object[]) => patch(`${core("pods")}/p/status`, { status: { conditions } }, STRATEGIC);
        await set([condition("x/A", "False"), condition("x/B", "True")]);
        await set([condition("x/A", "True")]);
        const { json } = await set([{ type: "x/B", $patch: "delete" } as Any]);
        expect(json.status.conditions.map((c: Any) => `${c.type}=${c.status}`)).toEqual(["x/A=True"]);
      });

      test("a patch of another media type is refused", async () => {
        await post(widgets(), widget("a"));
        expect((await patch(`${widgets()}/a`, {}, "application/json")).status).toBe(415);
      });
    });

    describe("server-side apply", () => {
      const config = (spec: object, metadata: object = {}) => ({
        apiVersion: `${WIDGET_GROUP}/v1`,
        kind: "Widget",
        metadata: { name: "a", ...metadata },
        spec,
      });
      const path = (): string => `${widgets()}/a`;

      test("creates, and says who owns what", async () => {
        const { status, json } = await apply(
          path(),
          config({ model: "m", parts: [{ name: "p", count: 1 }] }, { labels: { l: "1" } }),
          "one",
        );
        expect(status).toBe(201);
        expect(json.spec.replicas).toBe(1);
        expect(json.metadata.managedFields).toMatchObject([
          {
            manager: "one",
            operation: "Apply",
            apiVersion: `${WIDGET_GROUP}/v1`,
            fieldsType: "FieldsV1",
            fieldsV1: {
              "f:metadata": { "f:labels": { "f:l": {} } },
              "f:spec": { "f:model": {}, "f:parts": { 'k:{"name":"p"}': { ".": {}, "f:count": {}, "f:name": {} } } },
            },
          },
        ]);
      });

      test("another value of an owned field conflicts unless forced", async () => {
        await apply(path(), config({ model: "m", size: "S" }), "one");
        const refused = await apply(path(), config({ size: "M" }), "two");
        expect([refused.status, refused.json.reason]).toEqual([409, "Conflict"]);
        expect(refused.json.message).toBe('Apply failed with 1 conflict: conflict with "one": .spec.size');
        expect(refused.json.details.causes).toEqual([
          { reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".spec.size" },
        ]);
        const forced = await apply(path(), config({ size: "M" }), "two", true);
        expect([forced.status, forced.json.spec.size]).toEqual([200, "M"]);
        const owners = forced.json.metadata.managedFields.map((e: Any) => [
          e.manager,
          Object.keys(e.fieldsV1["f:spec"]),
        ]);
        expect(owners).toEqual(
          expect.arrayContaining([
            ["one", ["f:model"]],
            ["two", ["f:size"]],
          ]),
        );
      });

      test("several conflicts are listed by manager", async () => {
        await apply(path(), config({ model: "m", size: "S" }), "one");
        const { json } = await apply(path(), config({ model: "n", size: "M" }), "two");
        expect(json.message).toBe('Apply failed with 2 conflicts: conflicts with "one":\n- .spec.model\n- .spec.size');
      });

      test("a field that its only applier drops is removed; a shared one stays", async () => {
        await apply(path(), config({ model: "m", size: "S", tags: ["x"] }), "one");
        await apply(path(), config({ size: "S" }), "two");
        const { json } = await apply(path(), config({ model: "m" }), "one");
        expect(json.spec).toEqual({ model: "m", size: "S", replicas: 1 });
      });

      test("keyed lists merge, sets unite, atomic lists are replaced", async () => {
        await apply(path(), config({ model: "m", parts: [{ name: "p", count: 1 }], labels: ["a"] }), "one");
        const { json } = await apply(path(), config({ parts: [{ name: "q", count: 2 }], labels: ["b"] }), "two");
        expect(json.spec.parts).toEqual(
          expect.arrayContaining([
            { name: "p", count: 1 },
            { name: "q", count: 2 },
          ]),
        );
        expect([...json.spec.labels].sort()).toEqual(["a", "b"]);
        const atomic = await apply(path(), config({ model: "m", tags: ["x"] }), "one", true);
        expect(atomic.json.spec.tags).toEqual(["x"]);
        expect((await apply(path(), config({ tags: ["y"] }), "two")).status).toBe(409);
      });

      test("the same configuration again changes nothing", async () => {
        const first = await apply(path(), config({ model: "m" }), "one");
        const second = await apply(path(), config({ model: "m" }), "one");
        expect(second.json.metadata.resourceVersion).toBe(first.json.metadata.resourceVersion);
      });

      test("a configuration that does not have the schema's shape is no configuration", async () => {
        const twice = await apply(path(), config({ model: "m", parts: [{ name: "a" }, { name: "a" }] }), "one");
        expect(twice.status).toBe(500);
        expect(twice.json.message).toBe(
          `failed to create typed patch object (/a; ${WIDGET_GROUP}/v1, Kind=Widget): .spec.parts: duplicate entries for key [name="a"]`,
        );
        const typed = await apply(path(), config({ model: "m", replicas: "many" }), "one");
        expect(typed.json.message).toContain(".spec.replicas: expected numeric (int or float), got string");
        const keyless = await apply(path(), config({ model: "m", parts: [{ count: 1 }] }), "one");
        expect(keyless.json.message).toContain(
          'element 0: associative list with keys has an element that omits all key fields ["name"]',
        );
      });

      test("needs a manager and no managedFields", async () => {
        const { status, json } = await patch(path(), config({ model: "m" }), APPLY);
        expect(status).toBe(422);
        expect(json.message).toContain("fieldManager: Required value: is required for apply patch");
        expect((await apply(path(), config({ model: "m" }, { managedFields: [] }), "one")).status).toBe(400);
      });

      test("an update takes ownership of what it changes", async () => {
        await apply(path(), config({ model: "m", replicas: 2 }), "one");
        await patch(`${path()}?fieldManager=editor`, { spec: { replicas: 3 } });
        const { json } = await get(path());
        const fields = Object.fromEntries(
          json.metadata.managedFields.map((e: Any) => [`${e.manager} ${e.operation}`, e.fieldsV1]),
        );
        expect(fields).toEqual({
          "one Apply": { "f:spec": { "f:model": {} } },
          "editor Update": { "f:spec": { "f:replicas": {} } },
        });
        const refused = await apply(path(), config({ model: "m", replicas: 2 }), "one");
        expect(refused.json.message).toBe(
          `Apply failed with 1 conflict: conflict with "editor" using ${WIDGET_GROUP}/v1: .spec.replicas`,
        );
      });

      test("/status and /scale are owned apart", async () => {
        await apply(path(), config({ model: "m", replicas: 1 }), "one");
        await apply(
          `${path()}/status`,
          { apiVersion: `${WIDGET_GROUP}/v1`, kind: "Widget", metadata: { name: "a" }, status: { replicas: 2 } },
          "one",
        );
        await ask("PATCH", `${path()}/scale?fieldManager=hpa`, {
          body: { spec: { replicas: 5 } },
          headers: { "content-type": MERGE },
        });
        const { json } = await get(path());
        const entries = json.metadata.managedFields.map((e: Any) => [
          e.manager,
          e.operation,
          e.subresource ?? "",
          e.fieldsV1,
        ]);
        expect(entries).toEqual(
          expect.arrayContaining([
            ["one", "Apply", "", { "f:spec": { "f:model": {} } }],
            ["one", "Apply", "status", { "f:status": { "f:replicas": {} } }],
            ["hpa", "Update", "scale", { "f:spec": { "f:replicas": {} } }],
          ]),
        );
        expect([json.spec.replicas, json.status.replicas]).toEqual([5, 2]);
      });

      test("replicas that nobody owns stay so when they are scaled", async () => {
        await apply(path(), config({ model: "m" }), "one");
        await patch(`${path()}/scale?fieldManager=hpa`, { spec: { replicas: 5 } });
        const { json } = await get(path());
        expect(json.metadata.managedFields.map((e: Any) => e.manager)).toEqual(["one"]);
      });

      test("creation by POST is owned by the user agent's first word", async () => {
        const { json } = await post(widgets(), widget("b", { parts: [{ name: "p" }] }, { labels: { l: "1" } }));
        expect(json.metadata.managedFields).toMatchObject([
          {
            manager: "conformance",
            operation: "Update",
            fieldsV1: {
              "f:metadata": { "f:labels": { ".": {}, "f:l": {} } },
              "f:spec": {
                ".": {},
                "f:model": {},
                "f:parts": { ".": {}, 'k:{"name":"p"}': { ".": {}, "f:name": {} } },
                "f:replicas": {},
              },
            },
          },
        ]);
      });

      test("works on built-in kinds with their own keys", async () => {
        const podConfig = (containers: object[]) => ({
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: "p" },
          spec: { containers },
        });
        await apply(
          `${core("pods")}/p`,
          podConfig([{ name: "a", image: "i:1", env: [{ name: "E", value: "1" }] }]),
          "one",
        );
        const { json } = await apply(`${core("pods")}/p`, podConfig([{ name: "a", image: "i:2" }]), "two", true);
        expect(json.spec.containers[0].image).toBe("i:2");
        const one = json.metadata.managedFields.find((e: Any) => e.manager === "one").fieldsV1;
        expect(one["f:spec"]["f:containers"]['k:{"name":"a"}']).toEqual({
          ".": {},
          "f:env": { 'k:{"name":"E"}': { ".": {}, "f:name": {}, "f:value": {} } },
          "f:name": {},
        });
      });
    });

    describe("schemas", () => {
      test("defaults are filled in, also inside lists", async () => {
        const { json } = await post(widgets(), widget("a", { parts: [{ name: "p" }], nested: {} }));
        expect(json.spec).toEqual({ model: "m", replicas: 1, parts: [{ name: "p" }], nested: { mode: "auto" } });
      });

      test("unknown fields are dropped, kept where the schema says so", async () => {
        const { json, headers } = await post(widgets(), widget("a", { junk: 1, free: { any: { thing: [1] } } }));
        expect(json.spec).toEqual({ model: "m", replicas: 1, free: { any: { thing: [1] } } });
        expect(String(headers["warning"])).toContain('unknown field \\"spec.junk\\"');
      });

      test("strict validation refuses unknown fields", async () => {
        const { status, json } = await post(`${widgets()}?fieldValidation=Strict`, widget("a", { junk: 1 }));
        expect(status).toBe(400);
        expect(json.message).toContain('strict decoding error: unknown field "spec.junk"');
        const ignored = await post(`${widgets()}?fieldValidation=Ignore`, widget("a", { junk: 1 }));
        expect([ignored.status, ignored.headers["warning"]]).toEqual([201, undefined]);
      });

      test("built-in kinds drop unknown fields with a warning too", async () => {
        const { json, headers } = await post(core("configmaps"), { ...configMap("a"), junk: 1 });
        expect(json.junk).toBeUndefined();
        expect(String(headers["warning"])).toContain('unknown field \\"junk\\"');
      });

      test.each([
        { name: "required", spec: { model: undefined }, field: "spec.model", text: "spec.model: Required value" },
        {
          name: "type",
          spec: { replicas: "x" },
          field: "spec.replicas",
          text: 'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
        },
        {
          name: "minimum",
          spec: { replicas: -1 },
          field: "spec.replicas",
          text: "spec.replicas: Invalid value: -1: spec.replicas in body should be greater than or equal to 0",
        },
        {
          name: "maximum",
          spec: { replicas: 101 },
          field: "spec.replicas",
          text: "spec.replicas: Invalid value: 101: spec.replicas in body should be less than or equal to 100",
        },
        {
          name: "enum",
          spec: { size: "XL" },
          field: "spec.size",
          text: 'spec.size: Unsupported value: "XL": supported values: "S", "M"',
        },
        {
          name: "pattern",
          spec: { code: "UP" },
          field: "spec.code",
          text: `spec.code: Invalid value: "UP": spec.code in body should match '^[a-z]+$'`,
        },
        {
          name: "min length",
          spec: { model: "" },
          field: "spec.model",
          text: 'spec.model: Invalid value: "": spec.model in body should be at least 1 chars long',
        },
        {
          name: "max length",
          spec: { code: "abcdefghijk" },
          field: "spec.code",
          text: "spec.code: Too long: may not be more than 10 bytes",
        },
        {
          name: "min items",
          spec: { tags: [] },
          field: "spec.tags",
          text: "spec.tags in body should have at least 1 items",
        },
        {
          name: "max items",
          spec: { tags: ["a", "b", "c", "d"] },
          field: "spec.tags",
          text: "spec.tags: Too many: 4: must have at most 3 items",
        },
        {
          name: "duplicate map key",
          spec: { parts: [{ name: "a" }, { name: "a" }] },
          field: "spec.parts[1]",
          text: 'spec.parts[1]: Duplicate value: {"name":"a"}',
        },
        {
          name: "duplicate in a set",
          spec: { labels: ["a", "a"] },
          field: "spec.labels[1]",
          text: 'spec.labels[1]: Duplicate value: "a"',
        },
        {
          name: "int or string",
          spec: { surge: true },
          field: "spec.surge",
          text: 'spec.surge: Invalid value: "boolean": spec.surge in body must be of type integer,string: "boolean"',
        },
        {
          name: "map values",
          spec: { limits: { a: 1 } },
          field: "spec.limits.a",
          text: 'spec.limits.a: Invalid value: "integer": spec.limits.a in body must be of type string: "integer"',
        },
      ])("$name", async ({ spec, field, text }) => {
        const answer = await post(widgets(), widget("a", spec));
        expect([answer.status, answer.json.reason]).toEqual([422, "Invalid"]);
        expect(answer.json.message).toContain(`Widget.${WIDGET_GROUP} "a" is invalid: `);
        expect(answer.json.message).toContain(text);
        expect(causes(answer)).toContain(field);
      });

      test("all errors are told at once", async () => {
        const answer = await post(widgets(), widget("a", { replicas: -1, size: "XL" }));
        expect(causes(answer)).toEqual([".spec.replicas", "<nil>", "spec.replicas", "spec.size"]);
        expect(answer.json.message).toMatch(/is invalid: \[.*, .*\]$/);
      });

      test("null is dropped, but kept where it is nullable", async () => {
        const { json } = await post(widgets(), widget("a", { replicas: null, maybe: null }));
        expect(json.spec).toEqual({ model: "m", replicas: 1, maybe: null });
        const other = await post(widgets(), widget("b", { size: null }));
        expect([other.status, other.json.spec.size]).toEqual([201, undefined]);
      });

      test("int-or-string takes both", async () => {
        expect((await post(widgets(), widget("a", { surge: 1 }))).status).toBe(201);
        expect((await post(widgets(), widget("b", { surge: "25%" }))).status).toBe(201);
      });

      test("status goes through its own endpoint and is validated there", async () => {
        const made = await post(widgets(), { ...widget("a"), status: { replicas: 3 } });
        expect(made.json.status).toBeUndefined();
        const status = await put(`${widgets()}/a/status`, {
          ...made.json,
          spec: { model: "other" },
          status: { replicas: 3 },
        });
        expect([status.json.spec.model, status.json.status]).toEqual(["m", { replicas: 3 }]);
        const main = await patch(`${widgets()}/a`, { spec: { size: "S" }, status: { replicas: 9 } });
        expect(main.json.status).toEqual({ replicas: 3 });
        expect((await patch(`${widgets()}/a/status`, { status: { replicas: "x" } })).status).toBe(422);
      });
    });

    describe("CEL rules", () => {
      test("a broken rule names its message", async () => {
        const answer = await post(widgets(), widget("a", { min: 5, max: 2 }));
        expect(answer.status).toBe(422);
        expect(answer.json.message).toContain("spec: Invalid value: min must not be above max");
        expect(causes(answer)).toEqual(["spec"]);
      });

      test("a message may be computed and a field pointed at", async () => {
        const answer = await post(widgets(), widget("a", { size: "S", max: 50 }));
        expect(answer.json.message).toContain("max of size S is at most 10");
        expect(causes(answer)).toEqual(["spec.max"]);
      });

      test("transition rules compare with the old value", async () => {
        await post(widgets(), widget("a"));
        const answer = await patch(`${widgets()}/a`, { spec: { model: "other" } });
        expect(answer.status).toBe(422);
        expect(answer.json.message).toContain('spec.model: Invalid value: "other": model is immutable');
        expect((await patch(`${widgets()}/a`, { spec: { size: "M" } })).status).toBe(200);
      });

      test("rules inside lists see their item", async () => {
        const answer = await post(
          widgets(),
          widget("a", {
            parts: [
              { name: "ok", count: 1 },
              { name: "bad", count: 0 },
            ],
          }),
        );
        expect(causes(answer)).toEqual(["spec.parts[1].count"]);
        expect(answer.json.message).toContain("count must be positive");
      });

      test("a rule that does not compile refuses the definition", async () => {
        const broken = structuredClone(WIDGET_CRD) as Any;
        broken.metadata.name = "brokens.broken.example.com";
        broken.spec.group = "broken.example.com";
        broken.spec.names = { plural: "brokens", kind: "Broken" };
        broken.spec.versions[0].schema.openAPIV3Schema.properties.spec["x-kubernetes-validations"] = [
          { rule: "self.nope > 1" },
        ];
        const answer = await post("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", broken);
        expect(answer.status).toBe(422);
        expect(answer.json.message).toContain("undefined field 'nope'");
        expect(answer.json.message).toContain("compilation failed");
      });
    });

    describe("/scale", () => {
      const scale = (): string => `${widgets()}/a/scale`;
      test("shows replicas and selector, and sets them", async () => {
        const { json: made } = await post(widgets(), widget("a", { replicas: 2 }));
        await patch(`${widgets()}/a/status`, { status: { replicas: 1, selector: "app=a" } });
        const { json } = await get(scale());
        expect(json).toMatchObject({
          kind: "Scale",
          apiVersion: "autoscaling/v1",
          metadata: { name: "a", namespace: ns, uid: made.metadata.uid },
          spec: { replicas: 2 },
          status: { replicas: 1, selector: "app=a" },
        });
        const set = await put(scale(), { ...json, spec: { replicas: 6 } });
        expect([set.status, set.json.spec.replicas]).toEqual([200, 6]);
        const { json: after } = await get(`${widgets()}/a`);
        expect([after.spec.replicas, after.metadata.generation]).toEqual([6, 2]);
        expect((await put(scale(), { ...json, spec: { replicas: 7 } })).status).toBe(409);
      });

      test("is patched, and validated like the object", async () => {
        await post(widgets(), widget("a"));
        expect((await patch(scale(), { spec: { replicas: 4 } })).json.spec.replicas).toBe(4);
        const negative = await patch(scale(), { spec: { replicas: -1 } });
        expect([negative.status, negative.json.reason]).toEqual([422, "Invalid"]);
        expect(causes(negative)).toEqual([".spec.replicas", "spec.replicas"]);
        expect((await patch(scale(), { spec: { replicas: 1000 } })).status).toBe(422);
        expect((await get(`${widgets()}/none/scale`)).status).toBe(404);
      });
    });

    describe("finalizers and deletion", () => {
      test("a plain object goes at once and the answer says so", async () => {
        const { json: made } = await post(widgets(), widget("a"));
        const { status, json } = await remove(`${widgets()}/a`);
        expect([status, json.status, json.details.uid]).toEqual([200, "Success", made.metadata.uid]);
        expect((await get(`${widgets()}/a`)).status).toBe(404);
      });

      test("a finalizer keeps it, with a deletion time, until it is taken away", async () => {
        await post(widgets(), widget("a", {}, { finalizers: ["example.com/keep"] }));
        const { json } = await remove(`${widgets()}/a`);
        expect(json.metadata).toMatchObject({ deletionGracePeriodSeconds: 0, generation: 2 });
        expect(json.metadata.deletionTimestamp).toBeDefined();
        const again = await remove(`${widgets()}/a`);
        expect(again.json.metadata.deletionTimestamp).toBe(json.metadata.deletionTimestamp);
        const more = await patch(`${widgets()}/a`, {
          metadata: { finalizers: ["example.com/keep", "example.com/more"] },
        });
        expect(more.status).toBe(422);
        expect(more.json.message).toContain("no new finalizers can be added if the object is being deleted");
        await patch(`${widgets()}/a`, { metadata: { finalizers: null } });
        expect((await get(`${widgets()}/a`)).status).toBe(404);
      });

      test("preconditions are held", async () => {
        const { json: made } = await post(widgets(), widget("a"));
        expect((await remove(`${widgets()}/a`, { preconditions: { uid: "other" } })).status).toBe(409);
        expect((await remove(`${widgets()}/a`, { preconditions: { resourceVersion: "1" } })).status).toBe(409);
        expect((await remove(`${widgets()}/a`, { preconditions: { uid: made.metadata.uid } })).status).toBe(200);
      });

      test("dependents follow their owner", async () => {
        const { json: owner } = await post(widgets(), widget("a"));
        await post(core("configmaps"), configMap("c", {}, ownedBy(owner)));
        await remove(`${widgets()}/a`);
        await gone(`${core("configmaps")}/c`);
      });

      test("a dependent with a second owner stays and forgets the first", async () => {
        const { json: one } = await post(widgets(), widget("a"));
        const { json: two } = await post(widgets(), widget("b"));
        const ownerReferences = [...ownedBy(one).ownerReferences, ...ownedBy(two).ownerReferences];
        await post(core("configmaps"), configMap("c", {}, { ownerReferences }));
        await remove(`${widgets()}/a`);
        await until(async () => (await get(`${core("configmaps")}/c`)).json.metadata.ownerReferences.length === 1);
        expect((await get(`${core("configmaps")}/c`)).json.metadata.ownerReferences[0].name).toBe("b");
      });

      test("an owner that never was takes its dependent along", async () => {
        const owner = {
          apiVersion: `${WIDGET_GROUP}/v1`,
          kind: "Widget",
          metadata: { name: "ghost", uid: "00000000-0000-4000-8000-000000000000" },
        };
        await post(core("configmaps"), configMap("c", {}, ownedBy(owner)));
        await gone(`${core("configmaps")}/c`);
      });

      test("orphans are let go", async () => {
        const { json: owner } = await post(widgets(), widget("a"));
        await post(core("configmaps"), configMap("c", {}, ownedBy(owner)));
        await remove(`${widgets()}/a?propagationPolicy=Orphan`);
        await gone(`${widgets()}/a`);
        expect((await get(`${core("configmaps")}/c`)).json.metadata.ownerReferences).toBeUndefined();
      });

      test("foreground deletion waits for a dependent that blocks", async () => {
        const { json: owner } = await post(widgets(), widget("a"));
        const meta = { ...ownedBy(owner, { blockOwnerDeletion: true }), finalizers: ["example.com/keep"] };
        await post(core("configmaps"), configMap("c", {}, meta));
        const { json } = await remove(`${widgets()}/a`, { propagationPolicy: "Foreground" });
        expect(json.metadata.finalizers).toEqual(["foregroundDeletion"]);
        await until(async () => (await get(`${core("configmaps")}/c`)).json.metadata.deletionTimestamp !== undefined);
        expect((await get(`${widgets()}/a`)).status).toBe(200);
        await patch(`${core("configmaps")}/c`, { metadata: { finalizers: null } });
        await gone(`${widgets()}/a`);
      });

      test("a namespace empties itself and goes", async () => {
        await post(widgets(), widget("a"));
        await post(core("configmaps"), configMap("c"));
        const { json } = await remove(`/api/v1/namespaces/${ns}`);
        expect(json.status.phase).toBe("Terminating");
        await gone(`/api/v1/namespaces/${ns}`);
        expect((await get(`${widgets()}/a`)).status).toBe(404);
      });
    });

    describe("pods", () => {
      const pods = (): string => core("pods");
      const binding = (name: string, node = "n1") => ({
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name },
        target: { apiVersion: "v1", kind: "Node", name: node },
      });

      test("get their defaults", async () => {
        const { json } = await post(
          pods(),
          pod("p", { containers: [{ name: "main", image: "busybox", resources: { limits: { cpu: 1 } } }] }),
        );
        expect(json.spec).toMatchObject({
          restartPolicy: "Always",
          terminationGracePeriodSeconds: 30,
          schedulerName: "default-scheduler",
          serviceAccountName: "default",
          dnsPolicy: "ClusterFirst",
          enableServiceLinks: true,
          preemptionPolicy: "PreemptLowerPriority",
          priority: 0,
        });
        expect(json.spec.containers[0]).toMatchObject({
          imagePullPolicy: "Always",
          resources: { limits: { cpu: "1" }, requests: { cpu: "1" } },
        });
        expect(json.status).toMatchObject({ phase: "Pending" });
        expect(json.metadata.generation).toBe(1);
      });

      test("the quality of service follows requests and limits", async () => {
        const qos = async (name: string, resources: object) =>
          (await post(pods(), pod(name, { containers: [{ name: "main", image: "i:1", resources }] }))).json.status
            .qosClass;
        expect(await qos("a", {})).toBe("BestEffort");
        expect(await qos("b", { requests: { cpu: "1" } })).toBe("Burstable");
        expect(await qos("c", { limits: { cpu: "1", memory: "1Gi" } })).toBe("Guaranteed");
      });

      test("a gated pod says so and is freed gate by gate", async () => {
        const { json } = await post(pods(), pod("p", { schedulingGates: [{ name: "a" }, { name: "b" }] }));
        expect(json.status.conditions).toMatchObject([
          { type: "PodScheduled", status: "False", reason: "SchedulingGated" },
        ]);
        const one = await patch(`${pods()}/p`, { spec: { schedulingGates: [{ name: "b" }] } });
        expect([one.status, one.json.spec.schedulingGates]).toEqual([200, [{ name: "b" }]]);
        expect(one.json.metadata.generation).toBe(2);
        const more = await patch(`${pods()}/p`, { spec: { schedulingGates: [{ name: "b" }, { name: "c" }] } });
        expect(more.status).toBe(422);
        expect(causes(more)).toContain("spec.schedulingGates[1].name");
        const none = await patch(`${pods()}/p`, { spec: { schedulingGates: null } });
        expect([none.status, none.json.spec.schedulingGates]).toEqual([200, undefined]);
      });

      test("the spec does not change, but images and new tolerations may", async () => {
        await post(pods(), pod("p"));
        const renamed = await patch(`${pods()}/p`, {
          spec: { containers: [{ name: "main", image: "busybox:1", command: ["x"] }] },
        });
        expect(renamed.status).toBe(422);
        expect(renamed.json.message).toContain("pod updates may not change fields other than");
        const image = await patch(
          `${pods()}/p`,
          { spec: { containers: [{ name: "main", image: "busybox:2" }] } },
          STRATEGIC,
        );
        expect([image.status, image.json.spec.containers[0].image]).toEqual([200, "busybox:2"]);
        const tolerated = await patch(`${pods()}/p`, {
          spec: { tolerations: [...(image.json.spec.tolerations ?? []), { key: "k", operator: "Exists" }] },
        });
        expect(tolerated.status).toBe(200);
      });

      test("need containers with names and images", async () => {
        expect(causes(await post(pods(), pod("p", { containers: [] })))).toEqual(["spec.containers"]);
        expect(causes(await post(pods(), pod("p", { containers: [{ name: "a" }] })))).toEqual([
          "spec.containers[0].image",
        ]);
      });

      test("are bound once, and not while gated", async () => {
        await post(pods(), pod("p", { schedulingGates: [{ name: "g" }] }));
        const gated = await post(`${pods()}/p/binding`, binding("p"));
        expect([gated.status, gated.json.reason]).toEqual([409, "Conflict"]);
        expect(gated.json.message).toContain("has non-empty .spec.schedulingGates");
        await patch(`${pods()}/p`, { spec: { schedulingGates: null } });
        const bound = await post(`${pods()}/p/binding`, binding("p"));
        expect([bound.status, bound.json.status]).toEqual([201, "Success"]);
        const { json } = await get(`${pods()}/p`);
        expect(json.spec.nodeName).toBe("n1");
        expect(json.status.conditions).toMatchObject([{ type: "PodScheduled", status: "True" }]);
        const again = await post(`${pods()}/p/binding`, binding("p", "n2"));
        expect(again.json.message).toContain('pod p is already assigned to node "n1"');
      });

      test("an unbound pod goes at once, a bound one waits for its node", async () => {
        await post(pods(), pod("a"));
        const now = await remove(`${pods()}/a`);
        expect([now.status, now.json.kind]).toEqual([200, "Pod"]);
        expect((await get(`${pods()}/a`)).status).toBe(404);
        await post(pods(), pod("b", { nodeName: "n1", terminationGracePeriodSeconds: 60 }));
        const { json } = await remove(`${pods()}/b`);
        expect(json.metadata.deletionGracePeriodSeconds).toBe(60);
        const waits = Date.parse(json.metadata.deletionTimestamp) - Date.now();
        expect(waits).toBeGreaterThan(30_000);
        const shorter = await remove(`${pods()}/b?gracePeriodSeconds=10`);
        expect(shorter.json.metadata.deletionGracePeriodSeconds).toBe(10);
        await remove(`${pods()}/b?gracePeriodSeconds=0`);
        expect((await get(`${pods()}/b`)).status).toBe(404);
      });

      test("a finished pod goes at once", async () => {
        await post(pods(), pod("p", { nodeName: "n1" }));
        await patch(`${pods()}/p/status`, { status: { phase: "Succeeded" } });
        await remove(`${pods()}/p`);
        expect((await get(`${pods()}/p`)).status).toBe(404);
      });

      test("are evicted", async () => {
        await post(pods(), pod("p"));
        const { status } = await post(`${pods()}/p/eviction`, {
          apiVersion: "policy/v1",
          kind: "Eviction",
          metadata: { name: "p", namespace: ns },
        });
        expect(status).toBe(201);
        expect((await get(`${pods()}/p`)).status).toBe(404);
      });

      test("status is written apart", async () => {
        const made = await post(pods(), { ...pod("p"), status: { phase: "Running" } });
        expect(made.json.status.phase).toBe("Pending");
        const { json } = await patch(`${pods()}/p/status`, { status: { phase: "Running", podIP: "10.0.0.1" } });
        expect([json.status.phase, json.metadata.generation]).toEqual(["Running", 1]);
        expect((await patch(`${pods()}/p`, { status: { phase: "Failed" } })).json.status.phase).toBe("Running");
      });
    });

    describe("resource claims", () => {
      const requests = [{ name: "gpu", exactly: { deviceClassName: "gpus" } }];
      const complete = [{ name: "gpu", exactly: { deviceClassName: "gpus", allocationMode: "ExactCount", count: 1 } }];
      const claims = (plural = "resourceclaims"): string => `/apis/resource.k8s.io/v1/namespaces/${ns}/${plural}`;
      const object = (kind: string, spec: object) => ({
        apiVersion: "resource.k8s.io/v1",
        kind,
        metadata: { name: "a", labels: { team: "x" } },
        spec,
      });

      test("a claim gets its defaults, and its spec never changes", async () => {
        const made = await post(claims(), object("ResourceClaim", { devices: { requests } }));
        expect([made.status, made.json.spec.devices.requests]).toEqual([201, complete]);
        const changed = await patch(`${claims()}/a`, { spec: { devices: { requests: [] } } });
        expect(changed.status).toBe(422);
        expect(changed.json.message).toMatch(
          /^ResourceClaim\.resource\.k8s\.io "a" is invalid: .*spec: Invalid value: .*field is immutable/,
        );
        const labelled = await patch(`${claims()}/a`, { metadata: { labels: { team: "y" } } });
        expect([labelled.status, labelled.json.metadata.labels.team]).toEqual([200, "y"]);
      });

      test("a template too", async () => {
        const spec = { spec: { devices: { requests } } };
        const path = claims("resourceclaimtemplates");
        const made = await post(path, object("ResourceClaimTemplate", spec));
        expect([made.status, made.json.spec.spec.devices.requests]).toEqual([201, complete]);
        const other = { spec: { devices: { requests: [{ name: "b", exactly: { deviceClassName: "c" } }] } } };
        const changed = await patch(`${path}/a`, { spec: other });
        expect([changed.status, changed.json.message]).toEqual([422, expect.stringContaining("field is immutable")]);
      });
    });

    describe("accounts", () => {
      test("a token Secret is filled", async () => {
        await post(core("secrets"), {
          apiVersion: "v1",
          kind: "Secret",
          type: "kubernetes.io/service-account-token",
          metadata: { name: "t", annotations: { "kubernetes.io/service-account.name": "default" } },
        });
        await until(async () => (await get(`${core("secrets")}/t`)).json.data?.token !== undefined);
        const { json } = await get(`${core("secrets")}/t`);
        expect(Object.keys(json.data).sort()).toEqual(["ca.crt", "namespace", "token"]);
        expect(Buffer.from(json.data.namespace, "base64").toString()).toBe(ns);
        expect(json.metadata.annotations["kubernetes.io/service-account.uid"]).toBeDefined();
      });

      test("a token is issued on request", async () => {
        const body = {
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenRequest",
          spec: { expirationSeconds: 1200 },
        };
        const { status, json } = await post(`${core("serviceaccounts")}/default/token`, body);
        expect([status, json.kind]).toEqual([201, "TokenRequest"]);
        expect(json.status.token.split(".")).toHaveLength(3);
        expect(Date.parse(json.status.expirationTimestamp)).toBeGreaterThan(Date.now() + 1_000_000);
      });

      test("a client learns who it is and what it may", async () => {
        const who = await post("/apis/authentication.k8s.io/v1/selfsubjectreviews", {
          apiVersion: "authentication.k8s.io/v1",
          kind: "SelfSubjectReview",
        });
        expect(who.json.status.userInfo.groups).toContain("system:masters");
        const may = await post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", {
          apiVersion: "authorization.k8s.io/v1",
          kind: "SelfSubjectAccessReview",
          spec: { resourceAttributes: { verb: "list", resource: "pods", namespace: ns } },
        });
        expect([may.status, may.json.status.allowed]).toEqual([201, true]);
      });
    });

    describe("tables", () => {
      const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

      test("custom columns, with their priority and filters", async () => {
        await post(
          widgets(),
          widget("a", { replicas: 3, parts: [{ name: "p" }, { name: "q" }] }, { labels: { "example.com/team": "x" } }),
        );
        await patch(`${widgets()}/a/status`, { status: { conditions: [{ type: "Ready", status: "True" }] } });
        const { json } = await get(widgets(), TABLE);
        expect(json.kind).toBe("Table");
        expect(json.columnDefinitions.map((c: Any) => [c.name, c.type, c.priority])).toEqual([
          ["Name", "string", 0],
          ["Replicas", "integer", 0],
          ["Ready", "string", 0],
          ["Parts", "string", 1],
          ["Team", "string", 1],
          ["Age", "date", 0],
        ]);
        const [row] = json.rows;
        expect(row.cells.slice(0, 3)).toEqual(["a", 3, "True"]);
        expect(row.cells[4]).toBe("x");
        expect(row.cells[5]).toMatch(/^\d+s$/);
        expect(row.object).toMatchObject({ kind: "PartialObjectMetadata", metadata: { name: "a" } });
      });

      test("one object, with the whole object in its row", async () => {
        await post(widgets(), widget("a"));
        const { json } = await get(`${widgets()}/a?includeObject=Object`, TABLE);
        expect(json.rows).toHaveLength(1);
        expect(json.rows[0].object.spec.model).toBe("m");
        expect((await get(`${widgets()}?includeObject=None`, TABLE)).json.rows[0].object ?? null).toBeNull();
      });

      test("missing values are null; a kind without columns has name and age", async () => {
        await post(widgets(), widget("a"));
        expect((await get(widgets(), TABLE)).json.rows[0].cells[2]).toBeNull();
        await post(`/apis/${GADGET_GROUP}/v1/namespaces/${ns}/gadgets`, {
          apiVersion: `${GADGET_GROUP}/v1`,
          kind: "Gadget",
          metadata: { name: "g" },
        });
        const { json } = await get(`/apis/${GADGET_GROUP}/v1/namespaces/${ns}/gadgets`, TABLE);
        expect(json.columnDefinitions.map((c: Any) => c.name)).toEqual(["Name", "Age"]);
      });

      test("pods", async () => {
        await post(core("pods"), pod("p"));
        await post(core("pods"), pod("q", { schedulingGates: [{ name: "g" }] }));
        await post(core("pods"), pod("r", { nodeName: "n1" }));
        const containerStatuses = [
          { name: "main", ready: true, restartCount: 2, image: "i", imageID: "i", state: { running: {} } },
        ];
        await patch(`${core("pods")}/r/status`, {
          status: { phase: "Running", podIP: "10.0.0.7", podIPs: [{ ip: "10.0.0.7" }], containerStatuses },
        });
        const { json } = await get(core("pods"), TABLE);
        expect(json.columnDefinitions.map((c: Any) => c.name)).toEqual([
          "Name",
          "Ready",
          "Status",
          "Restarts",
          "Age",
          "IP",
          "Node",
          "Nominated Node",
          "Readiness Gates",
        ]);
        const cells = json.rows.map((row: Any) =>
          row.cells.map((cell: unknown) => String(cell)).filter((_: unknown, i: number) => i !== 4),
        );
        expect(cells).toEqual([
          ["p", "0/1", "Pending", "0", "<none>", "<none>", "<none>", "<none>"],
          ["q", "0/1", "SchedulingGated", "0", "<none>", "<none>", "<none>", "<none>"],
          ["r", "1/1", "Running", "2", "10.0.0.7", "n1", "<none>", "<none>"],
        ]);
        await remove(`${core("pods")}/r`);
        const after = await get(core("pods"), TABLE);
        expect(after.json.rows.find((row: Any) => row.cells[0] === "r").cells[2]).toBe("Terminating");
      });

      test.each([
        { path: "/api/v1/namespaces", columns: ["Name", "Status", "Age"] },
        {
          path: "/api/v1/nodes",
          columns: [
            "Name",
            "Status",
            "Roles",
            "Age",
            "Version",
            "Internal-IP",
            "External-IP",
            "OS-Image",
            "Kernel-Version",
            "Container-Runtime",
          ],
        },
        {
          path: "/api/v1/services",
          columns: ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "Selector"],
        },
        { path: "/api/v1/secrets", columns: ["Name", "Type", "Data", "Age"] },
        { path: "/api/v1/configmaps", columns: ["Name", "Data", "Age"] },
        {
          path: "/api/v1/events",
          columns: [
            "Last Seen",
            "Type",
            "Reason",
            "Object",
            "Subobject",
            "Source",
            "Message",
            "First Seen",
            "Count",
            "Name",
          ],
        },
        {
          path: "/apis/autoscaling/v2/horizontalpodautoscalers",
          columns: ["Name", "Reference", "Targets", "MinPods", "MaxPods", "Replicas", "Age"],
        },
        { path: "/apis/coordination.k8s.io/v1/leases", columns: ["Name", "Holder", "Age"] },
      ])("columns of $path", async ({ path, columns }) => {
        const { json } = await get(path, TABLE);
        expect(json.columnDefinitions.map((c: Any) => c.name)).toEqual(columns);
      });
    });

    describe("discovery", () => {
      test("resources of a group version", async () => {
        const { json } = await get(`/apis/${WIDGET_GROUP}/v1`);
        expect(json).toMatchObject({ kind: "APIResourceList", groupVersion: `${WIDGET_GROUP}/v1` });
        const byName = Object.fromEntries(json.resources.map((r: Any) => [r.name, r]));
        expect(byName["widgets"]).toMatchObject({
          kind: "Widget",
          namespaced: true,
          singularName: "widget",
          shortNames: ["wd"],
          categories: ["all"],
        });
        expect([...byName["widgets"].verbs].sort()).toEqual([
          "create",
          "delete",
          "deletecollection",
          "get",
          "list",
          "patch",
          "update",
          "watch",
        ]);
        expect(byName["widgets/status"].verbs.toSorted()).toEqual(["get", "patch", "update"]);
        expect(byName["widgets/scale"]).toMatchObject({ group: "autoscaling", version: "v1", kind: "Scale" });
      });

      test("groups, plain and aggregated", async () => {
        const { json } = await get("/apis");
        const group = json.groups.find((g: Any) => g.name === WIDGET_GROUP);
        expect(group.preferredVersion).toEqual({ groupVersion: `${WIDGET_GROUP}/v1`, version: "v1" });
        const accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
        await until(async () =>
          (await get("/apis", accept)).json.items.some((item: Any) => item.metadata.name === WIDGET_GROUP),
        );
        const all = await get("/apis", accept);
        expect(all.json).toMatchObject({ kind: "APIGroupDiscoveryList", apiVersion: "apidiscovery.k8s.io/v2" });
        const version = all.json.items.find((item: Any) => item.metadata.name === WIDGET_GROUP).versions[0];
        const resource = version.resources.find((r: Any) => r.resource === "widgets");
        expect(resource).toMatchObject({
          scope: "Namespaced",
          singularResource: "widget",
          responseKind: { kind: "Widget" },
        });
        expect(resource.subresources.map((s: Any) => s.subresource).sort()).toEqual(["scale", "status"]);
        const coreGroup = await get("/api", accept);
        expect(coreGroup.json.items[0].versions[0].resources.map((r: Any) => r.resource)).toEqual(
          expect.arrayContaining(["pods", "nodes", "events"]),
        );
      });

      test("health and version", async () => {
        for (const path of ["/healthz", "/readyz", "/livez"]) expect((await get(path)).text).toBe("ok");
        expect((await get("/version")).json).toMatchObject({ major: "1" });
      });

      test("OpenAPI describes the custom kind", async () => {
        await until(async () => (await get("/openapi/v3")).json.paths[`apis/${WIDGET_GROUP}/v1`] !== undefined);
        const { json: index } = await get("/openapi/v3");
        const { json } = await get(index.paths[`apis/${WIDGET_GROUP}/v1`].serverRelativeURL);
        const schema: Any = Object.values(json.components.schemas).find((s: Any) =>
          s["x-kubernetes-group-version-kind"]?.some((g: Any) => g.kind === "Widget"),
        );
        expect(schema.properties.spec.properties.model.type).toBe("string");
      });
    });
  });
}
