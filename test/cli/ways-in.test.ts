/** The way to the cluster and what can be wrong with it: one line each, with the way out, and no stack trace. */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { admit } from "../../src/api/admission.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { customResourceDefinitions } from "../../src/api/crds/all.ts";
import type { KubeObject } from "../../src/api/kubernetes/meta.ts";
import { VirtualClock } from "../../src/clock.ts";
import { seededRandom } from "../../src/random.ts";
import { type ApiServer, type ApiServerOptions, createApiServer } from "../../src/sim/api-server/api-server.ts";
import { readExample } from "../sim/simulation.ts";
import { type CliResult, runCli, type Scratch, scratch } from "./cli.ts";

let files: Scratch;
const servers: ApiServer[] = [];
beforeEach(() => {
  files = scratch();
  vi.stubEnv("KUBECONFIG", "");
  vi.stubEnv("HOME", files.folder);
});
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  files.remove();
});

async function serve(
  options: Partial<ApiServerOptions> = {},
  { hasCrds = true, tokens = false } = {},
): Promise<{ server: ApiServer; url: string }> {
  const server = createApiServer({ clock: new VirtualClock(), random: seededRandom(1), ...options });
  servers.push(server);
  if (hasCrds) await server.installCustomResources(customResourceDefinitions());
  const { url } = await server.listen(tokens ? { tokens: [{ token: "t-alice", user: "alice" }] } : {});
  return { server, url };
}

/** Exactly one line on standard error, nothing on standard output. */
function expectFailure({ code, out, err }: CliResult, expected: number, message: string | RegExp): void {
  expect({ code, out }).toEqual({ code: expected, out: "" });
  expect(err.split("\n")).toHaveLength(1);
  if (typeof message === "string") expect(err).toBe(message);
  else expect(err).toMatch(message);
}

const EVERY_COMMAND: readonly (readonly string[])[] = [
  ["get"],
  ["get", "policies", "x"],
  ["get", "-w"],
  ["explain", "x"],
  ["budget"],
  ["history"],
  ["budget", "x"],
  ["override", "set", "x", "decode=1", "--for", "1h", "--reason", "r"],
  ["override", "list"],
  ["override", "clear", "x"],
  ["override", "clear", "--policy", "x"],
  ["pause", "x"],
  ["resume", "x"],
];

describe("the kubeconfig", () => {
  test.each(EVERY_COMMAND.map((args) => ({ args })))("none at all: $args", async ({ args }) => {
    expectFailure(
      await runCli(args),
      2,
      "error: there is no kubeconfig: set KUBECONFIG, pass --kubeconfig FILE, or put one at ~/.kube/config",
    );
  });

  test("a file that is not there, or is no kubeconfig", async () => {
    expectFailure(
      await runCli(["get"], { kubeconfig: "/nowhere/config" }),
      2,
      /^error: cannot read the kubeconfig \/nowhere\/config: ENOENT/,
    );
    const broken = files.file("broken", "clusters: [");
    expectFailure(
      await runCli(["get"], { kubeconfig: broken }),
      2,
      new RegExp(`^error: cannot read the kubeconfig ${broken}: `),
    );
  });

  test("KUBECONFIG is read, and --kubeconfig goes before it", async () => {
    const { url } = await serve();
    const good = files.kubeconfig({ url });
    vi.stubEnv("KUBECONFIG", good);
    expect(await runCli(["get"])).toMatchObject({ code: 0, err: "no policies in namespace default (-A looks in all)" });
    vi.stubEnv("KUBECONFIG", "/nowhere/config");
    expect(await runCli(["get"])).toMatchObject({ code: 2 });
    expect(await runCli(["get"], { kubeconfig: good })).toMatchObject({ code: 0 });
  });

  test("an unknown context: which there are", async () => {
    const { url } = await serve();
    expectFailure(
      await runCli(["get", "--context", "prod"], { kubeconfig: files.kubeconfig({ url, clusterName: "staging" }) }),
      2,
      'error: there is no context "prod" in the kubeconfig; it has: staging',
    );
  });

  test("the namespace of the context, unless -n says another", async () => {
    const { server, url } = await serve();
    await server.api.create(SCALING_POLICIES, {
      ...readExample<KubeObject>("prefill-decode/policy.yaml", "ScalingPolicy"),
      metadata: { name: "p", namespace: "default" },
    } as never);
    const elsewhere = files.kubeconfig({ url, namespace: "elsewhere" });
    expect((await runCli(["get"], { kubeconfig: elsewhere })).err).toBe(
      "no policies in namespace elsewhere (-A looks in all)",
    );
    expect((await runCli(["get", "-n", "default"], { kubeconfig: elsewhere })).out).toMatch(/^default +p /m);
    expect((await runCli(["get", "-A"], { kubeconfig: elsewhere })).out).toMatch(/^default +p /m);
  });
});

