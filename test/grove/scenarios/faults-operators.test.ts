/** More than one operator, and an API server that refuses. */
import { afterEach, describe, expect, test } from "vitest";
import { POD_CLIQUE_SETS } from "../../../src/api/grove/pod-clique-set.ts";
import { LEASES, PODS, type Pod } from "../../../src/api/kubernetes/core.ts";
import { ApiError } from "../../../src/kube/api-error.ts";
import { onAgents, workload1, workload2 } from "../workloads.ts";
import { notConverged, withoutIndexHoles } from "./converged.ts";
import { type EmbeddedWorld, type EmbeddedWorldOptions, startEmbeddedWorld } from "./embedded-world.ts";
import { type ObjectSet, objectSet } from "./object-set.ts";
import { untilUpdated } from "./rolling-updates.ts";
import { activePods, untilReady } from "./steps.ts";

const worlds: EmbeddedWorld[] = [];
afterEach(async () => {
  await Promise.all(worlds.splice(0).map((world) => world.stop()));
});

async function openWorld(options?: EmbeddedWorldOptions): Promise<EmbeddedWorld> {
  const world = await startEmbeddedWorld(options);
  worlds.push(world);
  await world.prepare(30);
  return world;
}

/** Up, scaled on all levels, updated, and in again. */
async function live(world: EmbeddedWorld): Promise<ObjectSet> {
  await world.deploy(onAgents(workload2()));
  await untilReady(world, 10);
  await world.scale("group", "workload2-0-sg-x", 3);
  await world.scale("clique", "workload2-0-pc-a", 4);
  await untilReady(world, 16);
  await world.triggerUpdate("workload2", ["pc-a", "pc-c"]);
  await untilUpdated(world, "workload2", 1);
  await world.scale("clique", "workload2-0-pc-a", 2);
  await world.scale("group", "workload2-0-sg-x", 2);
  await untilReady(world, 10);
  await world.settle();
  expect(await notConverged(world, "workload2")).toEqual([]);
  return withoutIndexHoles(await objectSet(world));
}

describe("two operators that know nothing of one another bring about what one does", () => {
  test.each([
    ["in step", 0],
    ["with late events", 1_500],
  ])("%s", async (_, eventDelayMs) => {
    const expected = await live(await openWorld());
    const world = await openWorld({ operators: 2, toleratesTwins: true });
    world.faults.delayEvents(eventDelayMs);
    expect(await live(world)).toEqual(expected);
    await world.cleanUp();
  });

  test("and agree which of two pods of one index goes, even when they are of the same second", async () => {
    const world = await openWorld({ operators: 2, toleratesTwins: true });
    world.faults.delayEvents(500);
    await world.deploy(onAgents(workload1()));
    await world.pass(15_000);
    const made = (await world.api.list(PODS, { namespace: world.namespace })).items as readonly Pod[];
    expect(made).toHaveLength(10);
    const before = world.faults.writeCount();
    await world.pass(60_000);
    expect(world.faults.writeCount() - before).toBeLessThan(20);
  });
});

describe("two operators with one lease", () => {
  const holder = async ({ api }: EmbeddedWorld): Promise<string> =>
    (await api.get(LEASES, { namespace: "kube-system", name: "grove-operator-leader-election" })).spec
      ?.holderIdentity ?? "";

  test("the second takes over what the first left half done, and no pod is made twice", async () => {
    const expected = await live(await openWorld());
    const world = await openWorld({ operators: 2, withLease: true });
    await world.pass(3_000);
    const first = await holder(world);
    await world.deploy(onAgents(workload2()));
    await world.until("the first pods", () => world.view.pods().length >= 3);
    world.killOperator(Number(first.split("-")[1]));
    const written = world.faults.writeCount();
    await world.pass(10_000);
    expect(world.faults.writeCount()).toBe(written);
    await untilReady(world, 10);
    expect(await holder(world)).not.toBe(first);
    await world.api.delete(POD_CLIQUE_SETS, { namespace: world.namespace, name: "workload2" });
    await world.until("nothing to be left", () => world.view.pods().length === 0 && world.view.cliques().length === 0);
    await world.settle();
    expect(await live(world)).toEqual(expected);
  });

  test("one that loses the lease writes nothing from that moment on, and the world does not notice", async () => {
    const world = await openWorld({ operators: 2, withLease: true });
    await world.pass(3_000);
    const key = { namespace: "kube-system", name: "grove-operator-leader-election" };
    await world.deploy(onAgents(workload2()));
    await world.pass(300);
    const lease = await world.api.get(LEASES, key);
    await world.api.update(LEASES, { ...lease, spec: { ...lease.spec, holderIdentity: "somebody-else" } });
    // Until the next renewal it cannot know.
    await world.pass(2_500);
    const written = world.faults.writeCount();
    await world.scale("clique", "workload2-0-pc-a", 3);
    await world.deletePod(activePods(world)[0]?.metadata.name ?? "");
    await world.pass(10_000);
    expect(world.faults.writeCount()).toBe(written);
    await untilReady(world, 11);
    await world.settle();
    expect(await notConverged(world, "workload2")).toEqual([]);
  });
});

