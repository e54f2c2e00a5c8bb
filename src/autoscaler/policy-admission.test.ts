/** Admission over an embedded API server: each rule that needs other objects, with its sentence. */
import { readFileSync } from "node:fs";
import { beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { defaultObject } from "../api/admission.ts";
import { GPU_BUDGETS } from "../api/autoscaling/gpu-budget.ts";
import { SCALING_POLICIES, type ScalingPolicy } from "../api/autoscaling/scaling-policy.ts";
import { customResourceDefinitions } from "../api/crds/all.ts";
import { POD_CLIQUE_SETS } from "../api/grove/pod-clique-set.ts";
import { CONFIG_MAPS } from "../api/kubernetes/core.ts";
import type { KubeObject } from "../api/kubernetes/meta.ts";
import { VirtualClock } from "../clock.ts";
import { ApiError } from "../kube/api-error.ts";
import type { KubeApi } from "../kube/kube-api.ts";
import { seededRandom } from "../random.ts";
import { createApiServer } from "../sim/api-server/api-server.ts";
import { createNamespace } from "../sim/world.ts";
import { reviewChanges } from "./policy-admission.ts";
import { reviewPolicy } from "./review-policy.ts";

// biome-ignore lint/suspicious/noExplicitAny: good and bad objects alike
type Any = any;

const NAMESPACE = "serving";
const of = (kind: string, name: string, spec: Any, metadata: Any = {}): Any => ({
  apiVersion: "autoscaling.grove.io/v1alpha1",
  kind,
  metadata: { name, ...(kind === "GPUBudget" ? {} : { namespace: NAMESPACE }), ...metadata },
  spec,
});
const decode = { name: "decode", level: "PodClique", ref: "decode", maxReplicas: 4 };
const prefill = { name: "prefill", level: "PodCliqueScalingGroup", ref: "prefill", maxReplicas: 4 };
const policy = (spec: Any = {}, name = "chat", metadata: Any = {}): Any =>
  of(
    "ScalingPolicy",
    name,
    { targetRef: { name: "llm" }, scaleTargets: [{ ...decode, minReplicas: 2 }], ...spec },
    metadata,
  );
const onDecode = (more: Any): Any => ({ scaleTargets: [{ ...decode, minReplicas: 2, ...more }] });
const clique = (name: string, podSpec: Any = {}): Any => ({
  name,
  spec: {
    roleName: name,
    replicas: 2,
    minAvailable: 2,
    podSpec: {
      containers: [{ name: "engine", image: "e", resources: { limits: { "nvidia.com/gpu": "1" } } }],
      ...podSpec,
    },
  },
});
const workload = (cliques: Any[] = [clique("decode"), clique("leader")], group: Any = {}): Any => ({
  apiVersion: "grove.io/v1alpha1",
  kind: "PodCliqueSet",
  metadata: { namespace: NAMESPACE, name: "llm" },
  spec: {
    replicas: 1,
    template: {
      cliques,
      podCliqueScalingGroups: [{ name: "prefill", cliqueNames: ["leader"], minAvailable: 1, ...group }],
    },
  },
});
const hpa = (name: string, target: { readonly kind: string; readonly name: string }, owner?: string): Any => ({
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: {
    namespace: NAMESPACE,
    name,
    ...(owner && {
      ownerReferences: [{ apiVersion: "keda.sh/v1alpha1", kind: owner, name: "k", uid: "u", controller: true }],
    }),
  },
  spec: { scaleTargetRef: { apiVersion: "grove.io/v1alpha1", ...target }, maxReplicas: 4 },
});

let api: KubeApi;
beforeEach(async () => {
  const server = createApiServer({ clock: new VirtualClock(), random: seededRandom(1) });
  api = server.api;
  await server.installCustomResources(customResourceDefinitions());
  await createNamespace(api, NAMESPACE);
});

interface Answer {
  readonly allowed: boolean;
  readonly refused: string;
  readonly warnings: readonly string[];
}

async function ask(
  object: KubeObject,
  old?: KubeObject,
  with_: Partial<Parameters<typeof reviewChanges>[0]> = {},
): Promise<Answer> {
  const review = reviewChanges({ api, nowMs: () => 0, ...with_ });
  const { namespace } = object.metadata;
  const { errors, warnings } = await review({
    operation: old === undefined ? "CREATE" : "UPDATE",
    object,
    ...(old !== undefined && { oldObject: old }),
    ...(namespace !== undefined && { namespace }),
  });
  const refused = errors.map(({ field, message }) => `${field}: ${message}`).join(", ");
  return { allowed: errors.length === 0, refused, warnings };
}
const GOOD: Answer = { allowed: true, refused: "", warnings: [] };

describe("targets against what the engine can reach", () => {
  const FIELD = "spec.scaleTargets[0].metrics[0].preset.target.averageValue";
  const { data } = parse(
    readFileSync(new URL("../../policies/prefill-decode-slo/profile.yaml", import.meta.url), "utf8"),
  );
  // Of the measured one: an engine that was started with less.
  const profile = {
    ...JSON.parse(Object.values(data)[0] as string),
    name: "small",
    limits: { max_num_seqs: 64, max_num_batched_tokens: 8_192 },
  };
  const withTarget = (name: string, averageValue: string, more: Any = {}): Any =>
    policy({
      performanceModel: { source: "Profile", profileRef: { name: "small" } },
      ...onDecode({
        metrics: [{ type: "Preset", preset: { name, target: { type: "AverageValue", averageValue } } }],
        ...more,
      }),
    });
  const zeroTolerance = { behavior: { scaleUp: { tolerance: "0" } } };
  const askAll = async (object: Any): Promise<Answer> => {
    await api.create(POD_CLIQUE_SETS, workload());
    await api.create(CONFIG_MAPS, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: NAMESPACE, name: "small" },
      data: { "profile.json": JSON.stringify(profile) },
    });
    return ask(object);
  };

  test.each<{ name: string; object: Any; refused?: string; warned?: string }>([
    { name: "running requests that are reached", object: withTarget("runningRequests", "58") },
    {
      name: "running requests that are reached, but not by more than the tolerance",
      object: withTarget("runningRequests", "59"),
      refused: `${FIELD}: must be at most 58, so that limits.max_num_seqs 64 of profile small is above it by more than the scaleUp tolerance of 0.1: no replica runs more, so nothing would ever be added; lower it`,
    },
    { name: "without tolerance, one below the limit", object: withTarget("runningRequests", "63", zeroTolerance) },
    {
      name: "without tolerance, the limit",
      object: withTarget("runningRequests", "64", zeroTolerance),
      refused: `${FIELD}: must be at most 63`,
    },
    {
      name: "a prefill worker, which the limit is not about",
      object: withTarget("runningRequests", "64", { role: "prefill" }),
    },
    { name: "a batch that waits", object: withTarget("waitingRequests", "64") },
    {
      name: "more than a batch that waits",
      object: withTarget("waitingRequests", "65"),
      warned: `${FIELD}: 65 is above limits.max_num_seqs 64 of profile small: whole batches would wait before anything is added; lower it`,
    },
  ])("$name", async ({ object, refused = "", warned }) => {
    const answer = await askAll(object);
    expect(answer.allowed, answer.refused).toBe(refused === "");
    expect(answer.refused).toContain(refused);
    expect(answer.warnings.filter((warning) => warning.startsWith(FIELD))).toEqual(
      warned === undefined ? [] : [warned],
    );
  });

  test("a profile that is not there yet says nothing", async () => {
    await api.create(POD_CLIQUE_SETS, workload());
    expect((await ask(withTarget("runningRequests", "1000"))).allowed).toBe(true);
  });
});

