import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ReplicaLife } from "../record.ts";
import { GRACE_SECONDS, SLOW_START_MS, START_MS, smallFleet } from "./fleet.fixture.ts";

/** Six GPUs: one of a, one of b, four of the group. */
const EXACT = { nodes: 1, gpusPerNode: 6, nodesPerRack: 1 };
const SYSTEM = { namespace: "serving", partOf: "small" };
const livesOf = (lives: readonly ReplicaLife[], target: number) => lives.filter((life) => life.target === target);

describe("a start", () => {
  test("takes its time, and a group is ready with its slowest pod", async () => {
    const { clock, fleet, now } = smallFleet();
    expect(now()).toEqual({ a: [0, 1, 0], b: [0, 1, 0], group: [0, 1, 0] });
    await clock.advance(START_MS);
    expect(now()).toEqual({ a: [1, 0, 0], b: [1, 0, 0], group: [0, 1, 0] });
    expect(fleet.availableSetReplicas).toBe(0);
    await clock.advance(SLOW_START_MS - START_MS);
    expect(now()["group"]).toEqual([1, 0, 0]);
    expect(fleet.availableSetReplicas).toBe(1);
    expect(livesOf(fleet.lives(), 2).map(({ readyMs }) => readyMs)).toEqual([SLOW_START_MS]);
  });

  test("waits for GPUs, oldest first; what is smaller and fits is not held up", async () => {
    const { clock, fleet, object, now } = smallFleet({ ...EXACT, gpusPerNode: 7 });
    await clock.advance(SLOW_START_MS);
    fleet.scale(object("group"), 2);
    fleet.scale(object("a"), 2);
    expect(now()).toMatchObject({ group: [1, 0, 1], a: [1, 1, 0] });
    fleet.scale(object("b"), 2);
    fleet.scale(object("a"), 3);
    expect(now()).toMatchObject({ a: [1, 1, 1], b: [1, 0, 1] });
    // One GPU comes free: b waited longer than a.
    fleet.scale(object("a"), 2);
    await clock.advance(1_000);
    fleet.scale(object("a"), 3);
    fleet.scale(object("a"), 1);
    await clock.advance(GRACE_SECONDS * 1_000);
    expect(now()).toMatchObject({ a: [1, 0, 0], b: [1, 1, 0], group: [1, 0, 1] });
  });

  test("that is called off frees its GPUs at once", async () => {
    const { clock, fleet, object, now } = smallFleet({ ...EXACT, gpusPerNode: 7 });
    await clock.advance(SLOW_START_MS);
    fleet.scale(object("a"), 2);
    fleet.scale(object("b"), 2);
    expect(now()).toMatchObject({ a: [1, 1, 0], b: [1, 0, 1] });
    fleet.scale(object("a"), 1);
    expect(now()).toMatchObject({ a: [1, 0, 0], b: [1, 1, 0] });
    const off = livesOf(fleet.lives(), 0).find(({ stoppedMs }) => stoppedMs >= 0);
    expect(off).toMatchObject({ readyMs: Number.NaN, stoppedMs: SLOW_START_MS, goneMs: SLOW_START_MS });
    await clock.advance(2 * START_MS);
    expect(now()).toMatchObject({ a: [1, 0, 0], b: [2, 0, 0] });
  });

  test("that is called off is nothing that serves later on", async () => {
    const { clock, fleet, dataPlane, object } = smallFleet();
    await clock.advance(SLOW_START_MS);
    const before = dataPlane.targets().length;
    fleet.scale(object("a"), 2);
    await clock.advance(1_000);
    fleet.scale(object("a"), 1);
    await clock.advance(2 * START_MS);
    expect(dataPlane.targets()).toHaveLength(before);
  });

  test.each([0, 1])("that waits keeps its turn, however often it was in vain (%i times more)", async (more) => {
    const { clock, fleet, object } = smallFleet({ ...EXACT, gpusPerNode: 7 });
    await clock.advance(SLOW_START_MS);
    fleet.scale(object("a"), 2);
    await clock.advance(START_MS);
    fleet.scale(object("b"), 3);
    for (let time = 0; time < more; time++) fleet.setFull(false);
    fleet.scale(object("a"), 1);
    await clock.advance(GRACE_SECONDS * 1_000);
    const members = [...object("b").members.values()].map(({ state }) => state);
    expect(members).toEqual(["ready", "starting", "pending"]);
  });

  test("that takes longer than the timeout is overdue until it is ready", async () => {
    const { clock, fleet } = smallFleet({}, { pendingTimeoutMs: 70_000 });
    await clock.advance(80_000);
    expect(fleet.counts.at(-1)?.overdue).toEqual([0, 0, 1]);
    await clock.advance(10_000);
    expect(fleet.counts.at(-1)?.overdue).toEqual([0, 0, 0]);
  });
});