describe("the cluster", () => {
  test.each(EVERY_COMMAND.map((args) => ({ args })))("does not answer: $args", async ({ args }) => {
    const { server, url } = await serve();
    await server.stop();
    expectFailure(
      await runCli(args, { kubeconfig: files.kubeconfig({ url }) }),
      1,
      `error: cannot reach the API server ${url}: ECONNREFUSED; is it the right --context, and is the cluster up?`,
    );
  });

  test.each(EVERY_COMMAND.map((args) => ({ args })))("has no CRDs: $args", async ({ args }) => {
    const { url } = await serve({}, { hasCrds: false });
    expectFailure(
      await runCli(args, { kubeconfig: files.kubeconfig({ url }) }),
      1,
      "error: the cluster has not got the CRDs; install them: grove-autoscaler crds | kubectl apply --server-side -f -",
    );
  });

  test("plan: not reachable, without CRDs, not allowed, and with a budget that one may not read", async () => {
    const policy = fileURLToPath(new URL("../../policies/multinode-prefill-decode/policy.yaml", import.meta.url));
    const plan = (url: string, file = policy, token?: string) =>
      runCli(["plan", "-f", file, "--prometheus", "http://127.0.0.1:1"], {
        kubeconfig: files.kubeconfig({ url, ...(token === undefined ? {} : { token }) }),
      });
    const gone = await serve();
    await gone.server.stop();
    expectFailure(await plan(gone.url), 1, /^error: cannot reach the API server .*: ECONNREFUSED; /);
    const bare = await serve({}, { hasCrds: false });
    expectFailure(
      await plan(bare.url),
      1,
      /^error: the cluster has not got the CRDs; install them: grove-autoscaler crds /,
    );
    const noPods = await serve(
      { authorize: ({ username }, _, { plural }) => username !== "alice" || plural !== "pods" },
      { tokens: true },
    );
    expectFailure(
      await plan(noPods.url, policy, "t-alice"),
      1,
      /^error: not allowed: .*User "alice" cannot list resource "pods"/,
    );
    const noBudgets = await serve(
      { authorize: ({ username }, _, { plural }) => username !== "alice" || plural !== "gpubudgets" },
      { tokens: true },
    );
    // A policy without a shared budget does not need to see one.
    expectFailure(
      await plan(noBudgets.url, policy, "t-alice"),
      1,
      /^error: llama-70b would decide nothing: TargetNotFound: /,
    );
    const sharing = files.file(
      "sharing.yaml",
      readFileSync(policy, "utf8").replace("{max: 48}", "{sharedBudgetRef: {name: team}}"),
    );
    expectFailure(
      await plan(noBudgets.url, sharing, "t-alice"),
      1,
      /^error: not allowed: .*User "alice" cannot list resource "gpubudgets"/,
    );
  });

  test("freeze: what may not be changed is named, the rest is frozen all the same", async () => {
    const { server, url } = await serve(
      {
        authorize: ({ username }, verb, _, namespace) =>
          username !== "alice" || verb !== "patch" || namespace !== "default",
      },
      { tokens: true },
    );
    const example = readExample<ScalingPolicy>("prefill-decode/policy.yaml", "ScalingPolicy");
    for (const namespace of ["default", "kube-public"]) {
      await server.api.create(SCALING_POLICIES, {
        ...example,
        metadata: { name: "p", namespace },
        spec: { ...example.spec, mode: "Active" },
      });
    }
    const alice = { kubeconfig: files.kubeconfig({ url, token: "t-alice" }) };
    const { code, out, err } = await runCli(["freeze", "--all", "-A", "--reason", "r"], alice);
    expect({ code, out }).toEqual({ code: 1, out: "kube-public/p: Active → Paused (frozen)" });
    expect(err).toMatch(
      /^error: default\/p: not allowed: .*cannot patch .*\nerror: 1 of 2 policies could not be changed; the same command again tries those$/,
    );
    const again = await runCli(["freeze", "--all", "-A", "--reason", "r", "-o", "json"], alice);
    expect(again).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^error: 1 of 2 policies could not be changed/),
    });
    expect(JSON.parse(again.out).items).toEqual([
      { policy: "default/p", result: "failed", message: expect.stringMatching(/^not allowed: .*cannot patch/) },
      { policy: "kube-public/p", result: "unchanged", message: "is frozen already: r" },
    ]);
  });

  test("is something else that answers, or no address at all", async () => {
    const web = createServer((_, response) => response.end("<html>Welcome</html>"));
    await new Promise<void>((resolve) => web.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}`;
    try {
      expectFailure(
        await runCli(["get"], { kubeconfig: files.kubeconfig({ url }) }),
        1,
        `error: what answers at ${url} is no API server: its answer is not JSON; is it the right --context?`,
      );
    } finally {
      web.closeAllConnections();
      web.close();
    }
    expectFailure(
      await runCli(["get"], { kubeconfig: files.kubeconfig({ url: "nonsense" }) }),
      1,
      /^error: cannot log in to the cluster: /,
    );
  });

  test("does not know the token", async () => {
    const { url } = await serve({}, { tokens: true });
    expectFailure(
      await runCli(["get"], { kubeconfig: files.kubeconfig({ url, token: "stolen" }) }),
      1,
      "error: the cluster does not know who you are: Unauthorized; log in again, or choose another --context",
    );
    expect(await runCli(["get"], { kubeconfig: files.kubeconfig({ url, token: "t-alice" }) })).toMatchObject({
      code: 0,
    });
  });

  test("allows reading and not writing", async () => {
    let isSetUp = true;
    const { server, url } = await serve(
      { authorize: (_, verb) => ["get", "list", "watch"].includes(verb) || isSetUp },
      { tokens: true },
    );
    await server.api.create(SCALING_POLICIES, {
      ...readExample<KubeObject>("prefill-decode/policy.yaml", "ScalingPolicy"),
      metadata: { name: "p", namespace: "default" },
    } as never);
    isSetUp = false;
    const alice = { kubeconfig: files.kubeconfig({ url, token: "t-alice" }) };
    expectFailure(
      await runCli(["pause", "p"], alice),
      1,
      /^error: not allowed: .*User "alice" cannot patch resource "scalingpolicies"/,
    );
    const set = await runCli(["override", "set", "p", "decode=2", "--for", "1h", "--reason", "r"], alice);
    expect(set.code).toBe(1);
    expect(set.err.split("\n").at(-1)).toMatch(
      /^error: not allowed: .*User "alice" cannot create resource "scalingoverrides"/,
    );
  });

  test("who may set an override but not see the pods is told so, and the override is set by their name", async () => {
    const { server, url } = await serve(
      { authorize: (_, verb, { plural }) => plural !== "pods" || verb === "create", admit: admission },
      { tokens: true },
    );
    await server.api.create(SCALING_POLICIES, {
      ...readExample<KubeObject>("prefill-decode/policy.yaml", "ScalingPolicy"),
      metadata: { name: "p", namespace: "default" },
    } as never);
    const alice = { kubeconfig: files.kubeconfig({ url, token: "t-alice" }) };
    const { code, err, out } = await runCli(
      ["override", "set", "p", "decode=2", "--for", "1h", "--reason", "r", "-o", "json"],
      alice,
    );
    expect(code).toBe(0);
    expect(err).toMatch(/^warning: cannot say what will hold it: .*User "alice" cannot list resource "pods"/);
    expect(JSON.parse(out).spec).toMatchObject({ requestedBy: "alice", reason: "r" });
  });
});

describe("the command line", () => {
  test.each([
    [["gett"], "error: unknown command 'gett' (Did you mean get?)"],
    [["get", "--watchh"], "error: unknown option '--watchh' (Did you mean --watch?)"],
    [
      ["get", "-o", "xml"],
      "error: option '-o, --output <format>' argument 'xml' is invalid. Allowed choices are table, json, yaml.",
    ],
    [["explain"], "error: missing required argument 'policy'"],
    [["explain", "a", "b"], "error: too many arguments for 'explain'. Expected 1 argument but got 2: a, b."],
    [["override", "set"], "error: required option '--for <duration>' not specified"],
    [
      ["crds", "--group", "x"],
      'error: --group: there is no API group "x"; there are: autoscaling.grove.io, grove.io, scheduler.grove.io',
    ],
  ])("%j", async (args, message) => {
    expect(await runCli(args)).toEqual({ code: 2, out: "", err: message });
  });

  test("--version", async () => {
    expect(await runCli(["--version"])).toMatchObject({ code: 0, out: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
  });

  test.each([
    "get",
    "explain",
    "budget",
    "history",
    "doctor",
    "plan",
    "override set",
    "override list",
    "override clear",
    "pause",
    "resume",
    "freeze",
    "unfreeze",
    "crds",
    "lint",
  ])("%s --help has an example that starts with the command itself", async (command) => {
    const { out, err, code } = await runCli([...command.split(" "), "--help"]);
    expect({ err, code }).toEqual({ err: "", code: 0 });
    expect(out).toMatch(new RegExp(`Examples?:\\n {2}grove-autoscaler ${command}\\b`));
  });
});

const admission: NonNullable<ApiServerOptions["admit"]> = ({ operation, subresource, object }) =>
  subresource === undefined ? (admit({ operation, object: object as KubeObject }) as never) : {};
