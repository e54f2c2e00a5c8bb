/** Shared claims in the embedded API server when things go wrong: templates that come late, claims that are taken away, clusters without the API. */
import { afterEach, expect, test } from "vitest";
import { POD_CLIQUES } from "../../src/api/grove/pod-clique.ts";
import { POD_CLIQUE_SETS, type PodCliqueSetInput } from "../../src/api/grove/pod-clique-set.ts";
import { PODS } from "../../src/api/kubernetes/core.ts";
import { RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS } from "../../src/api/kubernetes/resource-claim.ts";
import { startTestWorld, type TestWorld, type TestWorldOptions } from "./test-world.ts";
import { clique, workload } from "./workloads.ts";

let world: TestWorld;
afterEach(() => world.stop());

const start = async (options: TestWorldOptions = {}): Promise<void> => {
  world = await startTestWorld(options);
};
const devices = { devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpus" } }] } };

/** Two pods; each has a claim of the clique, both one of the set. */
function sharing(name: string, template: { readonly name: string; readonly namespace?: string }): PodCliqueSetInput {
  return workload(name, {
    resourceClaimTemplates: [{ name: "own", templateSpec: { spec: devices } }],
    resourceSharing: [{ ...template, scope: "AllReplicas" }],
    cliques: [{ ...clique("a", 2, 2), resourceSharing: [{ name: "own", scope: "PerReplica" }] }],
  });
}
const createTemplate = (name: string): Promise<unknown> =>
  world.api.create(RESOURCE_CLAIM_TEMPLATES, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaimTemplate",
    metadata: { name, namespace: "default" },
    spec: { spec: devices },
  });
const lastErrors = async (name: string): Promise<readonly string[]> => {
  const { status } = await world.api.get(POD_CLIQUE_SETS, { namespace: "default", name });
  return (status?.lastErrors ?? []).map(({ code, description }) => `${code}: ${description}`);
};

test("a template that is missing is named in lastErrors, nothing is half-made, and its coming is enough", async () => {
  await start();
  await world.createSet(sharing("late", { name: "ext" }));
  await world.settle(300_000);
  expect(await lastErrors("late")).toEqual([
    "ERR_SYNC_PCS_RESOURCE_CLAIM: resourceSharing: no template of that name in the set, and no ResourceClaimTemplate default/ext in the cluster",
  ]);
  expect([...(await world.names(RESOURCE_CLAIMS)), ...(await world.names(POD_CLIQUES))]).toEqual([]);

  await createTemplate("ext");
  await world.settle(1_000);
  expect(await world.names(RESOURCE_CLAIMS)).toEqual(["late-0-a-0-own", "late-0-a-1-own", "late-all-ext"]);
  expect(await world.names(PODS)).toHaveLength(2);
  expect(await lastErrors("late")).toEqual([]);
});

test("a claim that somebody deletes is made again at once", async () => {
  await start();
  await world.createSet(sharing("heals", { name: "own" }));
  await world.settle();
  const all = await world.names(RESOURCE_CLAIMS);
  expect(all).toEqual(["heals-0-a-0-own", "heals-0-a-1-own", "heals-all-own"]);
  for (const name of all) await world.api.delete(RESOURCE_CLAIMS, { namespace: "default", name });
  await world.settle(1_000);
  expect(await world.names(RESOURCE_CLAIMS)).toEqual(all);
  expect(world.problems).toEqual([]);
});

test("labels that somebody edits are put right, and what does not change is not written", async () => {
  await start();
  await world.createSet(sharing("calm", { name: "own" }));
  await world.settle();
  world.takeWrites();
  await world.settle(600_000);
  expect(world.takeWrites().filter(({ plural }) => plural === "resourceclaims")).toEqual([]);
  const key = { namespace: "default", name: "calm-all-own" };
  await world.api.patch(
    RESOURCE_CLAIMS,
    key,
    { metadata: { labels: { "app.kubernetes.io/component": "x" } } },
    { type: "merge" },
  );
  await world.settle(200_000);
  const { metadata } = await world.api.get(RESOURCE_CLAIMS, key);
  expect(metadata.labels?.["app.kubernetes.io/component"]).toBe("resource-claim");
});

test("a claim stays as long as a pod uses it", async () => {
  await start();
  await world.createSet(sharing("held", { name: "own" }));
  await world.settle();
  const [first] = (await world.list(PODS)).filter(({ spec }) => spec.hostname === "held-0-a-1");
  const key = { namespace: "default", name: first?.metadata.name ?? "" };
  await world.api.patch(PODS, key, { metadata: { finalizers: ["example.com/hold"] } }, { type: "merge" });
  await world.api.setScale(POD_CLIQUES, { namespace: "default", name: "held-0-a" }, 1);
  await world.settle(60_000);
  expect(await world.names(RESOURCE_CLAIMS)).toContain("held-0-a-1-own");
  await world.api.patch(PODS, key, { metadata: { finalizers: null } }, { type: "merge" });
  await world.settle(1_000);
  expect(await world.names(RESOURCE_CLAIMS)).toEqual(["held-0-a-0-own", "held-all-own"]);
});

test("on a cluster without resource.k8s.io only the sets that share have an error", async () => {
  await start({ absentGroups: new Set(["resource.k8s.io"]) });
  await world.createSet(workload("plain", { cliques: [clique("a", 1, 1)] }));
  await world.settle();
  expect(await world.names(PODS)).toHaveLength(1);
  expect(world.problems).toEqual([]);
  await world.createSet(sharing("shares", { name: "own" }));
  await world.settle();
  expect(await lastErrors("shares")).toEqual([
    expect.stringContaining("resource.k8s.io/v1 (dynamic resource allocation), which cannot be read"),
  ]);
  expect([await lastErrors("plain"), await world.names(POD_CLIQUES)]).toEqual([[], ["plain-0-a"]]);
});
