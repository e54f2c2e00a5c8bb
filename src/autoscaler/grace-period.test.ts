import { expect, test } from "vitest";
import type { ScalingPolicySpec } from "../api/autoscaling/scaling-policy.ts";
import type { PodCliqueSet } from "../api/grove/pod-clique-set.ts";
import { graceSentence, isGraceShort } from "./grace-period.ts";
import { resolve } from "./resolve.ts";

const clique = (name: string, terminationGracePeriodSeconds?: number) => ({
  name,
  spec: {
    replicas: 1,
    podSpec: { containers: [], ...(terminationGracePeriodSeconds && { terminationGracePeriodSeconds }) },
  },
});

test("a replica ends with the first of its pods that is killed; 30 s where a template says nothing", () => {
  const template = {
    cliques: [clique("frontend"), clique("leader", 600), clique("worker", 90)],
    podCliqueScalingGroups: [{ name: "decode", cliqueNames: ["leader", "worker"] }],
  };
  const set = { metadata: { name: "llama" }, spec: { replicas: 1, template } } as unknown as PodCliqueSet;
  const target = (level: string, ref: string) => ({
    name: ref,
    level,
    ref,
    minReplicas: 1,
    gpusPerReplica: "1",
    metrics: [],
  });
  const scaleTargets = [target("PodClique", "frontend"), target("PodCliqueScalingGroup", "decode")];
  const spec = { scaleTargets, gpuBudget: {} } as unknown as ScalingPolicySpec;
  expect(resolve(spec, set).resolution?.targets.map(({ gracePeriodMs }) => gracePeriodMs)).toEqual([30_000, 90_000]);
});

test("only what is known and longer is too long, and every such target is named", () => {
  const targets = [
    { name: "frontend" },
    { name: "prefill", drain: { requestMs: 30_000, graceMs: 30_000 } },
    { name: "decode", drain: { requestMs: 30_001, graceMs: 30_000 } },
  ];
  const short = targets.filter(isGraceShort);
  expect(short.map(({ name }) => name)).toEqual(["decode"]);
  expect(graceSentence(short)).toContain("decode: p99 of its requests is 31 s, and a pod that goes has 30 s");
});
