import { expect, test, vi } from "vitest";
import { CONFIG_MAPS, type ConfigMap } from "../../api/kubernetes/core.ts";
import { VirtualClock } from "../../clock.ts";
import type { Change, Informer } from "../../kube/informer.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { onDemand } from "./on-demand.ts";
import { createStore } from "./store.ts";

test("nothing is followed before somebody asks; listeners from before hear all", async () => {
  const listeners: ((change: Change<ConfigMap>) => void)[] = [];
  const informer = {
    resource: CONFIG_MAPS,
    synced: Promise.resolve(),
    hasSynced: () => true,
    failure: () => undefined,
    getByKey: () => undefined,
    list: () => [],
    byIndex: () => [],
    onChange: (listener: (change: Change<ConfigMap>) => void) => listeners.push(listener),
  } as unknown as Informer<ConfigMap>;
  const start = vi.fn(() =>
    createStore({
      api: {} as KubeApi,
      clock: new VirtualClock(),
      resource: CONFIG_MAPS,
      informers: [informer],
      indexes: {},
    }),
  );
  const store = onDemand(start);
  const seen: string[] = [];
  store.onChange(({ after }) => seen.push(after?.metadata.name ?? ""));
  expect(start).not.toHaveBeenCalled();

  expect([store.list(), store.get("ns", "a"), store.hasSynced(), store.failure()]).toEqual([
    [],
    undefined,
    true,
    undefined,
  ]);
  await store.synced;
  expect(start).toHaveBeenCalledTimes(1);
  for (const listener of listeners) {
    listener({ after: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", namespace: "ns" } } });
  }
  expect(seen).toEqual(["a"]);
});