describe("a stop", () => {
  const busy = async (outputTokens: number) => {
    const small = smallFleet();
    await small.clock.advance(SLOW_START_MS);
    small.fleet.scale(small.object("a"), 2);
    await small.clock.advance(START_MS);
    const arrivals = Array.from({ length: 60 }, () => ({ atMs: 0, inputTokens: 100, outputTokens }));
    small.dataPlane.attachTraffic(SYSTEM, arrivals);
    await small.clock.advance(500);
    return small;
  };

  test("ends what is in flight before its GPUs are free", async () => {
    const { clock, fleet, object } = await busy(300);
    fleet.scale(object("a"), 1);
    const stoppedMs = clock.monotonicMs();
    await clock.advance(500);
    expect(livesOf(fleet.lives(), 0)[1]).toMatchObject({ stoppedMs, goneMs: Number.NaN });
    await clock.advance(GRACE_SECONDS * 1_000);
    const [, gone] = livesOf(fleet.lives(), 0);
    expect(gone?.goneMs).toBeGreaterThan(stoppedMs + 500);
    expect(gone?.goneMs).toBeLessThan(stoppedMs + GRACE_SECONDS * 1_000);
    expect(gone?.lostRequests).toBe(0);
    expect(gone?.servedRequests).toBeGreaterThan(0);
  });

  test("kills what is left after the grace period, and counts it", async () => {
    const { clock, fleet, object } = await busy(20_000);
    fleet.scale(object("a"), 1);
    const stoppedMs = clock.monotonicMs();
    await clock.advance(2 * GRACE_SECONDS * 1_000);
    const [, gone] = livesOf(fleet.lives(), 0);
    expect(gone?.goneMs).toBe(stoppedMs + GRACE_SECONDS * 1_000);
    expect(gone?.lostRequests).toBeGreaterThan(0);
  });

  test("of a clique takes those that are not ready first, of a group the highest index", async () => {
    const { clock, fleet, object } = smallFleet({ nodes: 4 });
    await clock.advance(SLOW_START_MS);
    fleet.scale(object("a"), 2);
    fleet.scale(object("group"), 2);
    await clock.advance(SLOW_START_MS);
    fleet.scale(object("a"), 3);
    await clock.advance(1_000);
    fleet.scale(object("a"), 2);
    fleet.scale(object("group"), 1);
    await clock.advance(GRACE_SECONDS * 1_000);
    expect([...object("a").members.keys()]).toEqual([0, 1]);
    expect([...object("group").members.keys()]).toEqual([0]);
    expect(fleet.replicasOf("a").ready).toHaveLength(2);
  });
});

test("set replicas come and go with all they hold", async () => {
  const { clock, fleet, now } = smallFleet({ nodes: 2 });
  await clock.advance(SLOW_START_MS);
  fleet.scaleSet(2);
  await clock.advance(SLOW_START_MS);
  expect(fleet.availableSetReplicas).toBe(2);
  expect(now()).toEqual({ a: [2, 0, 0], b: [2, 0, 0], group: [2, 0, 0] });
  expect(fleet.objectByName("small-1-group")?.setIndex).toBe(1);
  fleet.scaleSet(1);
  expect(now()).toEqual({ a: [1, 0, 0], b: [1, 0, 0], group: [1, 0, 0] });
  await clock.advance(GRACE_SECONDS * 1_000);
  expect(fleet.allPods()).toHaveLength(4);
  expect(fleet.objectByName("small-1-group")).toBeUndefined();
});

