import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { customResourceDefinitions } from "../api/crds/all.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../api/grove/pod-clique-scaling-group.ts";
import { VirtualClock } from "../clock.ts";
import type { ScaleWrite } from "../decide/transition.ts";
import { ApiError } from "../kube/api-error.ts";
import { seededRandom } from "../random.ts";
import { createApiServer } from "../sim/api-server/api-server.ts";
import type { ActionRateOptions } from "./action-rate.ts";
import { createWriteGate, type GateRequest, type WriteGate } from "./write-gate.ts";

const key = { namespace: "default", name: "x-0-decode" };

async function world(options: { readonly fail?: (verb: string) => ApiError | undefined } = {}) {
  let fail = options.fail;
  const clock = new VirtualClock();
  const server = createApiServer({
    clock,
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
  /** What the gate answers; time goes on while it waits. */
  const apply = async (
    asked: GateRequest,
    { leads = () => true, rate }: { readonly leads?: () => boolean; readonly rate?: ActionRateOptions } = {},
  ) => {
    gate ??= createWriteGate({
      api: server.api,
      clock,
      random: seededRandom(2),
      isLeader: () => leads(),
      ...(rate === undefined ? {} : { rate }),
    });
    const answer = gate.apply(asked);
    await clock.advance(1_000);
    return answer;
  };
  let gate: WriteGate | undefined;
  return {
    server,
    clock,
    apply,
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
    const { server, apply, write, replicas } = await world();
    const { written, refusal } = await apply(request([write(4)]));
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
    const { apply, write, replicas } = await world();
    const result = await apply({ ...request([write(1)]), ...change }, { leads: () => leader });
    expect(result).toMatchObject({ written: [], refusal: { reason } });
    expect(await replicas()).toBe(2);
  });

  test("in any mode but Active, without the lease or too late no request for /scale goes out, whatever is to be written", async () => {
    const clock = new VirtualClock();
    const requests: string[] = [];
    const { server, write } = await world();
    const api = {
      ...server.api,
      setScale: (...[resource, name, replicas]: Parameters<typeof server.api.setScale>) => {
        requests.push(`${resource.kind} ${name.name} ${replicas}`);
        return Promise.reject(new ApiError(500, "InternalError", ""));
      },
    };
    const why = fc.constantFrom("Advisory", "Shadow", "Paused", "LeaseLost", "TooOld");
    const levels = fc.constantFrom("PodClique", "PodCliqueScalingGroup", "PodCliqueSet");
    const writes = fc.array(fc.record({ level: levels, from: fc.nat(20), to: fc.nat(20) }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(why, writes, fc.boolean(), async (reason, drawn, hasLease) => {
        const isLeader = (): boolean => reason !== "LeaseLost" && (hasLease || reason === "TooOld");
        const gate = createWriteGate({ api, clock, random: seededRandom(3), isLeader });
        const mode = reason === "LeaseLost" || reason === "TooOld" ? "Active" : reason;
        const { written, refusal } = await gate.apply({
          namespace: "default",
          mode,
          writes: drawn.map((one) => ({ ...write(one.to), ...one })),
          minViable: () => 0,
          ...(reason === "TooOld" ? { staleAtMs: clock.monotonicMs() } : {}),
        });
        expect({ written, reason: refusal?.reason }).toEqual({ written: [], reason });
        expect(requests).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test("a status change under way is no reason to decide anew; the write is sent again on the fresh version", async () => {
    const { server, apply, write, replicas } = await world();
    await server.api.patch(
      POD_CLIQUE_SCALING_GROUPS,
      key,
      { status: { availableReplicas: 1, scheduledReplicas: 1, updatedReplicas: 1 } },
      { type: "merge", subresource: "status" },
    );
    const { refusal } = await apply(request([write(4)]));
    expect(refusal).toBeUndefined();
    expect(await replicas()).toBe(4);
  });

  test("other replicas than the decision saw are somebody else's, and stay", async () => {
    const { server, apply, write, replicas } = await world();
    await server.api.setScale(POD_CLIQUE_SCALING_GROUPS, key, 7);
    const { written, refusal } = await apply(request([write(4)]));
    expect(written).toEqual([]);
    expect(refusal?.reason).toBe("ForeignController");
    expect(await replicas()).toBe(7);
  });

  test("a conflict storm ends after a few tries, and a failed leg stops the legs behind it", async () => {
    const { apply, write, replicas, failWith } = await world();
    let tries = 0;
    failWith(() => {
      tries++;
      return new ApiError(409, "Conflict", "the object has been modified");
    });
    const { written, refusal } = await apply(request([write(4), write(5)]));
    expect(written).toEqual([]);
    expect(refusal?.reason).toBe("Conflict");
    expect(tries).toBe(4);
    expect(await replicas()).toBe(2);
  });

  test("a refusal by RBAC is said as one", async () => {
    const { apply, write, failWith } = await world();
    failWith(() => new ApiError(403, "Forbidden", "podcliquescalinggroups/scale is forbidden"));
    const { refusal } = await apply(request([write(4)]));
    expect(refusal).toMatchObject({ reason: "PermissionDenied", message: "podcliquescalinggroups/scale is forbidden" });
  });

  test("a decision whose time is over is not written any more, not even its second leg", async () => {
    const { apply, clock, write, replicas } = await world();
    const late = await apply({ ...request([write(4)]), staleAtMs: clock.monotonicMs() });
    expect(late).toMatchObject({ written: [], refusal: { reason: "TooOld" } });
    expect(await replicas()).toBe(2);
  });

  test("a lease that is lost while a conflict is waited out ends the retries", async () => {
    const { apply, write, replicas, failWith } = await world();
    let leads = true;
    failWith(() => {
      const conflict = leads ? new ApiError(409, "Conflict", "the object has been modified") : undefined;
      leads = false;
      return conflict;
    });
    const { written, refusal } = await apply(request([write(4)]), { leads: () => leads });
    expect({ written, reason: refusal?.reason }).toEqual({ written: [], reason: "LeaseLost" });
    expect(await replicas()).toBe(2);
  });

  test("more scale actions than a namespace may have are left to later decisions, and come back with time", async () => {
    const { apply, clock, write, replicas } = await world();
    const rate = { namespace: { perSecond: 1, burst: 1 } };
    const both = await apply(request([write(4), { ...write(6), from: 4 }]), { rate });
    expect(both).toMatchObject({ written: [{ to: 4 }], refusal: { reason: "RateLimited" } });
    expect(await replicas()).toBe(4);
    await clock.advance(1_000);
    const again = await apply(
      request([{ ...write(6), from: 4, resourceVersion: both.written[0]?.writtenVersion ?? "" }]),
    );
    expect(again.refusal).toBeUndefined();
    expect(await replicas()).toBe(6);
  });
});
