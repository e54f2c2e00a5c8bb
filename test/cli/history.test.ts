/** Who decided what and when: `history` against a running system, and on statuses of which each word is known. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { formatTime } from "../../src/api/kubernetes/time.ts";
import { readExample } from "../sim/simulation.ts";
import { type BareCluster, startBareCluster } from "./bare-cluster.ts";
import { type LiveWorld, startBusyWorld } from "./live-world.ts";

describe("of a running system", () => {
  let world: LiveWorld;
  beforeAll(async () => {
    world = await startBusyWorld(5);
  });
  afterAll(() => world.stop());

  const kept = async () =>
    (await world.simulation.world.api.get(SCALING_POLICIES, { namespace: "serving", name: "llama-70b" })).status
      ?.history ?? [];

  test("every decision that the status keeps, in order, with what it wrote, and what it wants where that is other than before", async () => {
    const { out, err, code } = await world.run(["history", "llama-70b"]);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    const [header, ...rows] = out.split("\n").map((line) => line.split(/ {2,}/));
    expect(header).toEqual(["TIME", "AGO", "POLICY", "DECISION", "OUTCOME", "REASON", "CHANGES"]);
    const history = await kept();
    expect(rows.length).toBeGreaterThan(5);
    const { decisions } = world.simulation;
    for (const [at, { id, time, outcome, reason }] of history.entries()) {
      const row = rows[at] ?? [];
      expect(row.slice(0, -1)).toEqual([time, expect.any(String), "serving/llama-70b", id, outcome, reason]);
      const writes = decisions.find((one) => one.id === id)?.transition.now ?? [];
      const changed = [...new Set(writes.map(({ target }) => target))].toSorted();
      if (outcome === "Scaled")
        expect(
          row
            .at(-1)
            ?.match(/\w+ \d+→/g)
            ?.map((one) => one.split(" ")[0])
            .toSorted(),
        ).toEqual(changed);
      else expect(row.at(-1)).toMatch(/^(-|\(wants .*\))$/);
    }
    expect(rows.map((row) => row.at(-1))).toContain("frontend 1→2");
  });

  test("--since cuts, --target shows only what changed it, both know what was before", async () => {
    const { out } = await world.run(["history", "--since", "3m", "--target", "decode"]);
    const rows = out.split("\n").slice(1);
    const startMs = world.simulation.clock.nowMs() - 180_000;
    const all = (await world.run(["history", "--target", "decode"])).out.split("\n").slice(1);
    // As wide as the longest age of its own table.
    const withoutAge = (line: string) => line.replace(/Z +\S+ +/, "Z  ");
    expect(rows.map(withoutAge)).toEqual(
      all.filter((line) => Date.parse(line.slice(0, 20)) >= startMs).map(withoutAge),
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(all.length).toBeGreaterThan(rows.length);
    for (const line of rows) expect(line).toMatch(/ {2}(decode \d+→\d+|\(wants decode \d+\))$/);
  });

  test("-o json and yaml: items, and how far back they are kept", async () => {
    const { items, kept: since } = JSON.parse((await world.run(["history", "-A", "-o", "json"])).out);
    const history = await kept();
    expect(items.map(({ decision }: { decision: string }) => decision)).toEqual(history.map(({ id }) => id));
    expect(items[0]).toEqual({
      time: history[0]?.time,
      policy: "serving/llama-70b",
      decision: history[0]?.id,
      outcome: history[0]?.outcome,
      reason: history[0]?.reason,
      message: history[0]?.message,
      changes: Object.entries(history[0]?.changes ?? {}).map(([target, change]) => ({ target, ...change })),
      wants: history[0]?.desired,
    });
    expect(since).toEqual([{ policy: "serving/llama-70b", since: history[0]?.time, isAll: history.length < 20 }]);
    expect(parse((await world.run(["history", "-A", "-o", "yaml"])).out)).toEqual({ items, kept: since });
  });

  test.each([
    [["--since", "yesterday"], /^error: --since: "yesterday" is not a duration of at least 1s, such as 30m or 2h/],
    [["--since", "-1h"], /^error: --since: "-1h" is not a duration of at least 1s/],
    [["--target", "decoder"], /^error: --target: there is no target "decoder"; there are: decode, .*instances/],
    [["lama"], /^error: there is no ScalingPolicy "lama" in namespace serving; there are: llama-70b$/],
    [["llama-70b", "-A"], /^error: --all-namespaces excludes a name: use -n NAMESPACE/],
    [["--redis-url", "http://x"], /^error: --redis-url: /],
  ])("mistake of the command line: %j", async (args, message) => {
    expect(await world.run(["history", ...args])).toEqual({ code: 2, out: "", err: expect.stringMatching(message) });
  });

  test("a Redis that does not answer is a failure and says from where its address is", async () => {
    expect(await world.run(["history", "--redis-url", "redis://:secret@127.0.0.1:1"])).toEqual({
      code: 1,
      out: "",
      err: "error: cannot read decisions from Redis at 127.0.0.1:1 (--redis-url): no connection; without it, history shows what the policies' statuses keep",
    });
    const environment = { REDIS_URL: "redis://127.0.0.1:1" };
    expect(await world.run(["history"], { environment })).toMatchObject({
      code: 1,
      err: expect.stringContaining("(REDIS_URL): no connection"),
    });
  });
});

describe("of statuses", () => {
  let cluster: BareCluster;
  afterEach(() => cluster.stop());

  const START_MS = Date.UTC(2026, 0, 1);
  /** One decision a minute, of which each wants one replica more. */
  async function decided(name: string, namespace: string, count: number, firstMs = START_MS): Promise<void> {
    const example = readExample<ScalingPolicy>("prefill-decode/policy.yaml", "ScalingPolicy");
    await cluster.api.create(SCALING_POLICIES, { ...example, metadata: { name, namespace } });
    const history = Array.from({ length: count }, (_, at) => ({
      id: `${at + 1}`,
      time: formatTime(firstMs + at * 60_000),
      outcome: "Scaled",
      reason: "DemandChanged",
      desired: { decode: at + 1 },
      changes: { decode: { from: at, to: at + 1 } },
    }));
    const patch = { status: { history } };
    await cluster.api.patch(SCALING_POLICIES, { namespace, name }, patch, { type: "merge", subresource: "status" });
  }
  const rows = (out: string): readonly string[] =>
    out
      .split("\n")
      .slice(1)
      .map((line) => line.split(/ {2,}/).slice(2).join(" "));

  test("several policies are one order of time, each compared with itself; -A takes in all namespaces", async () => {
    cluster = await startBareCluster();
    await decided("b", "default", 2);
    await decided("a", "default", 2, START_MS + 30_000);
    await decided("c", "kube-public", 1, START_MS + 45_000);
    expect(rows((await cluster.run(["history"])).out)).toEqual([
      "default/b 1 Scaled DemandChanged decode 0→1",
      "default/a 1 Scaled DemandChanged decode 0→1",
      "default/b 2 Scaled DemandChanged decode 1→2",
      "default/a 2 Scaled DemandChanged decode 1→2",
    ]);
    expect(rows((await cluster.run(["history", "-A"])).out)[2]).toBe("kube-public/c 1 Scaled DemandChanged decode 0→1");
  });

  test("what was wanted before it could be written is no change, and what is written later is one", async () => {
    cluster = await startBareCluster();
    await decided("a", "default", 1);
    const entry = (id: number, outcome: string, reason: string, decode: number, changes?: object) => ({
      id: `${id}`,
      time: formatTime(START_MS + id * 1_000),
      outcome,
      reason,
      desired: { instances: 2, decode },
      ...(changes === undefined ? {} : { changes }),
    });
    const history = [
      // A set replica more; its second decode waits until the operator has made the object.
      entry(1, "Scaled", "DemandChanged", 5, { instances: { from: 1, to: 2 } }),
      entry(2, "Held", "HeldDown", 4),
      entry(3, "Held", "ObjectNotCreated", 5),
      entry(4, "Scaled", "DemandChanged", 5, { decode: { from: 4, to: 5 } }),
      entry(5, "Scaled", "DemandChanged", 5, { decode: { from: 5, to: 5 } }),
      entry(6, "Held", "DemandMet", 5),
    ];
    await cluster.api.patch(
      SCALING_POLICIES,
      { namespace: "default", name: "a" },
      { status: { history } },
      { type: "merge", subresource: "status" },
    );
    expect(rows((await cluster.run(["history"])).out).map((row) => row.replace("default/a ", ""))).toEqual([
      "1 Scaled DemandChanged instances 1→2",
      "2 Held HeldDown (wants decode 4)",
      "3 Held ObjectNotCreated (wants decode 5)",
      "4 Scaled DemandChanged decode 4→5",
      "5 Scaled DemandChanged decode 5, between set replicas",
      "6 Held DemandMet -",
    ]);
    expect(rows((await cluster.run(["history", "--target", "instances"])).out)).toHaveLength(1);
    expect(rows((await cluster.run(["history", "--target", "decode"])).out)).toHaveLength(4);
  });

  test("asked for more than is kept, it says how far back that is; a short history is all there was", async () => {
    cluster = await startBareCluster();
    await decided("full", "default", 20, START_MS - 20 * 60_000);
    await decided("young", "default", 19, START_MS - 19 * 60_000);
    expect(await cluster.run(["history", "--since", "1h"])).toMatchObject({
      code: 0,
      err: "note: not all of the last 1h is kept: default/full to 2025-12-31T23:40:00Z (20m ago); where the service uses Redis, --redis-url reads further back",
    });
    expect((await cluster.run(["history", "--since", "15m"])).err).toBe("");
    expect((await cluster.run(["history", "young", "--since", "1h"])).err).toBe("");
    expect((await cluster.run(["history"])).err).toBe("");
  });

  test("nothing there is no failure and goes to standard error", async () => {
    cluster = await startBareCluster();
    expect(await cluster.run(["history"])).toEqual({
      code: 0,
      out: "",
      err: "no policies in namespace default (-A looks in all)",
    });
    await decided("a", "default", 1, START_MS - 3_600_000);
    expect(await cluster.run(["history", "--since", "10m"])).toEqual({
      code: 0,
      out: "",
      err: "no decision is kept of the last 10m",
    });
    expect((await cluster.run(["history", "--since", "10m", "--target", "decode"])).err).toBe(
      "no decision that changed decode is kept of the last 10m",
    );
  });
});
