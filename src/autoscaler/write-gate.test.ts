import { describe, expect, test } from "vitest";
import { customResourceDefinitions } from "../api/crds/all.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../api/grove/pod-clique-scaling-group.ts";
import { VirtualClock } from "../clock.ts";
import type { ScaleWrite } from "../decide/transition.ts";
import { ApiError } from "../kube/api-error.ts";
import { seededRandom } from "../random.ts";
import { createApiServer } from "../sim/api-server/api-server.ts";
import { createWriteGate } from "./write-gate.ts";

const key = { namespace: "default", name: "x-0-decode" };

async function world(options: { readonly fail?: (verb: string) => ApiError | undefined } = {}) {
  let fail = options.fail;
  const server = createApiServer({
    clock: new VirtualClock(),
    random: seededRandom(1),
    rejectionFault: ({ verb, subresource }) => (subresource === "scale" ? fail?.(verb) : undefined),
  });
  await server.installCustomResources(customResourceDefinitions());
  const group = await server.api.create(POD_CLIQUE_SCALING_GROUPS, {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueScalingGroup",
    metadata: key,
    spec: { replicas: 2, minAvailable: 1, cliqueNames: ["decode"] },
  });
  const write = (to: number): ScaleWrite => ({
    target: "decode",
    level: "PodCliqueScalingGroup",
    objectName: key.name,
    resourceVersion: group.metadata.resourceVersion ?? "",
    setIndex: 0,
    from: 2,
    to,
    gpusPerReplica: 1,
  });
  const replicas = async (): Promise<number> => (await server.api.get(POD_CLIQUE_SCALING_GROUPS, key)).spec.replicas;
  return {
    server,
    write,
    replicas,
    failWith: (next: typeof fail) => {
      fail = next;
    },
  };
}

const request = (writes: readonly ScaleWrite[]) => ({
  namespace: "default",
  mode: "Active" as const,
  writes,
  minViable: () => 1,
});

describe("write gate", () => {
  test("writes and says from which version on a cache has seen it", async () => {
    const { server, write, replicas } = await world();
    const gate = createWriteGate({ api: server.api, isLeader: () => true });
    const { written, refusal } = await gate.apply(request([write(4)]));
    expect(refusal).toBeUndefined();
    expect(written).toMatchObject([
      { to: 4, writtenVersion: (await server.api.get(POD_CLIQUE_SCALING_GROUPS, key)).metadata.resourceVersion },
    ]);
    expect(await replicas()).toBe(4);
  });

  test.each([
    { name: "Advisory", change: { mode: "Advisory" as const }, leader: true, reason: "Advisory" },
    { name: "Paused", change: { mode: "Paused" as const }, leader: true, reason: "Paused" },
    { name: "without the lease", change: {}, leader: false, reason: "LeaseLost" },
    { name: "below the minimum viable set", change: { minViable: () => 3 }, leader: true, reason: "MinimumViableSet" },
  ])("$name: nothing is written", async ({ change, leader, reason }) => {
    const { server, write, replicas } = await world();
    const gate = createWriteGate({ api: server.api, isLeader: () => leader });
    const result = await gate.apply({ ...request([write(1)]), ...change });
    expect(result).toMatchObject({ written: [], refusal: { reason } });
    expect(await replicas()).toBe(2);
  });

  test("a status change under way is no reason to decide anew; the write is sent again on the fresh version", async () => {
    const { server, write, replicas } = await world();
    await server.api.patch(
      POD_CLIQUE_SCALING_GROUPS,
      key,
      { status: { availableReplicas: 1, scheduledReplicas: 1, updatedReplicas: 1 } },
      { type: "merge", subresource: "status" },
    );
    const { refusal } = await createWriteGate({ api: server.api, isLeader: () => true }).apply(request([write(4)]));
    expect(refusal).toBeUndefined();
    expect(await replicas()).toBe(4);
  });

  test("other replicas than the decision saw are somebody else's, and stay", async () => {
    const { server, write, replicas } = await world();
    await server.api.setScale(POD_CLIQUE_SCALING_GROUPS, key, 7);
    const { written, refusal } = await createWriteGate({ api: server.api, isLeader: () => true }).apply(
      request([write(4)]),
    );
    expect(written).toEqual([]);
    expect(refusal?.reason).toBe("ForeignController");
    expect(await replicas()).toBe(7);
  });

  test("a conflict storm ends after a few tries, and a failed leg stops the legs behind it", async () => {
    const { server, write, replicas, failWith } = await world();
    let tries = 0;
    failWith(() => {
      tries++;
      return new ApiError(409, "Conflict", "the object has been modified");
    });
    const { written, refusal } = await createWriteGate({ api: server.api, isLeader: () => true }).apply(
      request([write(4), write(5)]),
    );
    expect(written).toEqual([]);
    expect(refusal?.reason).toBe("Conflict");
    expect(tries).toBe(4);
    expect(await replicas()).toBe(2);
  });

  test("a refusal by RBAC is said as one", async () => {
    const { server, write, failWith } = await world();
    failWith(() => new ApiError(403, "Forbidden", "podcliquescalinggroups/scale is forbidden"));
    const { refusal } = await createWriteGate({ api: server.api, isLeader: () => true }).apply(request([write(4)]));
    expect(refusal).toMatchObject({ reason: "PermissionDenied", message: "podcliquescalinggroups/scale is forbidden" });
  });
});
