import { beforeEach, describe, expect, test } from "vitest";
import {
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  type CustomResourceDefinition,
  NAMESPACES,
  PODS,
  type Pod,
  SECRETS,
  SERVICE_ACCOUNTS,
} from "../../api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../../api/kubernetes/meta.ts";
import { VirtualClock } from "../../clock.ts";
import { ApiError, isConflict, isGone, isNotFound } from "../../kube/api-error.ts";
import { seededRandom } from "../../random.ts";
import { type ApiServer, createApiServer } from "./api-server.ts";

interface Widget extends KubeObject {
  readonly spec?: { readonly [field: string]: unknown };
  readonly status?: { readonly [field: string]: unknown };
}

const WIDGETS: Resource<Widget> = {
  group: "example.com",
  version: "v1",
  kind: "Widget",
  plural: "widgets",
  namespaced: true,
};

const WIDGET_CRD: CustomResourceDefinition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.example.com" },
  spec: {
    group: "example.com",
    scope: "Namespaced",
    names: { kind: "Widget", plural: "widgets", shortNames: ["wd"] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: {
          status: {},
          scale: {
            specReplicasPath: ".spec.replicas",
            statusReplicasPath: ".status.replicas",
            labelSelectorPath: ".status.selector",
          },
        },
        schema: {
          openAPIV3Schema: {
            type: "object",
            properties: {
              spec: {
                type: "object",
                required: ["name"],
                properties: {
                  name: { type: "string", minLength: 1 },
                  replicas: { type: "integer", format: "int32", minimum: 0, default: 1 },
                  size: { type: "string", enum: ["S", "M"] },
                  parts: {
                    type: "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                    items: {
                      type: "object",
                      required: ["name"],
                      properties: { name: { type: "string" }, count: { type: "integer" } },
                    },
                  },
                },
                "x-kubernetes-validations": [
                  { rule: "self.replicas <= 10", message: "at most ten" },
                  { rule: "self.name == oldSelf.name", message: "name is immutable", fieldPath: ".name" },
                ],
              },
              status: { type: "object", properties: { replicas: { type: "integer" }, selector: { type: "string" } } },
            },
          },
        },
      },
    ],
  },
};

const pod = (name: string, spec: Partial<Pod["spec"]> = {}): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: { containers: [{ name: "main", image: "busybox" }], ...spec },
});
const widget = (name: string, spec: Widget["spec"] = { name: "w" }): Widget => ({
  apiVersion: "example.com/v1",
  kind: "Widget",
  metadata: { name, namespace: "default" },
  spec: { ...spec },
});
const key = (name: string) => ({ namespace: "default", name });