describe("a policy among the objects around it", () => {
  test("that all fits is admitted without a word", async () => {
    await api.create(POD_CLIQUE_SETS, workload());
    expect(await ask(policy())).toEqual(GOOD);
  });

  test.each<{ name: string; spec: Any; set?: Any; says: string }>([
    {
      name: "an unknown clique",
      spec: onDecode({ ref: "nobody" }),
      says: 'spec.scaleTargets[0].ref: "nobody": PodCliqueSet llm has no clique of that name; it has: decode, leader',
    },
    {
      name: "a member of a group",
      spec: onDecode({ ref: "leader" }),
      says: 'spec.scaleTargets[0].ref: "leader" is a member of scaling group prefill and scales with it: use level PodCliqueScalingGroup and ref prefill',
    },
    {
      name: "a group with scaleConfig",
      spec: { scaleTargets: [prefill] },
      set: workload(undefined, { scaleConfig: { maxReplicas: 3 } }),
      says: "has scaleConfig, so an HPA scales it too: remove scaleConfig from the PodCliqueSet",
    },
    {
      name: "a budget below the minimum viable set",
      spec: { gpuBudget: { max: 5 }, minimumViableSet: { overrides: { decode: 4 } } },
      says: "spec.gpuBudget.max: is 5, but the minimum viable set needs 6 GPUs",
    },
    {
      name: "a budget below the minimum",
      spec: { gpuBudget: { max: 3 } },
      says: "spec.gpuBudget.max: is 3, but the minimum viable set needs 4 GPUs: raise it, or lower minReplicas",
    },
    {
      name: "a maximum below minAvailable",
      spec: { scaleTargets: [{ ...decode, maxReplicas: 1 }] },
      says: "spec.scaleTargets[0].maxReplicas: must not be below minAvailable 2 of decode; raise it, or lower minAvailable in the PodCliqueSet",
    },
    {
      name: "a ratio that minAvailable leaves no numbers for",
      spec: {
        scaleTargets: [decode, { ...prefill, maxReplicas: 1 }],
        ratios: [{ between: ["decode", "prefill"], min: "1:1", max: "1:1" }],
      },
      says: "spec.ratios[0]: no whole numbers of decode and prefill inside their bounds satisfy it; widen the band or the bounds (decode keeps its minAvailable 2)",
    },
    {
      name: "PromQL that does not parse",
      spec: onDecode({
        metrics: [{ type: "Prometheus", prometheus: { query: "sum(rate(x)", target: { type: "Value", value: "1" } } }],
      }),
      says: "spec.scaleTargets[0].metrics[0].prometheus.query: not valid PromQL",
    },
    {
      name: "a full cache as target",
      spec: onDecode({
        metrics: [
          {
            type: "Preset",
            preset: { name: "kvCacheUsage", target: { type: "Utilization", averageUtilization: 100 } },
          },
        ],
      }),
      says: "averageUtilization: must be below 100 for preset kvCacheUsage",
    },
    {
      name: "a target that a full cache passes by less than the tolerance",
      spec: onDecode({
        metrics: [
          { type: "Preset", preset: { name: "kvCacheUsage", target: { type: "Utilization", averageUtilization: 91 } } },
        ],
      }),
      says: "averageUtilization: must be at most 90 with a scaleUp tolerance of 0.1 for preset kvCacheUsage: a full cache reads 100, so nothing would ever be added; lower it, or the tolerance",
    },
  ])("refused: $name", async ({ spec, set = workload(), says }) => {
    await api.create(POD_CLIQUE_SETS, set);
    const answer = await ask(policy(spec));
    expect(answer.allowed).toBe(false);
    expect(answer.refused).toContain(says);
  });

  test.each<{ name: string; spec: Any; set?: Any; says: string }>([
    {
      name: "a minimum below minAvailable",
      spec: onDecode({ minReplicas: 1 }),
      says: "spec.scaleTargets[0].minReplicas is 1, below minAvailable 2 of decode: 2 is kept",
    },
    {
      name: "an unknown GPU cost under a budget",
      spec: { gpuBudget: { max: 9 } },
      set: workload([
        clique("decode", { resourceClaims: [{ name: "g", resourceClaimTemplateName: "g" }] }),
        clique("leader"),
      ]),
      says: "spec.scaleTargets[0].gpusPerReplica: unknown from the templates, so nothing grows under the GPU budget; set a number",
    },
    {
      name: "a window's budget below the minimum",
      spec: { schedules: [{ name: "night", schedule: "0 0 * * *", duration: "1h", gpuBudgetMax: 2 }] },
      says: "spec.schedules[0].gpuBudgetMax: 2 is below the 4 GPUs of the minimum viable set, which is kept; raise it",
    },
    {
      name: "a shared budget that is not there yet",
      spec: { gpuBudget: { sharedBudgetRef: { name: "team" } } },
      says: 'spec.gpuBudget.sharedBudgetRef.name: there is no GPUBudget "team" yet, and nothing grows until there is',
    },
    {
      name: "a workload that is not there yet",
      spec: { targetRef: { name: "later" } },
      says: 'spec.targetRef.name: there is no PodCliqueSet "later" in namespace serving yet',
    },
    {
      name: "windows that overlap",
      spec: {
        schedules: [
          { name: "day", schedule: "0 7 * * *", duration: "12h", bounds: { decode: { minReplicas: 3 } } },
          { name: "launch", schedule: "0 9 24 12 *", duration: "1h", bounds: { decode: { minReplicas: 4 } } },
        ],
      },
      says: "spec.schedules[1]: launch is open at the same time as day, which is first by name and decides decode.minReplicas then",
    },
    {
      name: "an interval below the scrape interval",
      spec: { interval: "2s" },
      says: "spec.interval: 2s is shorter than most scrape intervals",
    },
    {
      name: "a window that holds nothing",
      spec: { interval: "1m", ...onDecode({ behavior: { scaleUp: { stabilizationWindowSeconds: 30 } } }) },
      says: "spec.scaleTargets[0].behavior.scaleUp.stabilizationWindowSeconds: shorter than interval (1m)",
    },
    {
      name: "a forecast that ends too early",
      spec: { forecast: { horizon: "5s" } },
      says: "spec.forecast.horizon: shorter than interval (15s)",
    },
  ])("admitted with a warning: $name", async ({ spec, set = workload(), says }) => {
    await api.create(POD_CLIQUE_SETS, set);
    const answer = await ask(policy(spec));
    expect(answer).toMatchObject({ allowed: true });
    expect(answer.warnings).toContainEqual(expect.stringContaining(says));
  });

  describe("in a queue of a scheduler", () => {
    const kaiQueue = (name: string, spec: Any): Any => ({
      apiVersion: "scheduling.run.ai/v2",
      kind: "Queue",
      metadata: { name },
      spec,
    });
    const volcanoQueue = (name: string, spec: Any): Any => ({
      apiVersion: "scheduling.volcano.sh/v1beta1",
      kind: "Queue",
      metadata: { name },
      spec,
    });
    const gpu = (limit: number, parentQueue?: string): Any => ({
      resources: { gpu: { quota: 0, limit } },
      ...(parentQueue && { parentQueue }),
    });
    const marked = (metadata: Any): Any => {
      const set = workload();
      return { ...set, metadata: { ...set.metadata, ...metadata } };
    };
    const inQueue = { queueRef: { name: "team" } };
    /** Neither scheduler is installed in the embedded cluster. */
    const withQueues = (kai: Any[], volcano: Any[] = []): { readonly api: KubeApi } => ({
      api: {
        ...api,
        list: async (resource: Any, options: Any): Promise<Any> => {
          if (resource.plural !== "queues") return api.list(resource, options);
          return { items: resource.group === "scheduling.run.ai" ? kai : volcano, resourceVersion: "1" };
        },
      },
    });

    test.each<{ name: string; spec: Any; metadata?: Any; kai?: Any[]; volcano?: Any[]; says: readonly string[] }>([
      {
        name: "that has less than the minimum viable set",
        spec: { gpuBudget: inQueue },
        kai: [kaiQueue("team", gpu(3))],
        says: [
          "spec.gpuBudget.queueRef.name: KAI queue team has at most 3 GPUs, but the minimum viable set needs 4, so pods will wait for ever; raise the limit of the queue, or lower minReplicas",
        ],
      },
      {
        name: "below one that has less than the budget",
        spec: { gpuBudget: { ...inQueue, max: 64 } },
        kai: [kaiQueue("team", gpu(-1, "root")), kaiQueue("root", gpu(16))],
        says: [
          "spec.gpuBudget.max: is 64, but KAI queue root above team has at most 16 GPUs, so more than those are never had; raise the limit of the queue, or lower max",
        ],
      },
      {
        name: "with room for both",
        spec: { gpuBudget: { ...inQueue, max: 4 } },
        kai: [kaiQueue("team", gpu(4))],
        says: [],
      },
      { name: "that says nothing of GPUs", spec: { gpuBudget: inQueue }, kai: [kaiQueue("team", {})], says: [] },
      {
        name: "that is not there",
        spec: { gpuBudget: inQueue },
        says: ['spec.gpuBudget.queueRef.name: there is no KAI queue "team" yet, and nothing grows until there is'],
      },
      {
        name: "that only the workload names",
        spec: {},
        metadata: { labels: { "kai.scheduler/queue": "team" } },
        kai: [kaiQueue("team", gpu(2))],
        says: ["spec.targetRef.name: KAI queue team has at most 2 GPUs, but the minimum viable set needs 4"],
      },
      {
        name: "of Volcano, below another",
        spec: { gpuBudget: { max: 9 } },
        metadata: { annotations: { "scheduling.grove.io/volcano-queue": "gold" } },
        volcano: [
          volcanoQueue("gold", { capability: { cpu: "1" }, parent: "metals" }),
          volcanoQueue("metals", { capability: { "nvidia.com/gpu": "3" }, parent: "gold" }),
        ],
        says: [
          "spec.targetRef.name: Volcano queue metals above gold has at most 3 GPUs, but the minimum viable set needs 4",
          "spec.gpuBudget.max: is 9, but Volcano queue metals above gold has at most 3 GPUs",
        ],
      },
    ])("$name", async ({ spec, metadata = {}, kai = [], volcano = [], says }) => {
      await api.create(POD_CLIQUE_SETS, marked(metadata));
      const { allowed, warnings } = await ask(policy(spec), undefined, withQueues(kai, volcano));
      expect(allowed).toBe(true);
      expect(warnings).toEqual(says.map((text) => expect.stringContaining(text)));
    });

    test("that may not be read", async () => {
      await api.create(POD_CLIQUE_SETS, workload());
      const list = async (resource: Any, options: Any): Promise<Any> => {
        if (resource.plural === "queues") throw new ApiError(403, "Forbidden", "no");
        return api.list(resource, options);
      };
      expect(await ask(policy({ gpuBudget: inQueue }), undefined, { api: { ...api, list } })).toEqual({
        ...GOOD,
        warnings: ["not checked against queues, which could not be read: no"],
      });
    });
  });

  test("windows that meet but do not overlap, or say different things, are fine", async () => {
    await api.create(POD_CLIQUE_SETS, workload());
    const window = (name: string, hour: number, bounds: Any): Any => ({
      name,
      schedule: `0 ${hour} * * *`,
      duration: "2h",
      bounds,
    });
    const low = { decode: { minReplicas: 3 } };
    const apart = {
      schedules: [window("a", 7, low), window("b", 9, low), window("c", 8, { decode: { maxReplicas: 4 } })],
    };
    expect(await ask(policy(apart))).toEqual(GOOD);
    expect(await ask(policy({ schedules: [window("a", 9, low), window("b", 7, low)] }))).toEqual(GOOD);
  });

  test.each([
    {
      name: "a person's HPA",
      made: hpa("old", { kind: "PodClique", name: "llm-0-decode" }),
      way: "kubectl delete hpa old -n serving",
    },
    {
      name: "KEDA's",
      made: hpa("keda", { kind: "PodClique", name: "llm-0-decode" }, "ScaledObject"),
      way: "kubectl delete scaledobject k -n serving",
    },
    {
      name: "Grove's",
      made: hpa("grove", { kind: "PodClique", name: "llm-0-decode" }, "PodClique"),
      way: "remove autoScalingConfig from the clique in the PodCliqueSet",
    },
  ])("an HPA on its target, $name, is named with the way to remove it", ({ made, way }) => {
    // An embedded server would collect what has an owner that is not there.
    const { errors } = reviewPolicy(defaultObject(policy()) as ScalingPolicy, {
      set: workload(),
      policies: [],
      horizontalPodAutoscalers: [hpa("elsewhere", { kind: "PodClique", name: "other-0-decode" }), made],
      scaledObjects: [],
    });
    const message = `HorizontalPodAutoscaler ${made.metadata.name} scales PodClique llm-0-decode too: ${way}`;
    expect(errors).toEqual([{ field: "spec.scaleTargets[0]", message }]);
  });

  test("a second active policy is refused, a shadow is not, and neither is one after the first is on its way out", async () => {
    await api.create(POD_CLIQUE_SETS, workload());
    await api.create(SCALING_POLICIES, policy({}, "first", { finalizers: ["example.com/keep"] }));
    expect((await ask(policy())).refused).toContain(
      "spec.targetRef.name: ScalingPolicy first already scales PodCliqueSet llm; change that one or delete it, or set mode Shadow here",
    );
    expect(await ask(policy({ mode: "Shadow" }))).toEqual(GOOD);
    expect(await ask(policy({}, "first"))).toEqual(GOOD);
    await api.delete(SCALING_POLICIES, { namespace: NAMESPACE, name: "first" });
    expect(await ask(policy())).toEqual(GOOD);
  });

  test("a shared budget below its minimum", async () => {
    await api.create(POD_CLIQUE_SETS, workload());
    await api.create(GPU_BUDGETS, of("GPUBudget", "team", { capacity: 5, reserve: 2 }));
    const shared = { gpuBudget: { sharedBudgetRef: { name: "team" } } };
    expect((await ask(policy(shared))).refused).toContain(
      "GPUBudget team has 3 GPUs, but the minimum viable set needs 4",
    );
  });
});

