import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CONFIG_MAPS, type ConfigMap } from "../api/kubernetes/core.ts";
import { type KubeObject, keyOf } from "../api/kubernetes/meta.ts";
import { VirtualClock } from "../clock.ts";
import { type Random, seededRandom } from "../random.ts";
import { createApiServer } from "../sim/api-server/api-server.ts";
import { ApiError } from "./api-error.ts";
import { type Change, type Informer, startInformer } from "./informer.ts";
import type { KubeApi, WatchEvent } from "./kube-api.ts";

const NAMESPACE = "default";

const configMap = (name: string, value: string): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: NAMESPACE, name },
  data: { value },
});

/** Small pages, answers that take their time, and answers that never come. */
function troubled(api: KubeApi, clock: VirtualClock, random: Random, isTroubled: () => boolean): KubeApi {
  return {
    ...api,
    async list(resource, options) {
      if (isTroubled()) await clock.sleep(random.next() * 3_000);
      const page = await api.list(resource, { ...options, limit: 2 });
      if (isTroubled()) await clock.sleep(random.next() * 3_000);
      if (isTroubled() && random.next() < 0.2) throw new Error("connection reset");
      return page;
    },
    async *watch(resource, options) {
      for await (const event of api.watch(resource, options)) {
        if (isTroubled()) await clock.sleep(random.next() * 1_500);
        yield event;
        if (isTroubled() && random.next() < 0.1) throw new Error("connection reset");
      }
    },
  };
}

const OPERATIONS = ["create", "update", "update", "replace", "delete", "disconnect", "compact"] as const;
const operation = fc.record({
  kind: fc.constantFrom(...OPERATIONS),
  name: fc.constantFrom("a", "b", "c", "d", "e"),
  // Much happens at once: only then is history lost before it was seen.
  waitMs: fc.oneof(
    { weight: 2, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 4_000 }) },
  ),
  observed: fc.boolean(),
});

describe("informer", () => {
  test("whatever happens to lists and watches, the cache ends as the server is, and its changes tell the whole story", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60, size: "max" }), fc.integer(), async (operations, seed) => {
        const clock = new VirtualClock();
        const random = seededRandom(seed);
        const server = createApiServer({ clock, random });
        const stop = new AbortController();
        let isTroubled = true;
        const informer = startInformer({
          api: troubled(server.api, clock, random, () => isTroubled),
          clock,
          random,
          signal: stop.signal,
          resource: CONFIG_MAPS,
          scope: { namespace: NAMESPACE },
          indexes: { value: ({ data }) => [data?.["value"] ?? ""] },
        });
        const told = new Map<string, ConfigMap>();
        informer.onChange((change) => follow(told, change));

        for (const [step, { kind, name, waitMs, observed }] of operations.entries()) {
          await clock.advance(waitMs);
          const key = { namespace: NAMESPACE, name };
          try {
            if (kind === "create") await server.api.create(CONFIG_MAPS, configMap(name, `v${step % 3}`));
            if (kind === "update") {
              const data = { value: `v${step % 3}`, step: String(step) };
              const written = await server.api.patch(CONFIG_MAPS, key, { data }, { type: "merge" });
              if (observed) informer.observeWrite(written);
            }
            if (kind === "delete" || kind === "replace") await server.api.delete(CONFIG_MAPS, key);
            if (kind === "replace") await server.api.create(CONFIG_MAPS, configMap(name, "new"));
          } catch (error) {
            if (!(error instanceof ApiError && [404, 409].includes(error.code))) throw error;
          }
          if (kind === "disconnect") server.disconnectWatches();
          if (kind === "compact") server.compact();
        }
        isTroubled = false;
        await clock.advance(120_000);

        const { items } = await server.api.list(CONFIG_MAPS, { namespace: NAMESPACE });
        expect(informer.hasSynced()).toBe(true);
        expect(versions(informer.list())).toEqual(versions(items));
        expect(versions([...told.values()])).toEqual(versions(items));
        for (const { data } of items) {
          const value = data?.["value"] ?? "";
          expect(versions(informer.byIndex("value", value))).toEqual(
            versions(items.filter((one) => one.data?.["value"] === value)),
          );
        }
        stop.abort();
      }),
      { numRuns: 150 },
    );
  });

  test("an event that our own newer write has overtaken does not bring the older object back", async () => {
    const { informer, send, changes } = await scripted([versioned("2")]);
    informer.observeWrite(versioned("7"));
    await send("MODIFIED", versioned("5"));
    expect(versionOf(informer)).toBe("7");
    await send("MODIFIED", versioned("7"));
    expect(changes).toEqual(["2 → 7"]);
    await send("MODIFIED", versioned("10"));
    expect(versionOf(informer)).toBe("10");
  });

  test("an object that the first list had is let go once it is replaced", async () => {
    setFlagsFromString("--expose_gc");
    const collect = runInNewContext("gc") as () => void;
    const { metadata, ...rest } = versioned("2");
    // What is kept of it is another object, which the list of the test does not hold.
    const { informer, send } = await scripted([{ ...rest, metadata: { ...metadata, managedFields: [] } }]);
    const first = new WeakRef(informer.getByKey(`${NAMESPACE}/a`) as ConfigMap);
    await send("MODIFIED", versioned("3"));
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    collect();
    expect(first.deref()).toBeUndefined();
    expect(versionOf(informer)).toBe("3");
  });

  test("an older answer to a write does not replace what the watch has shown since", async () => {
    const { informer, send } = await scripted([versioned("2")]);
    await send("MODIFIED", versioned("9"));
    informer.observeWrite(versioned("7"));
    expect(versionOf(informer)).toBe("9");
  });

  test("a deletion counts also after our own write, and a new object of the name begins anew", async () => {
    const { informer, send } = await scripted([versioned("2")]);
    informer.observeWrite(versioned("7"));
    await send("DELETED", versioned("8"));
    expect(informer.list()).toEqual([]);
    informer.observeWrite(versioned("7"));
    expect(informer.list()).toEqual([]);
    await send("ADDED", { ...versioned("9"), metadata: { ...versioned("9").metadata, uid: "second" } });
    expect(informer.get(NAMESPACE, "a")?.metadata.uid).toBe("second");
  });

  test("a new list is what is, even with versions that went back", async () => {
    const { informer, failWith } = await scripted([versioned("200")], [versioned("150")]);
    expect(versionOf(informer)).toBe("200");
    await failWith(new ApiError(410, "Expired", "too old resource version"));
    expect(versionOf(informer)).toBe("150");
  });

  test("a listener that throws takes nobody down, and the error is logged", async () => {
    const { informer, send, errors } = await scripted([]);
    informer.onChange(() => {
      throw new Error("boom");
    });
    await send("ADDED", versioned("3"));
    expect(versionOf(informer)).toBe("3");
    expect(errors).toHaveLength(1);
  });

  test("watches that are cut at once are opened at the pace of the back-off, not of the network", async () => {
    const clock = new VirtualClock();
    let opened = 0;
    const stop = new AbortController();
    startInformer({
      api: {
        ...(undefined as unknown as KubeApi),
        list: async () => ({ items: [], resourceVersion: "1" }),
        // biome-ignore lint/correctness/useYield: it ends without an event
        async *watch() {
          opened++;
        },
      },
      clock,
      random: seededRandom(1),
      signal: stop.signal,
      resource: CONFIG_MAPS,
    });
    await clock.advance(60_000);
    expect(opened).toBeGreaterThan(3);
    expect(opened).toBeLessThan(12);
    stop.abort();
  });
});

