import { expect, test } from "vitest";
import { CONFIG_MAPS, type ConfigMap } from "../../api/kubernetes/core.ts";
import { VirtualClock } from "../../clock.ts";
import { Indexer } from "../../kube/indexer.ts";
import type { Change, Informer } from "../../kube/informer.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { createStore } from "./store.ts";

const indexes = { team: ({ metadata }: ConfigMap) => [metadata.labels?.["team"] ?? ""] };
const object = (resourceVersion: string, value: string, uid = "u"): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "x", namespace: "ns", uid, resourceVersion, labels: { team: "a" } },
  data: { value },
});

/** A store whose cache the test fills by hand, as late as it likes, and whose server answers with `answer`. */
function setUp(answer: ConfigMap) {
  const clock = new VirtualClock();
  const cache = new Indexer<ConfigMap>(indexes);
  const listeners: ((change: Change<ConfigMap>) => void)[] = [];
  const informer = {
    resource: CONFIG_MAPS,
    synced: Promise.resolve(),
    getByKey: (key: string) => cache.get(key),
    list: () => cache.values(),
    byIndex: (index: string, value: string) => cache.byIndex(index, value),
    onChange: (listener: (change: Change<ConfigMap>) => void) => listeners.push(listener),
  } as unknown as Informer<ConfigMap>;
  const api = {
    create: async () => answer,
    patch: async () => answer,
    delete: async () => undefined,
  } as unknown as KubeApi;
  const store = createStore({ api, clock, resource: CONFIG_MAPS, informers: [informer], indexes });
  const event = (after: ConfigMap | undefined): void => {
    const before = after === undefined ? cache.delete("ns/x") : cache.put(after);
    for (const listener of listeners) listener({ ...(before && { before }), ...(after && { after }) });
  };
  const value = (): string | undefined => store.get("ns", "x")?.data?.["value"];
  return { clock, store, event, value };
}

test("what was created is there at once, everywhere, and once", async () => {
  const { store, event } = setUp(object("5", "new"));
  await store.create(object("", "new"));
  expect([store.get("ns", "x")?.data, store.list().length, store.byIndex("team", "a").length]).toEqual([
    { value: "new" },
    1,
    1,
  ]);
  event(object("5", "new"));
  expect([store.list().length, store.byIndex("team", "a").length]).toEqual([1, 1]);
  event(undefined);
  expect(store.list()).toEqual([]);
});

test("an older event does not bring back what we have changed since", async () => {
  const { store, event, value } = setUp(object("7", "patched"));
  event(object("5", "created"));
  await store.patch(object("5", "created"), { data: { value: "patched" } });
  expect(value()).toBe("patched");
  event(object("6", "between"));
  expect(value()).toBe("patched");
  event(object("8", "later"));
  expect(value()).toBe("later");
});

test("what was deleted counts as terminating until it is gone; its successor does not", async () => {
  const { store, event } = setUp(object("5", "x"));
  event(object("5", "x"));
  await store.delete(object("5", "x"));
  expect(store.get("ns", "x")?.metadata.deletionTimestamp).toBeDefined();
  event(undefined);
  expect(store.get("ns", "x")).toBeUndefined();
  event(object("9", "x", "another"));
  expect(store.get("ns", "x")?.metadata.deletionTimestamp).toBeUndefined();
});

test("a patch of what is gone does not bring it back", async () => {
  const { store, event } = setUp(object("7", "patched"));
  event(object("5", "created"));
  event(undefined);
  await store.patch(object("5", "created"), {});
  expect([store.get("ns", "x"), store.list()]).toEqual([undefined, []]);
});

test("a creation that no event ever confirms is forgotten", async () => {
  const { clock, store } = setUp(object("5", "x"));
  await store.create(object("", "x"));
  await clock.advance(60_000);
  expect(store.list()).toEqual([]);
});