describe("what was wrong before", () => {
  beforeEach(async () => {
    await api.create(POD_CLIQUE_SETS, workload());
  });
  const stored = policy(onDecode({ ref: "nobody" }));

  test("blocks neither labels nor finalizers nor the last update of an object that goes", async () => {
    expect(await ask({ ...stored, metadata: { ...stored.metadata, labels: { a: "b" } } }, stored)).toEqual(GOOD);
    const going = policy({ ...onDecode({ ref: "nobody" }), interval: "1ms" }, "chat", {
      deletionTimestamp: "2026-01-01T00:00:00Z",
    });
    expect(await ask(going, stored)).toEqual(GOOD);
  });

  test("does not keep anybody from pausing, and is said again", async () => {
    const paused = await ask({ ...stored, spec: { ...stored.spec, mode: "Paused" } }, stored);
    expect(paused.allowed).toBe(true);
    expect(paused.warnings).toEqual([expect.stringMatching(/^still spec\.scaleTargets\[0\]\.ref: "nobody"/u)]);
  });

  test("excuses nothing new", async () => {
    const worse = await ask(
      { ...stored, spec: { ...stored.spec, scaleTargets: [{ ...decode, ref: "leader" }] } },
      stored,
    );
    expect(worse.refused).toContain("is a member of scaling group prefill");
  });
});

