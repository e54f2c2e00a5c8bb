import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  SCALING_POLICIES,
  SCALING_POLICY_DEFINITION,
  type ScalingPolicyInput,
} from "../../src/api/autoscaling/scaling-policy.ts";
import { customResourceDefinitions } from "../../src/api/crds/all.ts";
import { POD_CLIQUES } from "../../src/api/grove/pod-clique.ts";
import { POD_CLIQUE_SCALING_GROUPS } from "../../src/api/grove/pod-clique-scaling-group.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet, type PodCliqueSetInput } from "../../src/api/grove/pod-clique-set.ts";
import { conditionOf } from "../../src/api/kubernetes/conditions.ts";
import {
  CUSTOM_RESOURCE_DEFINITIONS,
  HORIZONTAL_POD_AUTOSCALERS,
  isPodReady,
  NODES,
  PODS,
  ROLE_BINDINGS,
  ROLES,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from "../../src/api/kubernetes/core.ts";
import type { KubeObject, Resource } from "../../src/api/kubernetes/meta.ts";
import { POD_GANGS } from "../../src/api/scheduler/pod-gang.ts";
import { applyDefaults } from "../../src/api/schema/defaults.ts";
import { wallClock } from "../../src/clock.ts";
import { startGroveOperator } from "../../src/grove/operator.ts";
import { createKubeClient } from "../../src/kube/client.ts";
import { loadCredentials } from "../../src/kube/credentials.ts";
import type { KubeApi } from "../../src/kube/kube-api.ts";
import { systemRandom } from "../../src/random.ts";
import { recordedApi, type Write } from "../grove/recorded-api.ts";
import { NODE, startTinyKubelet } from "../grove/tiny-kubelet.ts";
import { workload2 } from "../grove/workloads.ts";
import { type ControlPlane, canStartControlPlane, startControlPlane } from "./control-plane/control-plane.ts";

const NAMESPACE = "default";
const clock = wallClock();

describe.skipIf(!canStartControlPlane())("the Grove operator on a real control plane", () => {
  let controlPlane: ControlPlane;
  let api: KubeApi;
  const stop = new AbortController();
  const problems: string[] = [];
  const writes: Write[] = [];

  beforeAll(async () => {
    controlPlane = await startControlPlane();
    const credentials = await loadCredentials({ kubeconfig: controlPlane.kubeconfigPath }, clock);
    api = createKubeClient({ credentials, clock });
    for (const definition of customResourceDefinitions()) await api.create(CUSTOM_RESOURCE_DEFINITIONS, definition);
    await api.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name: NODE } });
    await eventually("all kinds to be served", async () => {
      const all = (await api.list(CUSTOM_RESOURCE_DEFINITIONS)).items;
      return all.every(({ status }) => conditionOf(status?.conditions, "Established")?.status === "True");
    });
    const log = {
      debug: () => undefined,
      info: () => undefined,
      warn: () => undefined,
      error: (fields: object, message: string) => {
        problems.push(`${message} ${JSON.stringify(fields)}`);
      },
      child: () => log,
    };
    startTinyKubelet({ api, clock, signal: stop.signal });
    const operator = startGroveOperator({
      api: recordedApi(api, writes),
      clock,
      random: systemRandom(),
      signal: stop.signal,
      log,
      resyncMs: 2000,
    });
    await operator.ready;
  });
  afterAll(async () => {
    stop.abort();
    await controlPlane?.stop();
  });

  const named = async (resource: Resource): Promise<readonly string[]> =>
    (await api.list(resource, { namespace: NAMESPACE })).items.map(({ metadata }) => metadata.name).sort();
  const readyPods = async (): Promise<number> =>
    (await api.list(PODS, { namespace: NAMESPACE })).items.filter(isPodReady).length;
  const settled = (pods: number): Promise<void> =>
    eventually(`${pods} ready pods and an observed set`, async () => {
      const set = await api.get(POD_CLIQUE_SETS, { namespace: NAMESPACE, name: "workload2" });
      const total = (await api.list(PODS, { namespace: NAMESPACE })).items.length;
      return total === pods && (await readyPods()) === pods && isSettled(set);
    });

  test("every kind's schema is structural for the real server", async () => {
    for (const { metadata, status } of (await api.list(CUSTOM_RESOURCE_DEFINITIONS)).items) {
      const nonStructural = conditionOf(status?.conditions, "NonStructuralSchema");
      expect([metadata.name, nonStructural?.message]).toEqual([metadata.name, undefined]);
    }
  });

  test("CEL rules of topology constraints answer with their texts", async () => {
    const set = workload2();
    const constrained = (topologyConstraint: object) => ({
      ...set,
      metadata: { ...set.metadata, name: "constrained" },
      spec: { ...set.spec, template: { ...set.spec.template, topologyConstraint } },
    });
    const refusal = async (topologyConstraint: object): Promise<string> => {
      try {
        await api.create(POD_CLIQUE_SETS, constrained(topologyConstraint) as never, { dryRun: true });
        return "admitted";
      } catch (error) {
        return String(error);
      }
    };
    expect(await refusal({ topologyName: "t", pack: { required: "rack" } })).toBe("admitted");
    expect(await refusal({ topologyName: "t", packDomain: "rack" })).toContain(
      "packDomain is deprecated and cannot be used on new workloads; use pack.required",
    );
    expect(await refusal({ topologyName: "t" })).toContain(
      "topologyConstraint must specify pack or deprecated packDomain",
    );
    expect(await refusal({ pack: {} })).toContain("pack must specify at least one of required or preferred");
  });

  test("the real server defaults a ScalingPolicy as we do", async () => {
    const smallest: ScalingPolicyInput = {
      apiVersion: "autoscaling.grove.io/v1alpha1",
      kind: "ScalingPolicy",
      metadata: { name: "smallest", namespace: NAMESPACE },
      spec: {
        targetRef: { name: "llama" },
        scaleTargets: [
          { name: "prefill", level: "PodCliqueScalingGroup", ref: "prefill", maxReplicas: 16 },
          { name: "decode", level: "PodCliqueScalingGroup", ref: "decode", maxReplicas: 32, behavior: { panic: {} } },
        ],
        ratios: [{ between: ["prefill", "decode"], min: "1:4", max: "1:1" }],
        slo: { ttft: { target: "500ms" } },
        fallback: {},
      },
    };
    const stored = await api.create(SCALING_POLICIES, smallest as never, { dryRun: true });
    expect(stored.spec).toEqual(applyDefaults(SCALING_POLICY_DEFINITION.schema, smallest).spec);
  });

  test("brings a set up, scales it at all levels, and leaves nothing behind", async () => {
    await api.create(POD_CLIQUE_SETS, autoscaled(workload2()) as never);
    await settled(10);
    expect(await named(HORIZONTAL_POD_AUTOSCALERS)).toEqual(["workload2-0-sg-x"]);
    expect(await named(POD_GANGS)).toEqual(["workload2-0", "workload2-0-sg-x-0"]);
    // Defaults and orders of the server must not look like changes: three resyncs write nothing.
    await clock.sleep(1000);
    writes.length = 0;
    await clock.sleep(7000);
    expect(writes).toEqual([]);

    await api.setScale(POD_CLIQUE_SCALING_GROUPS, { namespace: NAMESPACE, name: "workload2-0-sg-x" }, 3);
    await settled(14);
    await api.setScale(POD_CLIQUES, { namespace: NAMESPACE, name: "workload2-0-pc-a" }, 4);
    await settled(16);
    await api.setScale(POD_CLIQUE_SETS, { namespace: NAMESPACE, name: "workload2" }, 2);
    await settled(26);
    const scale = await api.getScale(POD_CLIQUE_SCALING_GROUPS, { namespace: NAMESPACE, name: "workload2-0-sg-x" });
    expect(scale.status?.selector).toContain("grove.io/podcliquescalinggroup=workload2-0-sg-x");

    await api.setScale(POD_CLIQUE_SETS, { namespace: NAMESPACE, name: "workload2" }, 1);
    await api.setScale(POD_CLIQUE_SCALING_GROUPS, { namespace: NAMESPACE, name: "workload2-0-sg-x" }, 1);
    await api.setScale(POD_CLIQUES, { namespace: NAMESPACE, name: "workload2-0-pc-a" }, 1);
    await settled(5);
    expect(await named(POD_GANGS)).toEqual(["workload2-0"]);
    expect(problems).toEqual([]);

    await api.delete(POD_CLIQUE_SETS, { namespace: NAMESPACE, name: "workload2" });
    await eventually("everything of the set to go", async () => {
      const kinds: readonly Resource[] = [
        POD_CLIQUE_SETS,
        POD_CLIQUES,
        POD_CLIQUE_SCALING_GROUPS,
        POD_GANGS,
        PODS,
        ROLES,
        ROLE_BINDINGS,
        SECRETS,
      ];
      const left = await Promise.all(kinds.map(named));
      const others = [...(await named(SERVICES)), ...(await named(SERVICE_ACCOUNTS))].filter((name) =>
        name.startsWith("workload2"),
      );
      return left.flat().length === 0 && others.length === 0;
    });
    expect(problems).toEqual([]);
  });
});

/** Its metric has no value here, so the autoscaler never acts; what counts is that the server completes the object. */
const autoscaled = (set: PodCliqueSetInput): PodCliqueSetInput => ({
  ...set,
  spec: {
    ...set.spec,
    template: {
      ...set.spec.template,
      podCliqueScalingGroups: set.spec.template.podCliqueScalingGroups!.map((group) => ({
        ...group,
        scaleConfig: {
          minReplicas: 1,
          maxReplicas: 5,
          metrics: [
            { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } },
          ],
        },
      })),
    },
  },
});

const isSettled = ({ metadata, status, spec }: PodCliqueSet & KubeObject): boolean =>
  status?.observedGeneration === metadata.generation && status?.availableReplicas === spec.replicas;

async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const endMs = clock.monotonicMs() + 60_000;
  while (!(await holds())) {
    if (clock.monotonicMs() > endMs) throw new Error(`waited in vain for ${what}`);
    await clock.sleep(200);
  }
}
