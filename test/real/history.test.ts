/** `history` with a real Redis: decisions that no status keeps any more. */
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { formatTime } from "../../src/api/kubernetes/time.ts";
import { wallClock } from "../../src/clock.ts";
import type { Decision } from "../../src/decide/decision.ts";
import { readDecisions } from "../../src/jobs/decision-log.ts";
import { redisDecisions } from "../../src/jobs/decision-stream.ts";
import { connectRedis, type RedisLink } from "../../src/jobs/redis-link.ts";
import { type BareCluster, startBareCluster } from "../cli/bare-cluster.ts";
import { readExample } from "../sim/simulation.ts";
import { type RealRedis, skipWithoutRedis, startRealRedis } from "./real-redis.ts";

const START_MS = Date.UTC(2026, 0, 1);

describe.skipIf(skipWithoutRedis())("history from a real Redis", () => {
  let redis: RealRedis;
  let link: RedisLink;
  let cluster: BareCluster;
  beforeAll(async () => {
    redis = await startRealRedis();
    link = await connectRedis({ url: redis.url, clock: wallClock() });
  });
  afterEach(() => cluster.stop());
  afterAll(async () => {
    await link?.close();
    await redis?.stop();
  });

  const decision = (id: number, decode: number): Decision =>
    ({
      id: String(id),
      atMs: START_MS + id * 60_000,
      outcome: "Scaled",
      reason: "DemandChanged",
      message: `decode is ${decode}`,
      targets: [{ name: "decode", desired: decode }],
    }) as unknown as Decision;

  async function stored(prefix: string, policy: string, count: number): Promise<void> {
    const stream = redisDecisions({ link, prefix });
    const before = await link.client.xlen(`{${prefix}}:decisions`);
    for (let id = 1; id <= count; id++) stream.add(policy, decision(id, id));
    await vi.waitFor(async () => expect(await link.client.xlen(`{${prefix}}:decisions`)).toBe(before + count), 20_000);
  }

  test("reads further back than the status, and a decision that is in both is one", async () => {
    cluster = await startBareCluster();
    const example = readExample<ScalingPolicy>("prefill-decode/policy.yaml", "ScalingPolicy");
    await cluster.api.create(SCALING_POLICIES, { ...example, metadata: { name: "a", namespace: "default" } });
    const history = Array.from({ length: 20 }, (_, at) => {
      const { atMs, targets: _targets, ...one } = decision(11 + at, 11 + at);
      return { ...one, time: formatTime(atMs), desired: { decode: 11 + at } };
    });
    await cluster.api.patch(
      SCALING_POLICIES,
      { namespace: "default", name: "a" },
      { status: { history } },
      { type: "merge", subresource: "status" },
    );
    await cluster.clock.advance(31 * 60_000);
    await stored("further", "default/a", 30);
    await stored("further", "elsewhere/b", 5);
    const foreign = ["policy", "default/a", "time", String(START_MS + 60_000), "decision"];
    for (const text of ["not ours", "{}"]) await link.client.xadd("{further}:decisions", "*", ...foreign, text);

    const ids = async (...args: string[]): Promise<readonly string[]> =>
      JSON.parse((await cluster.run(["history", "-o", "json", ...args])).out).items.map(
        (item: { policy: string; decision: string }) => `${item.policy}#${item.decision}`,
      );
    expect(await ids()).toHaveLength(20);
    const redisFlags = ["--redis-url", redis.url, "--redis-prefix", "further"];
    expect(await ids(...redisFlags)).toEqual(Array.from({ length: 30 }, (_, at) => `default/a#${at + 1}`));
    expect((await ids("-A", ...redisFlags)).filter((one) => one.startsWith("elsewhere/b"))).toHaveLength(5);
    expect(await ids("a", "--since", "5m30s", ...redisFlags)).toEqual(
      [26, 27, 28, 29, 30].map((id) => `default/a#${id}`),
    );

    expect((await cluster.run(["history", "--since", "30m"])).err).toMatch(/^note: not all of the last 30m is kept/);
    // The stream begins with decision 1, 30 minutes ago.
    const whole = await cluster.run(["history", "--since", "29m"], {
      environment: { REDIS_URL: redis.url, REDIS_PREFIX: "further" },
    });
    expect(whole).toMatchObject({ code: 0, err: "" });
    expect((await cluster.run(["history", "--since", "2h", ...redisFlags])).err).toBe(
      "note: not all of the last 2h is kept: default/a to 2026-01-01T00:01:00Z (30m ago)",
    );
  });

  test("many entries are read in pages, the newest first, no more than asked for", async () => {
    cluster = await startBareCluster();
    await stored("pages", "default/a", 450);
    const all = await readDecisions({ link, prefix: "pages" });
    expect(all.decisions.map(({ decision: { id } }) => Number(id))).toEqual(
      Array.from({ length: 450 }, (_, at) => at + 1),
    );
    expect(all.sinceMs).toBe(START_MS + 60_000);
    const some = await readDecisions({ link, prefix: "pages", maxEntries: 300 });
    expect(some.decisions.map(({ decision: { id } }) => Number(id))).toEqual(
      Array.from({ length: 300 }, (_, at) => at + 151),
    );
    expect(some.sinceMs).toBe(START_MS + 151 * 60_000);
    expect(await readDecisions({ link, prefix: "empty" })).toEqual({ decisions: [] });
  });
});
