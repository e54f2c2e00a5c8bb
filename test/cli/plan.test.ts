/** `plan`: the loop's own decision for a policy that is not there yet, and not a trace of it left behind. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { GPU_BUDGETS } from "../../src/api/autoscaling/gpu-budget.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import type { Decision } from "../../src/decide/decision.ts";
import { emptyMemory } from "../../src/decide/memory.ts";
import { serializeMemory } from "../../src/jobs/checkpoint-store.ts";
import { type LiveWorld, startLiveWorld } from "./live-world.ts";

const EXAMPLE = new URL("../../policies/multinode-prefill-decode/policy.yaml", import.meta.url);
const WORKLOAD = new URL("../../policies/multinode-prefill-decode/workload.yaml", import.meta.url);

interface PolicyFile {
  metadata: { name: string; namespace?: string };
  spec: Omit<ScalingPolicy["spec"], "scaleTargets" | "mode" | "gpuBudget"> & {
    gpuBudget: Partial<ScalingPolicy["spec"]["gpuBudget"]>;
    mode?: string;
    scaleTargets: Record<string, unknown>[];
  };
}

let world: LiveWorld;
beforeAll(async () => {
  world = await startLiveWorld({ seed: 9 });
});
afterAll(() => world.stop());

let files = 0;
/** The example policy with a change, as a file. */
function policyFile(change: (policy: PolicyFile) => void = () => undefined): string {
  const policy = parse(readFileSync(EXAMPLE, "utf8"), { merge: true }) as PolicyFile;
  change(policy);
  return world.scratch.file(`policy-${files++}.yaml`, stringify(policy, { aliasDuplicateObjects: false }));
}

const target = (policy: PolicyFile, name: string): Record<string, unknown> =>
  policy.spec.scaleTargets.find((one) => one["name"] === name) ?? {};

interface PlanItem {
  readonly policy: string;
  readonly isNew: boolean;
  readonly memory: string;
  readonly decision: Decision;
}

async function planJson(file: string, ...more: string[]): Promise<PlanItem> {
  const { out, err, code } = await world.run(["plan", "-f", file, "-o", "json", ...more]);
  expect({ err, code }).toEqual({ err: "", code: 0 });
  const { items } = JSON.parse(out) as { items: PlanItem[] };
  expect(items).toHaveLength(1);
  return items[0] as PlanItem;
}