describe("an API server that refuses for a while", () => {
  test.each([
    [
      "everything, as an unreachable webhook does",
      new ApiError(500, "InternalError", 'failed calling webhook "x": connection refused'),
      () => true,
    ],
    [
      "everything, as an overloaded one",
      new ApiError(429, "TooManyRequests", "slow down", { retryAfterSeconds: 5 }),
      () => true,
    ],
    [
      "pods, as a quota does",
      new ApiError(403, "Forbidden", "exceeded quota: pods"),
      ({ plural }: { plural: string }) => plural === "pods",
    ],
    [
      "pods, as an admission policy does",
      new ApiError(422, "Invalid", "denied by policy"),
      ({ plural }: { plural: string }) => plural === "pods",
    ],
    ["PodGangs", new ApiError(403, "Forbidden", "no"), ({ plural }: { plural: string }) => plural === "podgangs"],
  ] as const)("%s: growing delays, lastErrors while it lasts, then none", async (_, error, matches) => {
    const expected = await calmBringUp();
    const world = await openWorld();
    world.faults.refuse(matches, error);
    await world.deploy(onAgents(workload2()));
    await world.pass(60_000);
    const early = world.faults.writeCount();
    await world.pass(600_000);
    // A minute of growing delays has more tries than ten minutes after it have a minute: no hammering.
    expect((world.faults.writeCount() - early) / 10).toBeLessThan(early);
    expect(activePods(world).filter(({ spec }) => spec.nodeName !== undefined)).toEqual([]);
    const errors = [world.view.set("workload2"), ...world.view.cliques()].flatMap(
      (each) => each?.status?.lastErrors ?? [],
    );
    if (matches({ plural: "podcliquesets" } as never) !== true) {
      expect(errors.length).toBeGreaterThan(0);
      for (const { description } of errors) expect(description).toContain(error.message);
    }
    world.faults.clear();
    // The longest delay that a key may have reached by now.
    await world.pass(700_000);
    await world.settle();
    expect(await notConverged(world, "workload2")).toEqual([]);
    expect(await objectSet(world)).toEqual(expected);
  });

  async function calmBringUp(): Promise<ObjectSet> {
    const world = await openWorld();
    await world.deploy(onAgents(workload2()));
    await untilReady(world, 10);
    await world.settle();
    return objectSet(world);
  }

  test("a template that no pod can be made from stays one try at a time, and a better one cures it", async () => {
    const world = await openWorld();
    world.faults.refuse(
      ({ plural, verb }) => plural === "pods" && verb === "create",
      new ApiError(422, "Invalid", "Pod is invalid: spec.containers[0].image: Required value"),
    );
    await world.deploy(onAgents(workload1()));
    await world.pass(2_000);
    const before = world.faults.writeCount();
    await world.pass(1_000);
    // Five cliques, each with a single creation a try and delays of seconds by now.
    expect(world.faults.writeCount() - before).toBeLessThanOrEqual(10);
    world.faults.clear();
    await world.triggerUpdate("workload1", ["pc-a", "pc-b", "pc-c"]);
    await untilReady(world, 10);
  });
});