describe("an override and a budget", () => {
  const override = (spec: Any): Any =>
    of("ScalingOverride", "o", {
      policyRef: { name: "chat" },
      expiresAt: "2099-01-01T00:00:00Z",
      reason: "launch",
      scaleTargets: { decode: { replicas: 3 } },
      ...spec,
    });

  test("an override names targets of its policy, and what will not be followed is said", async () => {
    expect((await ask(override({}))).warnings).toEqual([
      'spec.policyRef.name: there is no ScalingPolicy "chat" in namespace serving yet',
    ]);
    await api.create(SCALING_POLICIES, policy());
    expect(await ask(override({}))).toEqual(GOOD);
    expect((await ask(override({ scaleTargets: { router: { replicas: 1 } } }))).refused).toBe(
      "spec.scaleTargets.router: is not a scale target of ScalingPolicy chat; targets: decode",
    );
    expect((await ask(override({ expiresAt: "1960-01-01T00:00:00Z" }))).refused).toContain(
      "spec.expiresAt: must be in the future",
    );
    const nine = { scaleTargets: { decode: { replicas: 9 } } };
    expect((await ask(override(nine))).warnings).toEqual([
      "spec.scaleTargets.decode: ends at maxReplicas 4 of the policy; force: true lifts this",
    ]);
    expect(await ask(override({ ...nine, force: true }))).toEqual(GOOD);
  });

  test("a budget's members that are not there, or do not name it, are said", async () => {
    await api.create(SCALING_POLICIES, policy());
    const member = (name: string): Any => ({ namespace: NAMESPACE, policy: name });
    expect(await ask(of("GPUBudget", "team", { capacity: 8, members: [member("chat"), member("chta")] }))).toEqual({
      ...GOOD,
      warnings: [
        "spec.members[0]: ScalingPolicy chat does not name this budget; set spec.gpuBudget.sharedBudgetRef.name: team there",
        'spec.members[1]: there is no ScalingPolicy "chta" in namespace serving yet',
      ],
    });
    expect((await ask(of("GPUBudget", "team", { capacity: 8, reserve: 9 }))).refused).toContain(
      "spec.reserve: must not be above capacity (8)",
    );
  });
});

describe("a cluster that does not answer", () => {
  test("is a warning, and the rules of the object hold", async () => {
    const broken: KubeApi = {
      ...api,
      list: async () => {
        throw new ApiError(500, "InternalError", "etcd is away");
      },
    };
    const answer = await ask(policy(), undefined, { api: broken });
    expect(answer.allowed).toBe(true);
    expect(answer.warnings).toContain("not checked against scalingpolicies, which could not be read: etcd is away");
    expect((await ask(policy({ interval: "1ms" }), undefined, { api: broken })).allowed).toBe(false);
  });

  test("namespaces that the service does not work in are none of its business", async () => {
    await api.create(POD_CLIQUE_SETS, workload());
    const bad = policy(onDecode({ ref: "nobody" }));
    expect(await ask(bad, undefined, { namespaces: ["other"] })).toEqual(GOOD);
    expect((await ask(bad, undefined, { namespaces: [NAMESPACE] })).allowed).toBe(false);
  });
});
