/** The CEL rules of our kinds, as an API server applies them with no webhook near: each bad object, its field and its sentence. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { admit } from "../../src/api/admission.ts";
import type { KubeObject } from "../../src/api/kubernetes/meta.ts";
import type { HttpAnswer, Target } from "./target.ts";

const FOLDER = join(import.meta.dirname, "../../deploy/crds");
const GROUP = "/apis/autoscaling.grove.io/v1alpha1";
const API_VERSION = "autoscaling.grove.io/v1alpha1";
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

// biome-ignore lint/suspicious/noExplicitAny: bad objects have every shape
type Any = any;

interface BadObject {
  readonly name: string;
  readonly change: (spec: Any) => void;
  readonly field: string;
  readonly says: string;
}

const target = (name: string, more: Any = {}): Any => ({
  name,
  level: "PodClique",
  ref: name,
  maxReplicas: 8,
  ...more,
});

const goodPolicy = (): Any => ({
  targetRef: { name: "llm" },
  scaleTargets: [target("prefill"), target("decode"), { name: "sets", level: "PodCliqueSet", maxReplicas: 2 }],
  ratios: [{ name: "p-d", between: ["prefill", "decode"], min: "1:4", max: "1:1" }],
  coupling: [{ name: "pair", step: { prefill: 1, decode: 2 } }],
  gpuBudget: { min: 1, max: 64 },
  minimumViableSet: { overrides: { decode: 2 } },
  slo: { ttft: { target: "500ms" } },
  schedules: [
    { name: "day", schedule: "0 7 * * *", duration: "1h", bounds: { decode: { minReplicas: 1, maxReplicas: 4 } } },
  ],
  scaleToZero: { enabled: true, demandQuery: "sum(up)", set: ["prefill", "decode"] },
  metricsPolicy: { onMissing: "Fallback" },
  fallback: { behavior: "static", replicas: { decode: 2 } },
});

const BAD_POLICIES: readonly BadObject[] = [
  {
    name: "a target that is named as every object of JavaScript has a field",
    change: ({ scaleTargets }) => scaleTargets.push(target("constructor")),
    field: "spec.scaleTargets[3].name",
    says: "must not be constructor",
  },
  {
    name: "a minimum above its maximum",
    change: ({ scaleTargets }) => Object.assign(scaleTargets[0], { minReplicas: 9 }),
    field: "spec.scaleTargets[0].minReplicas",
    says: "must not be above maxReplicas",
  },
  {
    name: "a set with a ref",
    change: ({ scaleTargets }) => Object.assign(scaleTargets[2], { ref: "llm" }),
    field: "spec.scaleTargets[2]",
    says: "ref must not be set for level PodCliqueSet",
  },
  {
    name: "a clique without ref",
    change: ({ scaleTargets }) => Reflect.deleteProperty(scaleTargets[0], "ref"),
    field: "spec.scaleTargets[0]",
    says: "ref is required for levels PodClique and PodCliqueScalingGroup",
  },
  {
    name: "a target that overflows from itself",
    change: ({ scaleTargets }) => Object.assign(scaleTargets[0], { overflow: { after: ["prefill"] } }),
    field: "spec.scaleTargets[0].overflow",
    says: "must not come after itself",
  },
  {
    name: "two targets for the set",
    change: ({ scaleTargets }) => scaleTargets.push({ name: "again", level: "PodCliqueSet", maxReplicas: 2 }),
    field: "spec.scaleTargets",
    says: "at most one target may have level PodCliqueSet",
  },
  {
    name: "a ratio of one target to itself",
    change: ({ ratios }) => Object.assign(ratios[0], { between: ["decode", "decode"] }),
    field: "spec.ratios[0].between",
    says: "must name two different targets",
  },
  {
    name: "a ratio without bounds",
    change: ({ ratios }) => Object.assign(ratios[0], { min: undefined, max: undefined }),
    field: "spec.ratios[0]",
    says: "must have min, max or both",
  },
  {
    name: "a ratio upside down",
    change: ({ ratios }) => Object.assign(ratios[0], { min: "1:1", max: "1:4" }),
    field: "spec.ratios[0].min",
    says: "must not be above max; swap them",
  },
  {
    name: "a ratio with a stranger",
    change: ({ ratios }) => Object.assign(ratios[0], { between: ["prefill", "nobody"] }),
    field: "spec.ratios",
    says: "between must name scale targets of this policy",
  },
  {
    name: "a ratio with the set",
    change: ({ ratios }) => Object.assign(ratios[0], { between: ["prefill", "sets"] }),
    field: "spec.ratios",
    says: "ratios hold inside one PodCliqueSet replica",
  },
  {
    name: "an empty step",
    change: ({ coupling }) => Object.assign(coupling[0], { step: {} }),
    field: "spec.coupling[0].step",
    says: "must name at least one target",
  },
  {
    name: "a step with a stranger",
    change: ({ coupling }) => Object.assign(coupling[0], { step: { prefill: 1, nobody: 1 } }),
    field: "spec.coupling",
    says: "step must name scale targets of this policy",
  },
  {
    name: "a step of nothing",
    change: ({ coupling }) => Object.assign(coupling[0].step, { prefill: 0 }),
    field: "spec.coupling[0].step.prefill",
    says: "greater than or equal to 1",
  },
  {
    name: "a budget below its floor",
    change: (spec) => Object.assign(spec, { gpuBudget: { min: 8, max: 4 } }),
    field: "spec.gpuBudget.max",
    says: "must not be below min",
  },
  {
    name: "a viable set with a stranger",
    change: ({ minimumViableSet }) => Object.assign(minimumViableSet.overrides, { nobody: 1 }),
    field: "spec.minimumViableSet.overrides",
    says: "overrides must name scale targets",
  },
  {
    name: "a viable set above a maximum",
    change: ({ minimumViableSet }) => Object.assign(minimumViableSet.overrides, { decode: 9 }),
    field: "spec.minimumViableSet.overrides",
    says: "stay within their maxReplicas",
  },
  {
    name: "goals without a goal",
    change: (spec) => Object.assign(spec, { slo: {} }),
    field: "spec.slo",
    says: "must have ttft, itl or both",
  },
  {
    name: "a profile that is not named",
    change: (spec) => Object.assign(spec, { performanceModel: { source: "Profile" } }),
    field: "spec.performanceModel",
    says: "profileRef is required with source Profile",
  },
  {
    name: "a schedule twice",
    change: ({ schedules }) => schedules.push(schedules[0]),
    field: "spec.schedules[1]",
    says: "Duplicate value",
  },
  {
    name: "a schedule with a stranger",
    change: ({ schedules }) => Object.assign(schedules[0].bounds, { nobody: { minReplicas: 1 } }),
    field: "spec.schedules",
    says: "bounds must name scale targets",
  },
  {
    name: "a schedule with bounds that exclude one another",
    change: ({ schedules }) => Object.assign(schedules[0].bounds.decode, { minReplicas: 5 }),
    field: "spec.schedules[0].bounds[decode].minReplicas",
    says: "must not be above maxReplicas",
  },
  {
    name: "zero without a demand query",
    change: ({ scaleToZero }) => Reflect.deleteProperty(scaleToZero, "demandQuery"),
    field: "spec.scaleToZero",
    says: "demandQuery is required when enabled",
  },
  {
    name: "zero of nothing",
    change: ({ scaleToZero }) => Object.assign(scaleToZero, { set: [] }),
    field: "spec.scaleToZero.set",
    says: "must name at least one target",
  },
  {
    name: "zero of a stranger",
    change: ({ scaleToZero }) => scaleToZero.set.push("nobody"),
    field: "spec.scaleToZero",
    says: "set must name scale targets",
  },
  {
    name: "a fallback for a stranger",
    change: ({ fallback }) => Object.assign(fallback.replicas, { nobody: 1 }),
    field: "spec.fallback",
    says: "replicas must name scale targets",
  },
  {
    name: "a static fallback of nothing",
    change: ({ fallback }) => Object.assign(fallback, { replicas: {} }),
    field: "spec.fallback.replicas",
    says: "must have at least one entry",
  },
  {
    name: "a window that never ends",
    change: ({ schedules }) => Object.assign(schedules[0], { duration: "9999999999h" }),
    field: "spec.schedules[0].duration",
    says: "must be at most 744h; shorten it",
  },
  {
    name: "a window of more than a month",
    change: ({ schedules }) => Object.assign(schedules[0], { duration: "744h1s" }),
    field: "spec.schedules[0].duration",
    says: "must be at most 744h; shorten it",
  },
  {
    name: "a day between decisions",
    change: (spec) => Object.assign(spec, { interval: "24h" }),
    field: "spec.interval",
    says: "must be at most 1h; shorten it",
  },
  {
    name: "a year ahead",
    change: (spec) => Object.assign(spec, { forecast: { horizon: "8760h" } }),
    field: "spec.forecast.horizon",
    says: "must be at most 24h; shorten it",
  },
  {
    name: "a quantile of everything",
    change: ({ slo }) => Object.assign(slo.ttft, { quantile: "p99.99999999999999999" }),
    field: "spec.slo.ttft.quantile",
    says: "should match",
  },
  {
    name: "more replicas of the set than can be planned",
    change: ({ scaleTargets }) => Object.assign(scaleTargets[2], { maxReplicas: 1_001 }),
    field: "spec.scaleTargets[2].maxReplicas",
    says: "must not be above 1000 for level PodCliqueSet",
  },
  {
    name: "more GPUs than there are",
    change: ({ scaleTargets }) => Object.assign(scaleTargets[0], { gpusPerReplica: 100_000 }),
    field: "spec.scaleTargets[0].gpusPerReplica",
    says: "must be from 0 to 99999",
  },
  {
    name: "GPUs without end",
    change: ({ scaleTargets }) => Object.assign(scaleTargets[0], { gpusPerReplica: "9".repeat(400) }),
    field: "spec.scaleTargets[0].gpusPerReplica",
    says: "should match",
  },
  {
    name: "a target that no number holds",
    change: ({ scaleTargets }) =>
      Object.assign(scaleTargets[0], {
        metrics: [
          {
            type: "Prometheus",
            prometheus: { query: "up", target: { type: "AverageValue", averageValue: "1e400" } },
          },
        ],
      }),
    field: "spec.scaleTargets[0].metrics[0].prometheus.target.averageValue",
    says: "should match",
  },
  {
    name: "a fallback that is missed",
    change: (spec) => Reflect.deleteProperty(spec, "fallback"),
    field: "spec",
    says: "fallback is required with metricsPolicy.onMissing Fallback",
  },
];

const goodOverride = (): Any => ({
  policyRef: { name: "llm" },
  scaleTargets: { decode: { minReplicas: 1, maxReplicas: 4 } },
  expiresAt: "2099-01-01T00:00:00Z",
  reason: "load test",
});

const BAD_OVERRIDES: readonly BadObject[] = [
  {
    name: "no end",
    change: (spec) => Reflect.deleteProperty(spec, "expiresAt"),
    field: "spec.expiresAt",
    says: "Required value",
  },
  {
    name: "no reason",
    change: (spec) => Reflect.deleteProperty(spec, "reason"),
    field: "spec.reason",
    says: "Required value",
  },
  {
    name: "a blank reason",
    change: (spec) => Object.assign(spec, { reason: "  " }),
    field: "spec.reason",
    says: "must say why",
  },
  {
    name: "no targets",
    change: (spec) => Object.assign(spec, { scaleTargets: {} }),
    field: "spec.scaleTargets",
    says: "must name at least one scale target",
  },
  {
    name: "a target that is not changed",
    change: ({ scaleTargets }) => Object.assign(scaleTargets, { decode: {} }),
    field: "spec.scaleTargets[decode]",
    says: "must have replicas, minReplicas or maxReplicas",
  },
  {
    name: "a number and bounds",
    change: ({ scaleTargets }) => Object.assign(scaleTargets.decode, { replicas: 2 }),
    field: "spec.scaleTargets[decode]",
    says: "replicas excludes minReplicas and maxReplicas",
  },
  {
    name: "bounds that exclude one another",
    change: ({ scaleTargets }) => Object.assign(scaleTargets.decode, { minReplicas: 5 }),
    field: "spec.scaleTargets[decode].minReplicas",
    says: "must not be above maxReplicas",
  },
];

const goodBudget = (): Any => ({ capacity: 8, reserve: 1 });

const BAD_BUDGETS: readonly BadObject[] = [
  {
    name: "a reserve above the capacity",
    change: (spec) => Object.assign(spec, { reserve: 9 }),
    field: "spec.reserve",
    says: "must not be above capacity",
  },
  {
    name: "a member twice",
    change: (spec) =>
      Object.assign(spec, {
        members: [
          { namespace: "a", policy: "b" },
          { namespace: "a", policy: "b" },
        ],
      }),
    field: "spec.members[1]",
    says: "Duplicate value",
  },
];

const KINDS = [
  { kind: "ScalingPolicy", path: `${GROUP}/namespaces/default/scalingpolicies`, good: goodPolicy, bad: BAD_POLICIES },
  {
    kind: "ScalingOverride",
    path: `${GROUP}/namespaces/default/scalingoverrides`,
    good: goodOverride,
    bad: BAD_OVERRIDES,
  },
  { kind: "GPUBudget", path: `${GROUP}/gpubudgets`, good: goodBudget, bad: BAD_BUDGETS },
];

export function describePolicyRules(
  name: string,
  open: () => Promise<Target>,
  { skip = false }: { readonly skip?: boolean } = {},
): void {
  describe.skipIf(skip)(`CEL rules of our kinds on ${name}`, () => {
    let server: Target;
    beforeAll(async () => {
      server = await open();
      const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } };
      await server.request("POST", "/api/v1/namespaces", { body: namespace });
      for (const file of readdirSync(FOLDER).filter((one) => one.startsWith("autoscaling.grove.io_"))) {
        const made = await server.request("POST", CRDS, { body: parse(readFileSync(join(FOLDER, file), "utf8")) });
        // A rule that does not compile, or whose cost is over the limit, ends here.
        if (made.status !== 201) throw new Error(made.text);
      }
      for (const { path } of KINDS) while ((await server.request("GET", path)).status !== 200) await wait(20);
    }, 180_000);
    afterAll(() => server?.stop());

    const create = (path: string, kind: string, object: string, spec: Any): Promise<HttpAnswer> =>
      server.request("POST", path, {
        body: { apiVersion: API_VERSION, kind, metadata: { name: object }, spec: structuredClone(spec) },
      });

    for (const { kind, path, good, bad } of KINDS) {
      test(`a good ${kind} is admitted`, async () => {
        expect((await create(path, kind, "good", good())).json).toMatchObject({ kind });
      });

      test.each(bad)(`a ${kind} with $name is refused`, async ({ change, field, says, name: badName }) => {
        const spec = good();
        change(spec);
        const { status, json } = await create(path, kind, badName.replaceAll(" ", "-"), spec);
        expect(status).toBe(422);
        const causes: readonly Any[] = json.details.causes;
        expect(causes.filter((cause) => cause.field === field).map(({ message }) => message)).toContainEqual(
          expect.stringContaining(says),
        );
        // The one door that webhooks and `lint` go through never admits what the server refuses.
        const object = { apiVersion: API_VERSION, kind, metadata: { name: "bad", namespace: "default" }, spec };
        expect(admit({ operation: "CREATE", object: object as KubeObject }).errors).not.toEqual([]);
      });
    }
  });
}
