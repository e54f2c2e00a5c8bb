/** An incident: everything stops at once, and afterwards exactly that starts again. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { parse } from "yaml";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { FREEZE_ANNOTATION } from "../../src/cli/freeze-annotation.ts";
import { type LiveWorld, startLiveWorld } from "./live-world.ts";

let world: LiveWorld;
beforeEach(async () => {
  world = await startLiveWorld({ seed: 4 });
});
afterEach(() => world.stop());

const policy = (): Promise<ScalingPolicy> =>
  world.simulation.world.api.get(SCALING_POLICIES, { namespace: "serving", name: "llama-70b" });
const decode = (): number | undefined =>
  world.simulation.decisions.at(-1)?.targets.find(({ name }) => name === "decode")?.current;

test("freeze stops the writes and says why, twice is once, unfreeze starts them again", async () => {
  expect(await world.run(["freeze", "--all", "-A", "--reason", "INC-1"])).toEqual({
    code: 0,
    err: "",
    out: "serving/llama-70b: Active → Paused (frozen)",
  });
  const frozen = await policy();
  expect(frozen.spec.mode).toBe("Paused");
  expect(JSON.parse(frozen.metadata.annotations?.[FREEZE_ANNOTATION] ?? "")).toEqual({
    mode: "Active",
    reason: "INC-1",
    at: expect.stringMatching(/^\d{4}-.*Z$/),
    by: "kubernetes-admin",
  });
  expect((await world.run(["freeze", "--all", "--reason", "again"])).out).toBe(
    "serving/llama-70b is frozen already: INC-1",
  );
  await world.run(["override", "set", "llama-70b", "decode=3", "--for", "1h", "--reason", "x"]);
  await world.simulation.clock.advance(120_000);
  expect(decode()).toBe(1);

  expect(await world.run(["unfreeze", "--all"])).toEqual({
    code: 0,
    err: "",
    out: "serving/llama-70b: Paused → Active",
  });
  expect((await policy()).metadata.annotations?.[FREEZE_ANNOTATION]).toBeUndefined();
  await world.simulation.clock.advance(60_000);
  expect(decode()).toBe(3);
});

test("what a person paused stays paused", async () => {
  await world.run(["pause", "llama-70b"]);
  expect((await world.run(["freeze", "llama-70b", "--reason", "INC-2"])).out).toBe(
    "serving/llama-70b is Paused and writes nothing: left as it is",
  );
  expect((await world.run(["unfreeze", "--all"])).out).toBe("serving/llama-70b is not frozen: stays Paused");
  expect((await policy()).spec.mode).toBe("Paused");

  await world.run(["resume", "llama-70b"]);
  await world.run(["freeze", "llama-70b", "--reason", "INC-2"]);
  expect((await world.run(["pause", "llama-70b"])).out).toBe(
    "serving/llama-70b is Paused already; unfreeze leaves it so",
  );
  await world.run(["unfreeze", "--all"]);
  expect((await policy()).spec.mode).toBe("Paused");
});

test("resume of one policy takes the mark away", async () => {
  await world.run(["freeze", "--all", "--reason", "INC-3"]);
  expect((await world.run(["resume", "llama-70b"])).out).toBe("serving/llama-70b: Paused → Active");
  expect((await policy()).metadata.annotations?.[FREEZE_ANNOTATION]).toBeUndefined();
});

test("bad input changes nothing", async () => {
  const before = world.simulation.world.apiServer.resourceVersion();
  const either = "error: give names of policies (get shows them) or --all, one of the two";
  expect(await world.run(["freeze", "--reason", "x"])).toMatchObject({ code: 2, err: either });
  expect(await world.run(["freeze", "llama-70b", "--all", "--reason", "x"])).toMatchObject({ code: 2, err: either });
  expect(await world.run(["freeze", "--all", "--reason", " "])).toMatchObject({ code: 2 });
  expect(await world.run(["freeze", "--all"])).toMatchObject({
    code: 2,
    err: "error: required option '--reason <text>' not specified",
  });
  expect(await world.run(["freeze", "llama-70b", "-A", "--reason", "x"])).toMatchObject({
    code: 2,
    err: "error: --all-namespaces goes with --all: a name is in one namespace, give -n",
  });
  expect(await world.run(["freeze", "llama-70b", "lama", "--reason", "x"])).toMatchObject({
    code: 2,
    err: 'error: there is no ScalingPolicy "lama" in namespace serving; there are: llama-70b',
  });
  expect(world.simulation.world.apiServer.resourceVersion()).toBe(before);
});

test("no policy where one looks for them is a failure: nothing is under control by it", async () => {
  for (const args of [
    ["freeze", "--all", "--reason", "x"],
    ["unfreeze", "--all"],
  ]) {
    expect(await world.run([...args, "-n", "default"])).toEqual({
      code: 1,
      out: "",
      err: "error: there are no policies in namespace default: -n NAME looks in another, -A in all",
    });
  }
  await world.simulation.world.api.delete(SCALING_POLICIES, { namespace: "serving", name: "llama-70b" });
  expect(await world.run(["freeze", "--all", "-A", "--reason", "x"])).toEqual({
    code: 1,
    out: "",
    err: "error: there are no policies in any namespace",
  });
});

test("-o json and yaml: what became of each policy", async () => {
  const freeze = ["freeze", "--all", "--reason", "INC-4"];
  expect(JSON.parse((await world.run([...freeze, "-o", "json"])).out)).toEqual({
    items: [{ policy: "serving/llama-70b", result: "changed", message: "Active → Paused (frozen)" }],
  });
  expect(parse((await world.run([...freeze, "-o", "yaml"])).out)).toEqual({
    items: [{ policy: "serving/llama-70b", result: "unchanged", message: "is frozen already: INC-4" }],
  });
  expect(JSON.parse((await world.run(["unfreeze", "llama-70b", "-o", "json"])).out)).toEqual({
    items: [{ policy: "serving/llama-70b", result: "changed", message: "Paused → Active" }],
  });
});
