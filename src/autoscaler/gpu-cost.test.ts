import { describe, expect, test } from "vitest";
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import type { Pod } from "../api/kubernetes/core.ts";
import { gpusOfPod, noTemplates, type TemplateGpus } from "./gpu-cost.ts";
import { heldGpus } from "./held-gpus.ts";
import { resolve } from "./resolve.ts";
import { slimPod } from "./slim.ts";

const gpuPod = (gpus: number, claims: readonly Readonly<Record<string, unknown>>[] = []) => ({
  containers: [{ name: "x", resources: gpus === 0 ? {} : { limits: { "nvidia.com/gpu": String(gpus) } } }],
  ...(claims.length === 0 ? {} : { resourceClaims: claims }),
});
const templates: TemplateGpus = (namespace, name) =>
  namespace === "serving" ? { four: 4, one: 1, channel: 0 }[name] : undefined;
const fromTemplate = (name: string) => ({ name, resourceClaimTemplateName: name });

describe("GPUs of a pod", () => {
  test.each<[string, number | undefined, ReturnType<typeof gpuPod>]>([
    ["extended resources alone", 2, gpuPod(2)],
    ["devices of a claim that is made for each pod", 4, gpuPod(0, [fromTemplate("four")])],
    ["both", 6, gpuPod(2, [fromTemplate("four")])],
    ["a channel beside GPUs leaves them known", 8, gpuPod(8, [fromTemplate("channel")])],
    [
      "a claim with a name of its own is there already",
      2,
      gpuPod(2, [{ name: "shared", resourceClaimName: "shared" }]),
    ],
    ["a template that is not there", undefined, gpuPod(2, [fromTemplate("gone")])],
  ])("%s", (_, wanted, spec) => {
    expect(gpusOfPod(spec, "serving", templates)).toBe(wanted);
  });
});

const asks = (name: string, quantity: string | number, more: object = {}) => ({
  name: "x",
  resources: { limits: { [name]: quantity } },
  ...more,
});

describe("what counts as a GPU", () => {
  test.each<[string, string | number, number | undefined]>([
    ["nvidia.com/gpu", 2, 2],
    ["amd.com/gpu", "1", 1],
    ["nvidia.com/mig-3g.40gb", 1, undefined],
    ["nvidia.com/mig-3g.40gb", 0, 0],
    ["nvidia.com/gpu.shared", "1", undefined],
    ["amd.com/cpx_nps4", 1, undefined],
    ["habana.ai/gaudi", 8, undefined],
    ["aws.amazon.com/neuroncore", 1, undefined],
    ["google.com/tpu", 4, undefined],
    ["nvidia.com/gpu", "x", undefined],
    ["nvidia.com/hostdev", 1, 0],
    ["rdma/hca_shared_devices_a", 1, 0],
    ["memory", "64Gi", 0],
  ])("%s: %s", (name, quantity, wanted) => {
    const requests = { containers: [{ name: "x", resources: { requests: { [name]: quantity } } }] };
    expect(gpusOfPod({ containers: [asks(name, quantity)] }, "serving", noTemplates)).toBe(wanted);
    expect(gpusOfPod(requests, "serving", noTemplates)).toBe(wanted);
  });

  test("sidecars run beside the containers, init containers before them, and the caches keep what tells them apart", () => {
    const gpu = (count: number, more: object = {}) => asks("nvidia.com/gpu", count, more);
    const sidecar = (count: number) => gpu(count, { restartPolicy: "Always" });
    const gpusOf = (initContainers: readonly ReturnType<typeof gpu>[]): readonly (number | undefined)[] => {
      const spec = { containers: [gpu(1)], initContainers };
      const pod: Pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec };
      return [gpusOfPod(spec, "", noTemplates), heldGpus([slimPod(pod)], noTemplates).gpus];
    };
    expect(gpusOf([sidecar(1)])).toEqual([2, 2]);
    expect(gpusOf([gpu(1)])).toEqual([1, 1]);
    expect(gpusOf([gpu(3), sidecar(1)])).toEqual([3, 3]);
    expect(gpusOf([sidecar(1), gpu(3)])).toEqual([4, 4]);
  });
});

