/** A person's word against the running system: it is obeyed, bounded, listed, taken back. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SCALING_OVERRIDES, type ScalingOverride } from "../../src/api/autoscaling/scaling-override.ts";
import { EVENTS } from "../../src/api/kubernetes/core.ts";
import { parseTime } from "../../src/api/kubernetes/time.ts";
import { type LiveWorld, startLiveWorld } from "./live-world.ts";

let world: LiveWorld;
beforeEach(async () => {
  world = await startLiveWorld({ seed: 3 });
});
afterEach(() => world.stop());

const set = (...args: string[]) =>
  world.run(["override", "set", "llama-70b", ...args, "--for", "10m", "--reason", "INC-7"]);
const replicas = (): Record<string, number> =>
  Object.fromEntries((world.simulation.decisions.at(-1)?.targets ?? []).map(({ name, current }) => [name, current]));
const overrides = async (): Promise<readonly ScalingOverride[]> =>
  (await world.simulation.world.api.list(SCALING_OVERRIDES, { namespace: "serving" })).items;

describe("override", () => {
  test("set, list, explain, clear: the replicas follow and come back", async () => {
    const { out, err, code } = await set("decode=3");
    expect({ err, code }).toEqual({ err: "", code: 0 });
    const [first = "", second = ""] = out.split("\n");
    expect(first).toMatch(/^llama-70b-\d{8}t\d{6}z: decode=3 for 10m0s, until \d{4}-\S+Z$/);
    const name = first.slice(0, first.indexOf(":"));
    expect(second).toBe(`to end it before that: grove-autoscaler override clear ${name} -n serving`);
    const [stored] = await overrides();
    expect(stored?.spec).toMatchObject({ reason: "INC-7", force: false, requestedBy: "kubernetes-admin" });
    // By the clock of the cluster, which is not that of this machine.
    const nowMs = world.simulation.clock.nowMs();
    expect(Math.abs(parseTime(stored?.spec.expiresAt ?? "") - nowMs - 600_000)).toBeLessThan(5_000);

    await world.simulation.clock.advance(60_000);
    expect(replicas()["decode"]).toBe(3);
    const [header, row] = (await world.run(["override", "list", "llama-70b"])).out.split("\n");
    expect(header).toMatch(/^NAMESPACE +NAME +POLICY +REPLICAS +FORCE +PHASE +LEFT +BY +REASON$/);
    expect(row).toMatch(
      new RegExp(`^serving +${name} +llama-70b +decode=3 +no +Active +(9m|8m)\\S* +kubernetes-admin +INC-7$`),
    );
    const explained = (await world.run(["explain", "llama-70b"])).out.replace(/\s+/g, " ");
    expect(explained).toMatch(new RegExp(`Override ${name} is in force for another [89]m\\S*: INC-7`));
    expect(explained).toContain("one less: Override: INC-7 changes with: the end of the override, in ");

    expect(await world.run(["override", "clear", name])).toEqual({
      code: 0,
      err: "",
      out: `${name} cleared: metrics decide about decode again`,
    });
    await world.simulation.clock.advance(400_000);
    expect(replicas()["decode"]).toBe(1);
    const { items: events } = await world.simulation.world.api.list(EVENTS, { namespace: "serving" });
    expect(events.filter(({ reason }) => reason.startsWith("Override")).map(({ reason }) => reason)).toEqual([
      "OverrideApplied",
      "OverrideCleared",
    ]);
    expect(await world.run(["override", "list"])).toMatchObject({
      code: 0,
      out: "",
      err: "no overrides in namespace serving (-A looks in all)",
    });
  });

  test("what will hold it is said first, and is what then holds it", async () => {
    const { err, code } = await set("decode=9", "frontend=0");
    expect(code).toBe(0);
    expect(err.split("\n").sort()).toEqual([
      "warning: decode is held at 3: the policy's maxReplicas; --force lifts it",
      "warning: frontend is held at 1: Grove's minAvailable, which nothing lifts",
    ]);
    await world.simulation.clock.advance(60_000);
    expect(replicas()).toMatchObject({ decode: 3, frontend: 1 });
  });

  test("--force lifts the bounds, never Grove's minAvailable; what the ratio drags along is said", async () => {
    const { err } = await set("decode=5", "prefill=0", "instances=1", "--force");
    expect(err.split("\n")).toContain("warning: prefill is held at 1: Grove's minAvailable, which nothing lifts");
    expect(err).not.toContain("decode is held");
    expect(err).toContain("a ratio of the policy is broken");
    await world.simulation.clock.advance(60_000);
    expect(replicas()).toMatchObject({ decode: 5, prefill: 1 });
  });

  test("a target that is not named follows its ratio", async () => {
    const { err } = await set("prefill=2");
    expect(err).toBe("warning: decode follows from 1 to 2: its ratio asks for it");
    await world.simulation.clock.advance(60_000);
    expect(replicas()).toMatchObject({ prefill: 2, decode: 2 });
  });

  test("the budget holds what is not forced", async () => {
    const { err } = await set("instances=3", "decode=3", "prefill=2");
    expect(err).toContain("warning: held inside the budget of 48 GPUs, so it may not be reached; --force lifts that");
    const forced = await set("instances=3", "decode=3", "prefill=2", "--force");
    expect(forced.err).not.toContain("budget");
  });

  test("bounds instead of a number, and the younger override wins", async () => {
    const first = await set("decode=3", "--name", "first");
    expect(first.code).toBe(0);
    await world.simulation.clock.advance(60_000);
    const { err, out, code } = await set(
      "--min",
      "decode=2",
      "--max",
      "decode=2",
      "--max",
      "frontend=1",
      "--name",
      "second",
      "-o",
      "json",
    );
    expect({ err, code }).toEqual({ err: "warning: first was in force until now: the younger one wins", code: 0 });
    expect(JSON.parse(out).spec.scaleTargets).toEqual({
      decode: { minReplicas: 2, maxReplicas: 2 },
      frontend: { maxReplicas: 1 },
    });
    await world.simulation.clock.advance(60_000);
    expect(replicas()["decode"]).toBe(2);
    const { out: list } = await world.run(["override", "list"]);
    expect(list).toMatch(/ first .* Superseded /);
    expect(list).toMatch(/ second +llama-70b +decode>=2, decode<=2, frontend<=1 +no +Active /);
    expect(await set("decode=1", "--name", "first")).toMatchObject({
      code: 1,
      err: expect.stringContaining(
        "error: there is an override first already: clear it first, or choose another --name",
      ),
    });
    const cleared = await world.run(["override", "clear", "--policy", "llama-70b"]);
    expect(cleared.out.split("\n")).toEqual([
      "first cleared: metrics decide about decode again",
      "second cleared: metrics decide about decode, frontend again",
    ]);
    expect(await overrides()).toEqual([]);
    expect((await world.run(["override", "clear", "--policy", "llama-70b"])).out).toBe("llama-70b has no override");
  });

  test("on a paused policy it is told that nothing happens yet", async () => {
    await world.run(["pause", "llama-70b"]);
    const { err } = await set("decode=2");
    expect(err).toContain("warning: llama-70b is Paused: nothing is written before it is Active (resume)");
  });

  test.each([
    [
      ["decod=3"],
      'error: "decod=3": llama-70b has no target "decod"; its targets: decode, prefill, frontend, instances',
    ],
    [["--min", "x=3"], 'error: --min "x=3": llama-70b has no target "x"; its targets: '],
    [["decode=three"], 'error: "decode=three" is not TARGET=REPLICAS with a whole number, such as decode=3'],
    [["decode=-1"], 'error: "decode=-1" is not TARGET=REPLICAS with a whole number, such as decode=3'],
    [["decode=99999999999"], 'error: "decode=99999999999" is not TARGET=REPLICAS'],
    [["decode"], 'error: "decode" is not TARGET=REPLICAS with a whole number, such as decode=3'],
    [["decode=1", "decode=2"], 'error: "decode=2": decode is set twice; keep one'],
    [["decode=1", "--min", "decode=1"], "error: decode=1 excludes --min and --max for decode; keep one of the two"],
    [["--min", "decode=3", "--max", "decode=2"], "error: --min decode=3 is above --max decode=2; swap them"],
    [
      [],
      "error: say what to set: TARGET=REPLICAS, --min or --max; targets of llama-70b: frontend, prefill, decode, instances",
    ],
  ])("refuses %j and creates nothing", async (args, message) => {
    const { err, out, code } = await set(...args);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    expect(err.startsWith(message)).toBe(true);
    expect(err.split("\n")).toHaveLength(1);
    expect(await overrides()).toEqual([]);
  });

  test.each([
    [["--reason", "x"], "error: required option '--for <duration>' not specified"],
    [["--for", "1h"], "error: required option '--reason <text>' not specified"],
    [
      ["--for", "1d", "--reason", "x"],
      'error: --for: "1d" is not a duration of at least 1s, such as 30m or 2h (a day is 24h)',
    ],
    [["--for", "-1h", "--reason", "x"], 'error: --for: "-1h" is not a duration'],
    [["--for", "0", "--reason", "x"], 'error: --for: "0" is not a duration'],
    [["--for", "1h", "--reason", " "], "error: --reason: say why, for those who find it later"],
  ])("an override has an end and a reason: %j", async (args, message) => {
    const { err, code } = await world.run(["override", "set", "llama-70b", "decode=2", ...args]);
    expect(code).toBe(2);
    expect(err.startsWith(message)).toBe(true);
  });

  test("policies and overrides that are not there", async () => {
    expect(await world.run(["override", "set", "lama", "decode=2", "--for", "1h", "--reason", "x"])).toMatchObject({
      code: 2,
      err: 'error: there is no ScalingPolicy "lama" in namespace serving; there are: llama-70b',
    });
    expect(await world.run(["override", "list", "lama"])).toMatchObject({ code: 2 });
    expect(await world.run(["override", "clear", "--policy", "lama"])).toMatchObject({ code: 2 });
    expect(await world.run(["override", "clear", "first"])).toMatchObject({
      code: 2,
      err: 'error: there is no ScalingOverride "first" in namespace serving, nor any other',
    });
    expect(await world.run(["override", "clear"])).toMatchObject({
      code: 2,
      err: "error: give the name of an override (override list shows them) or --policy NAME, one of the two",
    });
  });
});

describe("pause and resume", () => {
  test("say before and after, stop the writes, and do nothing twice", async () => {
    expect(await world.run(["pause", "llama-70b"])).toEqual({
      code: 0,
      err: "",
      out: "serving/llama-70b: Active → Paused",
    });
    const { apiServer } = world.simulation.world;
    const version = apiServer.resourceVersion();
    expect((await world.run(["pause", "llama-70b"])).out).toBe("serving/llama-70b is Paused already");
    expect(apiServer.resourceVersion()).toBe(version);
    await set("decode=3");
    await world.simulation.clock.advance(120_000);
    expect(replicas()["decode"]).toBe(1);

    expect((await world.run(["resume", "llama-70b", "--mode", "Advisory"])).out).toBe(
      "serving/llama-70b: Paused → Advisory",
    );
    await world.simulation.clock.advance(60_000);
    expect(replicas()["decode"]).toBe(1);
    expect((await world.run(["resume", "llama-70b"])).out).toBe("serving/llama-70b: Advisory → Active");
    await world.simulation.clock.advance(60_000);
    expect(replicas()["decode"]).toBe(3);
  });

  test("bad input", async () => {
    expect(await world.run(["pause", "lama"])).toMatchObject({
      code: 2,
      err: 'error: there is no ScalingPolicy "lama" in namespace serving; there are: llama-70b',
    });
    expect(await world.run(["pause"])).toMatchObject({ code: 2, err: "error: missing required argument 'policy'" });
    expect(await world.run(["resume", "llama-70b", "--mode", "Paused"])).toMatchObject({
      code: 2,
      err: "error: option '--mode <mode>' argument 'Paused' is invalid. Allowed choices are Active, Advisory.",
    });
  });
});
