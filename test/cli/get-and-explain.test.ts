/** What a person on call sees first: `get` and `explain` against a running system. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { STAGES } from "../../src/decide/decision.ts";
import { type LiveWorld, startBusyWorld, startLiveWorld } from "./live-world.ts";

let world: LiveWorld;
beforeAll(async () => {
  world = await startBusyWorld(5);
});
afterAll(() => world.stop());

describe("get", () => {
  test("one line a policy: per-target replicas, GPUs of the budget, the last reason", async () => {
    const { out, err, code } = await world.run(["get"]);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    const [header, row, ...rest] = out.split("\n");
    expect(header).toMatch(
      /^NAMESPACE +NAME +TARGET +MODE +READY +READY\/CURRENT→DESIRED +GPUS +LAST DECISION +DECIDED +AGE$/,
    );
    expect(row).toMatch(
      /^serving +llama-70b +llama-70b +Active +True +instances \d\/\d\S* {2}frontend \d\/\d\S* {2}prefill \d\/\d\S* {2}decode \d\/\d\S* +\d+\/48 +[A-Za-z]+ +\d+s +\d+m/,
    );
    expect(rest).toEqual([]);
    const { status } = await current();
    for (const { name, ready, current: replicas, desired } of status?.targets ?? []) {
      expect(row).toContain(`${name} ${ready}/${replicas}${replicas === desired ? "" : `→${desired}`}`);
    }
  });

  test("a name and -o json give the object, without one a List; YAML says the same", async () => {
    const one = JSON.parse((await world.run(["get", "policies", "llama-70b", "-o", "json"])).out);
    expect(one).toMatchObject({ kind: "ScalingPolicy", metadata: { name: "llama-70b", namespace: "serving" } });
    expect(one.metadata.managedFields).toBeUndefined();
    const list = JSON.parse((await world.run(["get", "sp", "-A", "-o", "json"])).out);
    expect(list).toEqual({ apiVersion: "v1", kind: "List", metadata: {}, items: [one] });
    expect(parse((await world.run(["get", "policies", "llama-70b", "-o", "yaml"])).out)).toEqual(one);
  });

  test("nothing there is no failure and goes to standard error", async () => {
    expect(await world.run(["get", "budgets"])).toEqual({ code: 0, out: "", err: "no budgets" });
    expect(await world.run(["get", "policies", "-n", "default"])).toEqual({
      code: 0,
      out: "",
      err: "no policies in namespace default (-A looks in all)",
    });
    expect(JSON.parse((await world.run(["get", "budgets", "-o", "json"])).out).items).toEqual([]);
  });

  test("mistyped names: what there is, near ones first, also in other namespaces", async () => {
    expect(await world.run(["get", "policies", "llama-7b"])).toEqual({
      code: 2,
      out: "",
      err: 'error: there is no ScalingPolicy "llama-7b" in namespace serving; there are: llama-70b',
    });
    expect((await world.run(["explain", "llama-70b", "-n", "default"])).err).toBe(
      'error: there is no ScalingPolicy "llama-70b" in namespace default, nor any other; elsewhere: -n serving llama-70b',
    );
    expect(await world.run(["get", "llama-70b"])).toMatchObject({
      code: 2,
      err: 'error: there is nothing called "llama-70b" to get: policies, overrides or budgets (one policy: get policies llama-70b)',
    });
    expect(await world.run(["get", "-A", "-n", "serving"])).toMatchObject({
      code: 2,
      err: "error: --namespace and --all-namespaces exclude one another: keep one of the two",
    });
  });

  test("-w prints a line when something changes, and ends when it is told to", async () => {
    let paused: Promise<unknown> | undefined;
    const { out, code } = await world.run(["get", "-w"], {
      onPrint(line) {
        if (line.includes(" Active ")) paused ??= world.run(["pause", "llama-70b"]);
        return line.includes(" Paused ");
      },
    });
    expect(code).toBe(0);
    await paused;
    const lines = out.split("\n");
    expect(lines[0]).toMatch(/^NAMESPACE/);
    expect(lines[1]).toMatch(/ Active /);
    expect(lines.at(-1)).toMatch(/ Paused /);
    expect(await world.run(["resume", "llama-70b"])).toMatchObject({ out: "serving/llama-70b: Paused → Active" });
  });
});

describe("explain", () => {
  test("the eleven stages in their order, inside 80 columns, without colours in a pipe", async () => {
    const { out, err, code } = await world.run(["explain", "llama-70b"]);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
    expect(out).not.toContain("\x1b");
    const stages = [...out.matchAll(/^ +(\d+) (\w+)/gm)].map(([, number, stage]) => `${number} ${stage}`);
    expect(stages.slice(0, STAGES.length)).toEqual(STAGES.map((stage, index) => `${index + 1} ${stage}`));
    const { status } = await current();
    const flat = out.replace(/\s+/g, " ");
    expect(flat).toContain(status?.lastDecision?.message);
    for (const { detail } of status?.lastDecision?.chain ?? [])
      if (detail !== undefined) expect(flat.replace(/ /g, "")).toContain(detail.replace(/ /g, ""));
    expect(flat).toContain("ratio prefill-decode: ready");
    expect(flat).toMatch(/GPUs: \d+ in use, \d+ wanted, of 48/);
  });

  test("each target, the set too: why this number, why not one more, why not one less, and what would change it", async () => {
    const { out } = await world.run(["explain", "llama-70b"]);
    const { status } = await current();
    const flat = (text: string): string => text.replace(/\s+/g, "");
    const decision = status?.lastDecision;
    expect(out).toContain(`Why these numbers (decision ${decision?.id}, times as of ${decision?.time})`);
    expect(decision?.neighbours?.map(({ target }) => target)).toEqual(status?.targets?.map(({ name }) => name));
    for (const { target, oneMore, oneLess } of decision?.neighbours ?? []) {
      const shown = status?.targets?.find(({ name }) => name === target);
      const number =
        shown?.current === shown?.desired ? `stays at ${shown?.current}` : `${shown?.current} → ${shown?.desired}`;
      expect(flat(out)).toContain(flat(`${target} ${number}`));
      for (const [head, answer] of [
        ["one more: ", oneMore],
        ["one less: ", oneLess],
      ] as const) {
        expect(answer.change).toMatch(/\S/);
        expect(flat(out)).toContain(
          flat(`${head}${answer.constraint}: ${answer.detail} changes with: ${answer.change}`),
        );
      }
    }
    expect(out).not.toContain("not written");
  });

  test("colours for a person's terminal, and none with NO_COLOR", async () => {
    const coloured = await world.run(["explain", "llama-70b"], { isInteractive: true });
    expect(coloured.out).toContain("\x1b[1mserving/llama-70b scales PodCliqueSet llama-70b, mode Active\x1b[0m");
    const plain = await world.run(["explain", "llama-70b"], { isInteractive: true, environment: { NO_COLOR: "1" } });
    expect(plain.out).not.toContain("\x1b");
  });

  test("-o json is the status, without the checkpoint", async () => {
    const shown = JSON.parse((await world.run(["explain", "llama-70b", "-o", "json"])).out);
    const { status } = await current();
    expect(shown.lastDecision).toEqual(status?.lastDecision);
    expect(shown.checkpoint).toBeUndefined();
  });

  test("an earlier decision by its number, or which there are", async () => {
    const { status } = await current();
    const earlier = status?.history?.find(({ id }) => id !== status.lastDecision?.id);
    const { out } = await world.run(["explain", "llama-70b", "--decision", earlier?.id ?? ""]);
    const flat = out.replace(/\s+/g, " ");
    expect(flat).toContain(`Decision ${earlier?.id}: ${earlier?.outcome}, ${earlier?.reason}`);
    expect(flat).toContain(earlier?.message);
    expect(flat).toContain("The chain of stages is kept for the last decision only");
    const unknown = await world.run(["explain", "llama-70b", "--decision", "99999"]);
    expect(unknown.code).toBe(2);
    expect(unknown.err).toMatch(
      /^error: --decision: llama-70b does not keep decision 99999; it keeps .*: \d+(, \d+)+$/,
    );
    expect(unknown.err.split(/[:,] /)).toContain(earlier?.id);
    expect(await world.run(["explain", "llama-70b", "--decision", "last"])).toMatchObject({
      code: 2,
      err: 'error: --decision: "last" is not the number of a decision',
    });
  });

  test("conditions that are not as they should be stand near the top", async () => {
    await world.run(["pause", "llama-70b"]);
    await world.simulation.clock.advance(30_000);
    const { out } = await world.run(["explain", "llama-70b"]);
    expect(out).toMatch(/Not as it should be\n(.*\n)*? {2}ScalingActive=False Paused, for \d+s: mode is Paused/);
    expect(out).toMatch(/10 gate +closed: the policy is paused, nothing is written/);
    expect(out).toMatch(/^ {2}not written: closed: the policy is paused, nothing is written$/m);
    await world.run(["resume", "llama-70b"]);
    await world.simulation.clock.advance(30_000);
    expect((await world.run(["explain", "llama-70b"])).out).not.toContain("ScalingActive=False");
  });

  test("a silent autoscaler is noticed", async () => {
    await world.simulation.clock.advance(1_000);
    expect((await world.run(["explain", "llama-70b"])).out).not.toContain("is the autoscaler running");
    const silent = await startLiveWorld({ seed: 6 });
    try {
      silent.simulation.stop();
      await silent.simulation.clock.advance(600_000);
      expect((await silent.run(["explain", "llama-70b"])).out).toMatch(
        /The last word is \d+m\S* old: is the autoscaler running, and does it lead\?/,
      );
    } finally {
      await silent.stop();
    }
  });
});

const current = async (): Promise<ScalingPolicy> =>
  JSON.parse((await world.run(["get", "policies", "llama-70b", "-o", "json"])).out);