/** A leader and two workers in group `decode`, a clique `router`; every level shares claims. */
function workload(): PodCliqueSet {
  const claim = (name: string, count: number) => ({
    name,
    templateSpec: {
      spec: { devices: { requests: [{ name: "r", exactly: { deviceClassName: "gpu.nvidia.com", count } }] } },
    },
  });
  const clique = (name: string, replicas: number, gpus: number, more: object = {}) => ({
    name,
    spec: { roleName: name, replicas, minAvailable: 1, podSpec: gpuPod(gpus) },
    ...more,
  });
  return {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { namespace: "serving", name: "w" },
    spec: {
      replicas: 1,
      template: {
        resourceClaimTemplates: [claim("two", 2), claim("three", 3)],
        resourceSharing: [
          { name: "one", scope: "PerReplica" },
          { name: "two", scope: "AllReplicas" },
        ],
        cliques: [
          clique("router", 2, 0, {
            resourceSharing: [
              { name: "one", scope: "PerReplica" },
              { name: "two", scope: "AllReplicas" },
            ],
          }),
          clique("leader", 1, 1, { resourceSharing: [{ name: "three", scope: "AllReplicas" }] }),
          clique("worker", 2, 8, { resourceSharing: [{ name: "one", scope: "PerReplica" }] }),
        ],
        podCliqueScalingGroups: [
          {
            name: "decode",
            cliqueNames: ["leader", "worker"],
            replicas: 2,
            minAvailable: 1,
            resourceSharing: [
              { name: "two", scope: "PerReplica" },
              { name: "three", scope: "AllReplicas" },
            ],
          },
        ],
      },
    },
  } as unknown as PodCliqueSet;
}

const spec = (...scaleTargets: readonly object[]): ScalingPolicySpec =>
  ({
    scaleTargets: scaleTargets.map((one) => ({ minReplicas: 1, gpusPerReplica: "auto", ...one })),
    gpuBudget: {},
  }) as unknown as ScalingPolicySpec;
const DECODE = { name: "decode", level: "PodCliqueScalingGroup", ref: "decode" };
const ROUTER = { name: "router", level: "PodClique", ref: "router" };

describe("GPUs of the levels of a set that shares claims", () => {
  test("a group's instance: its pods, what each of them and each of its cliques has, and what the instance has", () => {
    const { resolution } = resolve(spec(DECODE), workload(), templates);
    // Leader 1 + its 3, two workers of 8 + 1, and 2 for the instance.
    expect(resolution?.targets[0]?.gpusPerReplica).toBe(1 + 3 + 2 * (8 + 1) + 2);
    // Two routers of 1 and their 2, the group's 3, the set replica's 1.
    expect(resolution?.fixedGpus).toBe(2 * 1 + 2 + 3 + 1);
  });

  test("a clique: what one more pod takes; what it has once stays with the set replica", () => {
    const { resolution } = resolve(spec(DECODE, ROUTER), workload(), templates);
    expect(resolution?.targets[1]?.gpusPerReplica).toBe(1);
    expect(resolution?.fixedGpus).toBe(2 + 3 + 1);
  });

  test("what is no target counts with the replicas of its template", () => {
    const { resolution } = resolve(spec(ROUTER), workload(), templates);
    expect(resolution?.fixedGpus).toBe(2 + 3 + 1 + 2 * 24);
  });

  test("a template that is not there makes what needs it unknown, and only that", () => {
    const { resolution } = resolve(spec(DECODE, ROUTER), workload(), noTemplates);
    expect(resolution?.targets.map(({ gpusPerReplica }) => gpusPerReplica)).toEqual([undefined, undefined]);
    const own: PodCliqueSet = workload();
    const named: TemplateGpus = (_, name) => (name === "one" ? 0 : undefined);
    expect(resolve(spec(DECODE, ROUTER), own, named).resolution?.targets.map((one) => one.gpusPerReplica)).toEqual([
      22, 0,
    ]);
  });
});
