import { expect, test } from "vitest";
import { CONFIG_MAPS, NAMESPACES } from "../api/kubernetes/core.ts";
import { keyOf } from "../api/kubernetes/meta.ts";
import { VirtualClock } from "../clock.ts";
import { seededRandom } from "../random.ts";
import { createApiServer } from "../sim/api-server/api-server.ts";
import { startInformer } from "./informer.ts";
import { mergeInformers } from "./merged-informer.ts";

test("several namespaces read as one, and no other is seen", async () => {
  const clock = new VirtualClock();
  const random = seededRandom(1);
  const { api } = createApiServer({ clock, random });
  const abort = new AbortController();
  const put = (namespace: string, name: string, team: string) =>
    api.create(CONFIG_MAPS, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace, name, labels: { team } },
      data: {},
    });
  for (const name of ["a", "b", "c"]) {
    await api.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name } });
    await put(name, "one", "x");
  }
  const merged = mergeInformers(
    ["a", "b"].map((namespace) =>
      startInformer({
        api,
        clock,
        random,
        signal: abort.signal,
        resource: CONFIG_MAPS,
        scope: { namespace, labelSelector: "team" },
        indexes: { team: ({ metadata }) => [metadata.labels?.["team"] ?? ""] },
      }),
    ),
  );
  const changed: string[] = [];
  merged.onChange(({ after }) => {
    if (after !== undefined) changed.push(keyOf(after));
  });
  expect(merged.hasSynced()).toBe(false);
  await clock.advance(1_000);
  await merged.synced;
  expect(merged.hasSynced()).toBe(true);
  expect(merged.list().map(keyOf).sort()).toEqual(["a/one", "b/one"]);
  await Promise.all([put("b", "two", "x"), put("c", "two", "x")]);
  await clock.advance(1_000);
  expect(changed.sort()).toEqual(["a/one", "b/one", "b/two"]);
  expect(merged.byIndex("team", "x")).toHaveLength(3);
  expect(merged.get("b", "two")?.metadata.name).toBe("two");
  expect(merged.get("c", "two")).toBeUndefined();
  expect(merged.getByKey("a/one")?.metadata.namespace).toBe("a");
  abort.abort();
});

test("no informer is a mistake of the caller", () => {
  expect(() => mergeInformers([])).toThrow(TypeError);
});