describe("the embedded API server, called directly", () => {
  let clock: VirtualClock;
  let server: ApiServer;
  beforeEach(async () => {
    clock = new VirtualClock();
    server = createApiServer({ clock, random: seededRandom(1) });
    await server.installCustomResources([WIDGET_CRD]);
    await clock.settle();
  });
  const refusal = async (work: Promise<unknown>): Promise<ApiError> => {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(ApiError);
    return error as ApiError;
  };

  test("a definition is established and its kind defaults, prunes and counts generations", async () => {
    const crd = await server.api.get(CUSTOM_RESOURCE_DEFINITIONS, { name: "widgets.example.com" });
    expect(crd.status?.conditions?.map(({ type }) => type)).toEqual(["NamesAccepted", "Established"]);
    const made = await server.api.create(WIDGETS, widget("a", { name: "w", junk: 1 }));
    expect(made.spec).toEqual({ name: "w", replicas: 1 });
    expect(made.metadata.generation).toBe(1);
    const next = await server.api.patch(WIDGETS, key("a"), { spec: { replicas: 2 } }, { type: "merge" });
    expect(next.metadata.generation).toBe(2);
    const same = await server.api.patch(WIDGETS, key("a"), { spec: { replicas: 2 } }, { type: "merge" });
    expect(same.metadata.resourceVersion).toBe(next.metadata.resourceVersion);
    const status = await server.api.update(
      WIDGETS,
      { ...next, spec: { name: "x" }, status: { replicas: 2 } },
      { subresource: "status" },
    );
    expect(status.spec).toEqual({ name: "w", replicas: 2 });
    expect(status.metadata.generation).toBe(2);
  });

  test("schema and rules refuse with the field", async () => {
    const error = await refusal(server.api.create(WIDGETS, widget("a", { replicas: -1, size: "L" })));
    expect(error.code).toBe(422);
    expect(error.causes.map(({ field }) => field).sort()).toEqual([
      ".spec.replicas",
      "<nil>",
      "spec.name",
      "spec.replicas",
      "spec.size",
    ]);
    expect((await refusal(server.api.create(WIDGETS, widget("a", { name: "w", replicas: 11 })))).message).toContain(
      "at most ten",
    );
    await server.api.create(WIDGETS, widget("a"));
    const moved = await refusal(server.api.patch(WIDGETS, key("a"), { spec: { name: "y" } }, { type: "merge" }));
    expect(moved.causes).toMatchObject([{ field: "spec.name" }]);
  });

  test("a stale resourceVersion conflicts", async () => {
    const made = await server.api.create(WIDGETS, widget("a"));
    await server.api.setScale(WIDGETS, key("a"), 3);
    await expect(server.api.update(WIDGETS, made)).rejects.toSatisfy(isConflict);
    await expect(
      server.api.setScale(WIDGETS, key("a"), 4, { resourceVersion: made.metadata.resourceVersion! }),
    ).rejects.toSatisfy(isConflict);
    expect((await server.api.getScale(WIDGETS, key("a"))).spec.replicas).toBe(3);
  });

  test("apply owns, conflicts, forces and removes", async () => {
    const apply = (body: object, fieldManager: string, force = false) =>
      server.api.patch(
        WIDGETS,
        key("a"),
        { apiVersion: "example.com/v1", kind: "Widget", ...body },
        { type: "apply", fieldManager, force },
      );
    await apply({ spec: { name: "w", size: "S", parts: [{ name: "p", count: 1 }] } }, "one");
    await apply({ spec: { parts: [{ name: "q", count: 2 }] } }, "two");
    const error = await refusal(apply({ spec: { size: "M" } }, "two"));
    expect(error.causes).toEqual([
      { reason: "FieldManagerConflict", message: 'conflict with "one"', field: ".spec.size" },
    ]);
    await apply({ spec: { size: "M", parts: [{ name: "q", count: 2 }] } }, "two", true);
    const last = await apply({ spec: { name: "w" } }, "one");
    expect(last.spec).toEqual({ name: "w", replicas: 1, size: "M", parts: [{ name: "q", count: 2 }] });
  });

  test("owners take their dependents along, also those made too late", async () => {
    const owner = await server.api.create(WIDGETS, widget("owner"));
    const owned = {
      ownerReferences: [{ apiVersion: "example.com/v1", kind: "Widget", name: "owner", uid: owner.metadata.uid! }],
    };
    await server.api.create(PODS, { ...pod("p"), metadata: { ...pod("p").metadata, ...owned } });
    await server.api.delete(WIDGETS, key("owner"));
    await clock.settle();
    await expect(server.api.get(PODS, key("p"))).rejects.toSatisfy(isNotFound);
    await server.api.create(PODS, { ...pod("late"), metadata: { ...pod("late").metadata, ...owned } });
    await clock.settle();
    await expect(server.api.get(PODS, key("late"))).rejects.toSatisfy(isNotFound);
  });

  test("foreground deletion waits for blocking dependents", async () => {
    const owner = await server.api.create(WIDGETS, widget("owner"));
    const ownerReferences = [
      {
        apiVersion: "example.com/v1",
        kind: "Widget",
        name: "owner",
        uid: owner.metadata.uid!,
        blockOwnerDeletion: true,
      },
    ];
    const made = { ...pod("p", { nodeName: "n" }), metadata: { ...pod("p").metadata, ownerReferences } };
    await server.api.create(PODS, made);
    await server.api.delete(WIDGETS, key("owner"), { propagationPolicy: "Foreground" });
    await clock.settle();
    expect((await server.api.get(WIDGETS, key("owner"))).metadata.finalizers).toEqual(["foregroundDeletion"]);
    expect((await server.api.get(PODS, key("p"))).metadata.deletionGracePeriodSeconds).toBe(30);
    await server.api.delete(PODS, key("p"), { gracePeriodSeconds: 0 });
    await clock.settle();
    await expect(server.api.get(WIDGETS, key("owner"))).rejects.toSatisfy(isNotFound);
  });

  test("a gated pod says so, is not bound, and is freed by removing the gate", async () => {
    const gated = await server.api.create(PODS, pod("p", { schedulingGates: [{ name: "g" }] }));
    expect(gated.status?.conditions?.[0]?.reason).toBe("SchedulingGated");
    const binding = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "p" },
      target: { kind: "Node", name: "n" },
    } as KubeObject;
    await expect(server.api.createSubresource(PODS, key("p"), "binding", binding)).rejects.toSatisfy(isConflict);
    await server.api.patch(PODS, key("p"), { spec: { schedulingGates: null } }, { type: "merge" });
    await server.api.createSubresource(PODS, key("p"), "binding", binding);
    const bound = await server.api.get(PODS, key("p"));
    expect(bound.spec.nodeName).toBe("n");
    expect(bound.status?.conditions).toMatchObject([{ type: "PodScheduled", status: "True" }]);
    const more = await refusal(
      server.api.patch(PODS, key("p"), { spec: { schedulingGates: [{ name: "h" }] } }, { type: "merge" }),
    );
    expect(more.code).toBe(422);
  });

  test("a namespace has a default account and takes everything along when it goes", async () => {
    await server.api.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } });
    await clock.settle();
    await server.api.get(SERVICE_ACCOUNTS, { namespace: "n", name: "default" });
    await server.api.create(SECRETS, {
      apiVersion: "v1",
      kind: "Secret",
      type: "kubernetes.io/service-account-token",
      metadata: { name: "t", namespace: "n", annotations: { "kubernetes.io/service-account.name": "default" } },
    });
    await clock.settle();
    expect(Object.keys((await server.api.get(SECRETS, { namespace: "n", name: "t" })).data ?? {}).sort()).toEqual([
      "ca.crt",
      "namespace",
      "token",
    ]);
    await server.api.delete(NAMESPACES, { name: "n" });
    await clock.settle();
    await expect(server.api.get(NAMESPACES, { name: "n" })).rejects.toSatisfy(isNotFound);
    await expect(
      server.api.create(CONFIG_MAPS, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c", namespace: "n" } }),
    ).rejects.toSatisfy(isNotFound);
  });

  test("watches follow selections, survive in order, and end with 410 after compaction", async () => {
    const { resourceVersion } = await server.api.list(PODS);
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { type, object } of server.api.watch(PODS, {
        resourceVersion,
        labelSelector: "app=x",
        signal: stop.signal,
      })) {
        seen.push(`${type} ${object.metadata.name}`);
      }
    })();
    await server.api.create(PODS, pod("p"));
    await server.api.patch(PODS, key("p"), { metadata: { labels: { app: "x" } } }, { type: "merge" });
    await server.api.patch(PODS, key("p"), { metadata: { annotations: { a: "b" } } }, { type: "merge" });
    await server.api.patch(PODS, key("p"), { metadata: { labels: { app: "y" } } }, { type: "merge" });
    await clock.settle();
    stop.abort();
    await watching;
    expect(seen).toEqual(["ADDED p", "MODIFIED p", "DELETED p"]);
    server.compact();
    const next = server.api
      .watch(PODS, { resourceVersion, signal: new AbortController().signal })
      [Symbol.asyncIterator]()
      .next();
    await expect(next).rejects.toSatisfy(isGone);
  });

  test("the same seed gives the same server", async () => {
    const run = async (): Promise<unknown> => {
      const other = createApiServer({ clock: new VirtualClock(), random: seededRandom(7) });
      const made = await other.api.create(PODS, {
        ...pod(""),
        metadata: { namespace: "default", name: "", generateName: "p-" },
      });
      return made;
    };
    expect(await run()).toEqual(await run());
  });
});
