/** The command line against a real API server: who we are, what the time is there, and how it refuses. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { SCALING_OVERRIDES } from "../../src/api/autoscaling/scaling-override.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { NAMESPACES } from "../../src/api/kubernetes/core.ts";
import { parseTime } from "../../src/api/kubernetes/time.ts";
import { SELF_SUBJECT_REVIEWS, type SelfSubjectReview } from "../../src/cli/cluster.ts";
import { wallClock } from "../../src/clock.ts";
import { runCli } from "../cli/cli.ts";
import { readExample } from "../sim/simulation.ts";
import { applyFolder, type Cluster, missingCluster, openCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { skipWithout } from "./real-processes.ts";

const NAMESPACE = "grove-cli-test";

let cluster: Cluster;
let run: (...args: string[]) => ReturnType<typeof runCli>;
const folder = mkdtempSync(join(tmpdir(), "grove-autoscaler-cli-real-"));
const isSkipped = skipWithout(missingCluster());

beforeAll(async () => {
  if (isSkipped) return;
  cluster = await openCluster();
  run = (...args) => runCli(args, { kubeconfig: cluster.kubeconfigPath });
  await cluster.api.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  if (isSkipped) return;
  await cluster.api.delete(NAMESPACES, { name: NAMESPACE });
  await cluster.stop();
});

test.skipIf(isSkipped)("the server says who we are and what its time is", async () => {
  const draft = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview", metadata: { name: "" } };
  const { metadata, status } = await cluster.api.create(SELF_SUBJECT_REVIEWS, draft as SelfSubjectReview);
  expect(Math.abs(parseTime(metadata.creationTimestamp ?? "") - wallClock().nowMs())).toBeLessThan(10_000);
  expect(status?.userInfo?.username).toMatch(/\S/);
});

test.skipIf(isSkipped)("from a cluster without CRDs to an override and a pause", async () => {
  const bare = await run("get", "-n", NAMESPACE);
  if (process.env["GROVE_E2E_KUBECONFIG"] === undefined) {
    expect(bare).toMatchObject({ code: 1, err: expect.stringContaining("has not got the CRDs; install them: ") });
  }
  const { out: crds } = await runCli(["crds"]);
  writeFileSync(join(folder, "crds.yaml"), crds);
  await applyFolder(cluster.api, folder);
  // Established comes a moment before the first answer.
  await eventually("policies and overrides to be served", async () => {
    const answers = [await run("get", "policies", "-n", NAMESPACE), await run("get", "overrides", "-n", NAMESPACE)];
    return answers.every(({ code: exit }) => exit === 0);
  });

  const policy = readExample<ScalingPolicy>("multinode-prefill-decode/policy.yaml", "ScalingPolicy");
  await cluster.api.create(SCALING_POLICIES, { ...policy, metadata: { name: "llama-70b", namespace: NAMESPACE } });
  expect((await run("get", "-n", NAMESPACE)).out).toMatch(/^grove-cli-test +llama-70b +llama-70b +Active +- /m);
  expect(await run("explain", "llama-7b", "-n", NAMESPACE)).toMatchObject({
    code: 2,
    err: `error: there is no ScalingPolicy "llama-7b" in namespace ${NAMESPACE}; there are: llama-70b`,
  });
  expect((await run("explain", "llama-70b", "-n", NAMESPACE)).out).toContain(
    "No decision yet. Is the autoscaler running?",
  );

  const set = [
    "override",
    "set",
    "llama-70b",
    "decode=2",
    "--for",
    "10m",
    "--reason",
    "INC-9",
    "--name",
    "mine",
    "-n",
    NAMESPACE,
  ];
  const { err, code } = await run(...set);
  expect({ err, code }).toEqual({
    err: `warning: llama-70b decides nothing now: spec.targetRef.name: there is no PodCliqueSet "llama-70b" in namespace ${NAMESPACE}: create it, or correct the name`,
    code: 0,
  });
  const stored = await cluster.api.get(SCALING_OVERRIDES, { namespace: NAMESPACE, name: "mine" });
  expect(stored.spec.requestedBy).toMatch(/\S/);
  const leftMs = parseTime(stored.spec.expiresAt) - parseTime(stored.metadata.creationTimestamp ?? "");
  expect(Math.abs(leftMs - 600_000)).toBeLessThan(10_000);
  expect(await run(...set)).toMatchObject({
    code: 1,
    err: expect.stringContaining("there is an override mine already"),
  });
  expect((await run("override", "clear", "mine", "-n", NAMESPACE)).out).toBe(
    "mine cleared: metrics decide about decode again",
  );

  expect((await run("pause", "llama-70b", "-n", NAMESPACE)).out).toBe(`${NAMESPACE}/llama-70b: Active → Paused`);
  const paused = await cluster.api.get(SCALING_POLICIES, { namespace: NAMESPACE, name: "llama-70b" });
  expect(paused.spec.mode).toBe("Paused");
  expect(paused.metadata.managedFields?.map(({ manager }) => manager)).toContain("grove-autoscaler-cli");
  expect((await run("resume", "llama-70b", "-n", NAMESPACE)).out).toBe(`${NAMESPACE}/llama-70b: Paused → Active`);
});