/** Applies a change and checks that it follows from what was told before. */
function follow<T extends KubeObject>(told: Map<string, T>, { before, after }: Change<T>): void {
  const key = keyOf((after ?? before) as T);
  const last = told.get(key);
  expect(before === undefined).toBe(last === undefined);
  if (after === undefined) told.delete(key);
  else {
    expect(before?.metadata.resourceVersion).toBe(last?.metadata.resourceVersion);
    told.set(key, after);
  }
}

const versions = (objects: readonly KubeObject[]): string[] =>
  objects.map((object) => `${keyOf(object)}@${object.metadata.uid}@${object.metadata.resourceVersion}`).sort();

const versioned = (resourceVersion: string): ConfigMap => ({
  ...configMap("a", "x"),
  metadata: { namespace: NAMESPACE, name: "a", uid: "first", resourceVersion },
});
const versionOf = (informer: Informer<ConfigMap>): string | undefined =>
  informer.get(NAMESPACE, "a")?.metadata.resourceVersion;

/** An informer over a server that says what the test says; each further list answers a relist. */
async function scripted(...lists: (readonly ConfigMap[])[]) {
  const clock = new VirtualClock();
  const errors: object[] = [];
  const changes: string[] = [];
  let deliver: (event: WatchEvent<ConfigMap>) => void = () => undefined;
  let fail: (error: unknown) => void = () => undefined;
  const log = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (fields: object) => void errors.push(fields),
    child: () => log,
  };
  const api = {
    list: async () => ({ items: lists.length > 1 ? (lists.shift() ?? []) : (lists[0] ?? []), resourceVersion: "1" }),
    async *watch() {
      for (;;) {
        yield await new Promise<WatchEvent<ConfigMap>>((resolve, reject) => {
          deliver = resolve;
          fail = reject;
        });
      }
    },
  } as unknown as KubeApi;
  const signal = new AbortController().signal;
  const informer = startInformer({ api, clock, random: seededRandom(1), signal, resource: CONFIG_MAPS, log });
  await clock.settle();
  informer.onChange(({ before, after }) => {
    changes.push(`${before?.metadata.resourceVersion} → ${after?.metadata.resourceVersion}`);
  });
  return {
    informer,
    errors,
    changes,
    async send(type: WatchEvent<ConfigMap>["type"], object: ConfigMap) {
      deliver({ type, object });
      await clock.settle();
    },
    async failWith(error: unknown) {
      fail(error);
      await clock.advance(60_000);
    },
  };
}
