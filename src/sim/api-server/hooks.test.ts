import { request } from "undici";
import { describe, expect, test } from "vitest";
import {
  CONFIG_MAPS,
  type ConfigMap,
  CUSTOM_RESOURCE_DEFINITIONS,
  type CustomResourceDefinition,
  PODS,
} from "../../api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../../api/kubernetes/meta.ts";
import { VirtualClock, wallClock } from "../../clock.ts";
import { ApiError } from "../../kube/api-error.ts";
import { seededRandom } from "../../random.ts";
import { type ApiServerOptions, createApiServer } from "./api-server.ts";

const server = (options: Partial<ApiServerOptions> = {}) =>
  createApiServer({ clock: new VirtualClock(), random: seededRandom(3), ...options });
const configMap = (name: string): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
});
const key = { namespace: "default", name: "a" };

describe("hooks", () => {
  test("admission changes, warns and refuses", async () => {
    const seen: string[] = [];
    const { api } = server({
      admit: ({ operation, resource, object, userInfo }) => {
        if (resource.kind !== "ConfigMap") return {};
        seen.push(`${operation} ${object.metadata.name} ${userInfo.username}`);
        if (object.metadata.name === "bad") return { errors: [{ field: "metadata.name", message: "is bad" }] };
        return { object: { ...object, data: { admitted: "yes" } } };
      },
    });
    expect((await api.create(CONFIG_MAPS, configMap("a"))).data).toEqual({ admitted: "yes" });
    await expect(api.create(CONFIG_MAPS, configMap("bad"))).rejects.toMatchObject({
      code: 422,
      causes: [{ field: "metadata.name" }],
    });
    await api.delete(CONFIG_MAPS, key);
    expect(seen).toEqual(["CREATE a grove-autoscaler", "CREATE bad grove-autoscaler", "DELETE a grove-autoscaler"]);
  });

  test("authorize speaks for named users, also over HTTP", async () => {
    const embedded = server({
      clock: wallClock(),
      authorize: ({ username }, verb) => username !== "reader" || verb === "get",
    });
    await embedded.api.create(CONFIG_MAPS, configMap("a"));
    const reader = embedded.apiAs({ username: "reader" });
    expect((await reader.get(CONFIG_MAPS, key)).metadata.name).toBe("a");
    await expect(reader.delete(CONFIG_MAPS, key)).rejects.toMatchObject({ code: 403, reason: "Forbidden" });
    const { url } = await embedded.listen({ tokens: [{ token: "t", user: "reader" }] });
    const ask = async (method: "GET" | "DELETE", token: string): Promise<number> => {
      const answer = await request(`${url}/api/v1/namespaces/default/configmaps/a`, {
        method,
        headers: { authorization: `Bearer ${token}` },
      });
      await answer.body.dump();
      return answer.statusCode;
    };
    expect([await ask("GET", "t"), await ask("DELETE", "t"), await ask("GET", "other")]).toEqual([200, 403, 401]);
    await embedded.stop();
  });

  test("a fault refuses a write before anything happens", async () => {
    let faults = 1;
    const { api } = server({
      rejectionFault: ({ verb }) =>
        verb === "update" && faults-- > 0 ? new ApiError(409, "Conflict", "injected") : undefined,
    });
    const made = await api.create(CONFIG_MAPS, configMap("a"));
    await expect(api.update(CONFIG_MAPS, { ...made, data: { a: "b" } })).rejects.toThrow("injected");
    expect((await api.update(CONFIG_MAPS, { ...made, data: { a: "b" } })).data).toEqual({ a: "b" });
  });

  test("disconnected watches end, a compacted version is told as 410 on the stream", async () => {
    const embedded = server({ clock: wallClock() });
    const { resourceVersion } = await embedded.api.list(PODS);
    const watching = embedded.api
      .watch(PODS, { resourceVersion, signal: new AbortController().signal })
      [Symbol.asyncIterator]();
    const next = watching.next();
    await Promise.resolve();
    embedded.disconnectWatches();
    expect((await next).done).toBe(true);
    await embedded.api.create(CONFIG_MAPS, configMap("a"));
    embedded.compact();
    const { url } = await embedded.listen();
    const answer = await request(`${url}/api/v1/pods?watch=1&resourceVersion=${resourceVersion}`);
    expect(answer.statusCode).toBe(200);
    expect(JSON.parse(await answer.body.text())).toMatchObject({
      type: "ERROR",
      object: { code: 410, reason: "Expired" },
    });
    await embedded.stop();
  });
});

describe("custom kinds", () => {
  const SCHEMA = { type: "object", properties: { spec: { type: "object", properties: { a: { type: "string" } } } } };
  const crd = (versions: CustomResourceDefinition["spec"]["versions"]): CustomResourceDefinition => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "things.example.com" },
    spec: { group: "example.com", scope: "Cluster", names: { kind: "Thing", plural: "things" }, versions },
  });
  const things = (version: string): Resource => ({
    group: "example.com",
    version,
    kind: "Thing",
    plural: "things",
    namespaced: false,
  });
  const version = (name: string, storage: boolean) => ({
    name,
    served: true,
    storage,
    schema: { openAPIV3Schema: SCHEMA },
  });

  test("versions show one object, each under its own name", async () => {
    const embedded = server();
    await embedded.installCustomResources([crd([version("v1", true), version("v1beta1", false)])]);
    const thing = {
      apiVersion: "example.com/v1beta1",
      kind: "Thing",
      metadata: { name: "t" },
      spec: { a: "x" },
    } as KubeObject;
    await embedded.api.create(things("v1beta1"), thing);
    expect((await embedded.api.get(things("v1"), { name: "t" })).apiVersion).toBe("example.com/v1");
    expect((await embedded.api.list(things("v1beta1"))).items[0]?.apiVersion).toBe("example.com/v1beta1");
  });

  test("a definition that goes takes its objects along and is served no more", async () => {
    const embedded = server();
    await embedded.installCustomResources([crd([version("v1", true)])]);
    await embedded.api.create(things("v1"), { apiVersion: "example.com/v1", kind: "Thing", metadata: { name: "t" } });
    await embedded.api.delete(CUSTOM_RESOURCE_DEFINITIONS, { name: "things.example.com" });
    await expect(embedded.api.list(things("v1"))).rejects.toMatchObject({ code: 404 });
    await embedded.installCustomResources([crd([version("v1", true)])]);
    expect((await embedded.api.list(things("v1"))).items).toEqual([]);
  });
});
