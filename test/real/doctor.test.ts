/** `doctor` against a real API server: our definitions as it keeps them, and the rights of the shipped roles as it grants them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Check } from "../../src/cli/doctor/check.ts";
import { runCli } from "../cli/cli.ts";
import { applyFolder, type Cluster, missingCluster, openCluster, requestToken } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { skipWithout } from "./real-processes.ts";
import { withToken } from "./service.ts";

let cluster: Cluster;
const folder = mkdtempSync(join(tmpdir(), "grove-doctor-real-"));
const isSkipped = skipWithout(missingCluster());

beforeAll(async () => {
  if (isSkipped) return;
  cluster = await openCluster();
  for (const path of ["deploy/crds", "deploy/manifests"])
    await applyFolder(cluster.api, fileURLToPath(new URL(`../../${path}`, import.meta.url)));
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await cluster?.stop();
});

async function statuses(kubeconfig: string): Promise<ReadonlyMap<string, Check>> {
  const { out } = await runCli(["doctor", "-n", "default", "-o", "json"], { kubeconfig });
  const { checks } = JSON.parse(out) as { readonly checks: readonly Check[] };
  return new Map(checks.map((one) => [one.check, one]));
}

test.skipIf(isSkipped)(
  "to an administrator: the version, the definitions unchanged, and what is not there yet",
  async () => {
    const seen = await statuses(cluster.kubeconfigPath);
    expect(seen.get("API server")).toMatchObject({ status: "ok", message: expect.stringMatching(/^v1\.\d+/) });
    for (const group of ["grove.io", "scheduler.grove.io", "autoscaling.grove.io"])
      expect(seen.get(`CRDs ${group}`)).toMatchObject({ status: "ok" });
    expect(seen.get("webhook")).toMatchObject({ status: "ok", message: expect.stringContaining("not installed") });
    expect(seen.get("autoscaler")).toMatchObject({
      status: "failed",
      message: "there is no Lease grove-autoscaler, in no namespace",
    });
  },
);

test.skipIf(isSkipped)("to the account of the service: the shipped roles grant every right that it needs", async () => {
  const token = await requestToken(cluster.api, "grove-autoscaler", "grove-autoscaler");
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, withToken(cluster.kubeconfigPath, token), { mode: 0o600 });
  // Authorizers see a new binding a moment later.
  await eventually("the roles to be in force", async () => {
    const seen = await statuses(kubeconfig);
    return ["rights of the autoscaler", "rights of the operator"].every((one) => seen.get(one)?.status === "ok");
  });
  const seen = await statuses(kubeconfig);
  expect(seen.get("rights of the autoscaler")?.message).toMatch(
    /^system:serviceaccount:grove-autoscaler:grove-autoscaler may do all of it in namespace default \(\d+ rights\)$/,
  );
  // It has no need to read definitions, nor Leases of others.
  expect(seen.get("CRDs autoscaling.grove.io")).toMatchObject({ status: "warning" });
});