describe("plan", () => {
  test("the unchanged policy: what the running loop sees, demand for demand", async () => {
    const { decision, isNew, policy } = await planJson(policyFile());
    expect({ isNew, policy }).toEqual({ isNew: false, policy: "serving/llama-70b" });
    await world.simulation.clock.advance(16_000);
    const live = world.simulation.decisions.at(-1);
    const view = (one: Decision | undefined): unknown =>
      one?.targets.map(({ name, current, ready, goal, minViable, demand }) => [
        name,
        current,
        ready,
        goal,
        minViable,
        demand?.reason,
      ]);
    expect(view(decision)).toEqual(view(live));
    expect(decision.budget).toMatchObject({ gpusUsed: live?.budget.gpusUsed, gpusMax: 48 });
  });

  test("a changed policy: the writes it would make, and nothing is written", async () => {
    const file = policyFile((policy) => {
      target(policy, "decode")["minReplicas"] = 2;
    });
    const before = world.simulation.world.apiServer.resourceVersion();
    const { decision } = await planJson(file);
    expect(decision.transition.now).toMatchObject([
      { target: "decode", objectName: "llama-70b-0-decode", from: 1, to: 2 },
    ]);
    const { out, code, err } = await world.run(["plan", "-f", file]);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(out).toMatch(/^Plan: in place of the policy on the cluster, .*\n?.*Nothing was written\.$/m);
    expect(out).toContain(
      "Would write: llama-70b-0-decode 1→2\nHeads for: decode 1→2, as windows and rate limits let it\n",
    );
    expect(out).toMatch(/9 transition +decode\/0 +1 → 2 +Write/);
    expect(out.split("\n").filter((line) => line.length > 80)).toEqual([]);
    expect(world.simulation.world.apiServer.resourceVersion()).toBe(before);
  });

  test("a new policy for the same set meets the older one, and says so", async () => {
    const file = policyFile((policy) => {
      policy.metadata.name = "second";
    });
    const { err, code } = await world.run(["plan", "-f", file]);
    expect(code).toBe(1);
    expect(err).toBe(
      "error: second would decide nothing: ForeignController: spec.targetRef.name: ScalingPolicy llama-70b is older and already scales PodCliqueSet llama-70b: delete one of them",
    );
  });

  test("names that the PodCliqueSet does not have", async () => {
    const file = policyFile((policy) => {
      target(policy, "decode")["ref"] = "decoder";
    });
    expect(await world.run(["plan", "-f", file])).toMatchObject({
      code: 1,
      err: 'error: llama-70b would decide nothing: UnknownTarget: spec.scaleTargets[2].ref "decoder": PodCliqueSet llama-70b has no scaling group of that name; it has: prefill, decode',
    });
  });

  test("a paused policy is planned as what it would do", async () => {
    const file = policyFile((policy) => {
      policy.spec.mode = "Paused";
      target(policy, "decode")["minReplicas"] = 2;
    });
    const { out } = await world.run(["plan", "-f", file]);
    expect(out.replace(/\s+/g, " ")).toContain("Would write if it were Active and not Paused: llama-70b-0-decode 1→2");
  });

  test("the windows of the running policy are in its status, or they are empty", async () => {
    expect(await planJson(policyFile())).toMatchObject({ memory: "none", decision: { id: "1" } });
    const checkpoint = serializeMemory({ ...emptyMemory, decisions: 41 });
    const key = { namespace: "serving", name: "llama-70b" };
    const status = { status: { checkpoint } };
    await world.simulation.world.api.patch(SCALING_POLICIES, key, status, { type: "merge", subresource: "status" });
    expect(await planJson(policyFile())).toMatchObject({ memory: "stored", decision: { id: "42" } });
    expect(await planJson(policyFile(), "--memory", "empty")).toMatchObject({ memory: "none", decision: { id: "1" } });
  });

  test("of a policy that nobody has written to for long, it does not say that of itself", async () => {
    const key = { namespace: "serving", name: "llama-70b" };
    const status = { status: { nextStatusBy: "2020-01-01T00:00:00Z" } };
    await world.simulation.world.api.patch(SCALING_POLICIES, key, status, { type: "merge", subresource: "status" });
    const SILENT = "is the autoscaler running";
    expect((await world.run(["explain", "llama-70b", "-n", "serving"])).out).toContain(SILENT);
    expect((await world.run(["plan", "-f", policyFile()])).out).not.toContain(SILENT);
  });

  test("a shared budget counts as it is dealt now: what the others are not sure of is there, for a newcomer, too", async () => {
    const { api } = world.simulation.world;
    await api.create(GPU_BUDGETS, {
      apiVersion: "autoscaling.grove.io/v1alpha1",
      kind: "GPUBudget",
      metadata: { name: "team" },
      spec: { capacity: 30, reserve: 2, members: [] },
    });
    const member = (policy: string, granted: number) => ({
      namespace: "serving",
      policy,
      used: 8,
      requested: 8,
      granted,
    });
    const publish = (members: readonly object[]) =>
      api.patch(GPU_BUDGETS, { name: "team" }, { status: { members } }, { type: "merge", subresource: "status" });
    const file = policyFile((policy) => {
      policy.spec.gpuBudget = { ...policy.spec.gpuBudget, sharedBudgetRef: { name: "team" } };
    });
    await publish([member("llama-70b", 10), member("other", 16)]);
    expect((await planJson(file)).decision.budget.gpusMax).toBe(12);
    // Of its own share it keeps what it has, whatever the others hold.
    await publish([member("llama-70b", 10), member("other", 26)]);
    const { gpusMax, gpusUsed } = (await planJson(file)).decision.budget;
    expect(gpusMax).toBe(Math.min(10, gpusUsed));
    await publish([member("other", 16)]);
    expect((await planJson(file)).decision.budget.gpusMax).toBe(12);
    const missing = policyFile((policy) => {
      policy.spec.gpuBudget = { ...policy.spec.gpuBudget, sharedBudgetRef: { name: "nobody" } };
    });
    // Nothing may grow past a budget that is not there, and nothing is taken away for its lack.
    expect((await planJson(missing)).decision.budget).toMatchObject({ gpusMax: 48, isUnknown: true });
  });

  test("the file is checked as the cluster would check it, field by field", async () => {
    const file = policyFile((policy) => {
      target(policy, "decode")["minReplica"] = 1;
      target(policy, "prefill")["maxReplicas"] = 0;
    });
    const { err, code, out } = await world.run(["plan", "-f", file]);
    expect({ code, out }).toEqual({ code: 2, out: "" });
    const lines = err.split("\n");
    expect(lines).toHaveLength(2);
    for (const line of lines)
      expect(line.startsWith(`error: ${file}: ScalingPolicy llama-70b: spec.scaleTargets[`)).toBe(true);
    expect(err).toContain("spec.scaleTargets[1].maxReplicas: must be at least 1");
    expect(err).toContain("spec.scaleTargets[2].minReplica: is unknown; known here: name, level,");
  });

  test.each([
    ["sum(rates(x[1m]))", 'not valid PromQL: unknown function with name "rates" (at "rates(x[1m]))")'],
    ["sum(rate(x[1m])", "not valid PromQL: "],
    ["up{ {{pod}} }", "unknown placeholder {{pod}}: there are {{namespace}}, {{podRegex}} and {{selector}}"],
  ])("a query that is none: %s", async (query, message) => {
    const file = policyFile((policy) => {
      target(policy, "frontend")["metrics"] = [
        { type: "Prometheus", prometheus: { query, target: { type: "AverageValue", averageValue: "8" } } },
      ];
    });
    const { err, code } = await world.run(["plan", "-f", file]);
    expect(code).toBe(2);
    expect(err).toContain(
      `error: ${file}: ScalingPolicy llama-70b: spec.scaleTargets[0].metrics[0].prometheus.query: ${message}`,
    );
  });

  test("other objects in the files are named as not used", async () => {
    const workload = world.scratch.file("workload.yaml", readFileSync(WORKLOAD, "utf8"));
    const { err, code } = await world.run(["plan", "-f", policyFile(), "-f", workload]);
    expect({ err, code }).toEqual({
      err: "note: PodCliqueSet llama-70b is not used: plan reads the one on the cluster",
      code: 0,
    });
    expect(await world.run(["plan", "-f", workload])).toMatchObject({
      code: 2,
      err: `error: ${workload}: no ScalingPolicy in there to plan for`,
    });
  });

  test("without a Prometheus it says which flag or variable to give", async () => {
    expect(await world.run(["plan", "-f", policyFile()], { environment: {} })).toEqual({
      code: 2,
      out: "",
      err: "error: no Prometheus to ask: give --prometheus URL or set GROVE_AUTOSCALER_PROMETHEUS_URL (lint checks a file without one)",
    });
    expect(await world.run(["plan", "-f", policyFile(), "--prometheus", "prometheus:9090"])).toMatchObject({
      code: 2,
      err: 'error: --prometheus: "prometheus:9090" is not a URL that starts with http:// or https://',
    });
  });

  test("a Prometheus that does not answer is part of the decision: it holds, and says why", async () => {
    const { decision } = await planJson(policyFile(), "--prometheus", "http://127.0.0.1:1");
    expect(decision.reason).toBe("MetricUnknown");
    expect(decision.message).toMatch(/ECONNREFUSED|EPERM|EACCES/);
    expect(decision.transition.now).toEqual([]);
  });

  test("token and headers go to a Prometheus that wants them", async () => {
    const seen: (string | undefined)[][] = [];
    const server = createServer(({ headers }, response) => {
      seen.push([headers.authorization, headers["x-scope-orgid"] as string | undefined]);
      response.setHeader("content-type", "application/json");
      response.end(JSON.stringify({ status: "success", data: { resultType: "vector", result: [] } }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const token = world.scratch.file("token", "s3cret\n");
    try {
      await planJson(
        policyFile(),
        "--prometheus",
        url,
        "--prometheus-bearer-token-file",
        token,
        "--prometheus-header",
        "X-Scope-OrgID=llm",
      );
      expect(seen.length).toBeGreaterThan(0);
      for (const one of seen) expect(one).toEqual(["Bearer s3cret", "llm"]);
    } finally {
      server.closeAllConnections();
      server.close();
    }
    expect(
      await world.run(["plan", "-f", policyFile(), "--prometheus", url, "--prometheus-header", "x"]),
    ).toMatchObject({
      code: 2,
      err: 'error: --prometheus-header: "x" is not a header: write name=value',
    });
  });

  test("bad files and flags", async () => {
    expect(await world.run(["plan"])).toMatchObject({
      code: 2,
      err: "error: nothing to plan: give -f FILE with ScalingPolicies, or --replay FILE with a recorded run",
    });
    expect((await world.run(["plan", "-f", "/nowhere.yaml"])).err).toMatch(
      /^error: --filename: cannot read \/nowhere\.yaml: there is no such file: check the path$/,
    );
    const broken = world.scratch.file("broken.yaml", "a: [");
    expect(await world.run(["plan", "-f", broken])).toMatchObject({ code: 2, err: expect.stringContaining(broken) });
    expect(await world.run(["plan", "-f", policyFile(), "-n", "default"])).toMatchObject({
      code: 2,
      err: "error: --namespace is default, but llama-70b is in namespace serving: keep one of the two",
    });
  });
});