describe("what breaks", () => {
  test("containers that die start again in their place, on the GPUs they hold", async () => {
    const { clock, fleet, now } = smallFleet();
    await clock.advance(SLOW_START_MS);
    fleet.crash("a", 0);
    expect(now()["a"]).toEqual([0, 1, 0]);
    await clock.advance(START_MS);
    expect(now()["a"]).toEqual([1, 0, 0]);
    expect(livesOf(fleet.lives(), 0)).toMatchObject([{ goneMs: Number.NaN, readyMs: START_MS }]);
  });

  test("what ran on a lost node is gone at once and made anew elsewhere, or waits for the node", async () => {
    const { clock, fleet, now } = smallFleet(EXACT);
    await clock.advance(SLOW_START_MS);
    const nodes = fleet.busiestNodes(0.1);
    expect(nodes).toEqual([0]);
    fleet.setNodesDown(nodes, true);
    expect(now()).toEqual({ a: [0, 0, 1], b: [0, 0, 1], group: [0, 0, 1] });
    const lost = fleet.lives().filter(({ goneMs }) => goneMs === SLOW_START_MS);
    expect(lost.map(({ stoppedMs }) => stoppedMs)).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    await clock.advance(SLOW_START_MS);
    fleet.setNodesDown(nodes, false);
    await clock.advance(SLOW_START_MS);
    expect(fleet.availableSetReplicas).toBe(1);
  });

  test("while there is no room nothing new starts, what runs goes on", async () => {
    const { clock, fleet, object, now } = smallFleet();
    await clock.advance(SLOW_START_MS);
    fleet.setFull(true);
    fleet.scale(object("a"), 2);
    await clock.advance(START_MS);
    expect(now()["a"]).toEqual([1, 0, 1]);
    fleet.setFull(false);
    expect(now()["a"]).toEqual([1, 1, 0]);
  });
});

/** Any orders, faults and times: what the record says of GPUs, lives and counts fits together. */
test("counts are what the lives say at every change, and no more GPUs are held than there are", async () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("scale" as const), ref: fc.constantFrom("a", "b", "group"), to: fc.nat(5) }),
    fc.record({ kind: fc.constant("set" as const), to: fc.integer({ min: 1, max: 2 }) }),
    fc.record({ kind: fc.constant("node" as const), isDown: fc.boolean() }),
    fc.record({ kind: fc.constant("full" as const), isFull: fc.boolean() }),
  );
  const gpus = 10;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(step, fc.nat(80_000)), { maxLength: 15 }), async (steps) => {
      const { clock, fleet } = smallFleet({ nodes: 1, gpusPerNode: gpus, nodesPerRack: 1 });
      for (const [one, afterMs] of steps) {
        if (one.kind === "scale") {
          const object = fleet.object(one.ref, 0);
          if (object !== undefined) fleet.scale(object, one.to);
        } else if (one.kind === "set") fleet.scaleSet(one.to);
        else if (one.kind === "node") fleet.setNodesDown([0], one.isDown);
        else fleet.setFull(one.isFull);
        await clock.advance(afterMs);
      }
      const lives = fleet.lives();
      for (const { createdMs, placedMs, readyMs, stoppedMs, goneMs } of lives) {
        const happened = [createdMs, placedMs, readyMs, stoppedMs, goneMs].filter((at) => !Number.isNaN(at));
        expect(happened).toEqual(happened.toSorted((a, b) => a - b));
        if (!Number.isNaN(readyMs)) expect(placedMs).not.toBeNaN();
      }
      const isAt = (atMs: number, fromMs: number, toMs: number): boolean => fromMs <= atMs && !(toMs <= atMs);
      let before = -1;
      for (const { atMs, ready, starting, pending, spec } of fleet.counts) {
        expect(atMs).toBeGreaterThan(before);
        before = atMs;
        const held = lives.filter(({ placedMs, goneMs }) => isAt(atMs, placedMs, goneMs));
        expect(held.reduce((sum, life) => sum + life.gpus, 0)).toBeLessThanOrEqual(gpus);
        for (const target of [0, 1, 2]) {
          const wanted = livesOf(lives, target).filter(
            ({ createdMs, stoppedMs, goneMs }) => isAt(atMs, createdMs, stoppedMs) && isAt(atMs, createdMs, goneMs),
          );
          const isReady = ({ readyMs }: ReplicaLife): boolean => readyMs <= atMs;
          const isPlaced = ({ placedMs }: ReplicaLife): boolean => placedMs <= atMs;
          expect([ready[target], starting[target], pending[target], spec[target]]).toEqual([
            wanted.filter(isReady).length,
            wanted.filter((life) => isPlaced(life) && !isReady(life)).length,
            wanted.filter((life) => !isPlaced(life)).length,
            wanted.length,
          ]);
        }
      }
    }),
    { numRuns: 60 },
  );
});

test("orders are the writes: what they say leads from the template to what is there", async () => {
  const { fleet, object } = smallFleet();
  fleet.scale(object("a"), 3);
  fleet.scale(object("a"), 3);
  fleet.scale(object("group"), 2);
  fleet.scale(object("a"), 1);
  expect(fleet.orders.map(({ target, from, to }) => [target, from, to])).toEqual([
    [0, 1, 3],
    [2, 1, 2],
    [0, 3, 1],
  ]);
});
