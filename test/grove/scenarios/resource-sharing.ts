/** Resource claims shared at every level, upstream's RS1 (grove.md 10.7). */
import type { PodCliqueSetInput } from "../../../src/api/grove/pod-clique-set.ts";
import { NAMESPACES, type Pod } from "../../../src/api/kubernetes/core.ts";
import type { OwnerReference } from "../../../src/api/kubernetes/meta.ts";
import {
  RESOURCE_CLAIM_TEMPLATES,
  RESOURCE_CLAIMS,
  type ResourceClaim,
} from "../../../src/api/kubernetes/resource-claim.ts";
import { isAlreadyExists } from "../../../src/kube/api-error.ts";
import { startInformer } from "../../../src/kube/informer.ts";
import { seededRandom } from "../../../src/random.ts";
import { clique, onAgents, workload } from "../workloads.ts";
import type { Scenario, ScenarioWorld } from "./scenario-world.ts";
import { activePods, cliqueOf, untilReady } from "./steps.ts";

type Template = PodCliqueSetInput["spec"]["template"];

const SHARED_NAMESPACE = "rs-shared";
const devices = (name: string) => ({ devices: { requests: [{ name: "dev", exactly: { deviceClassName: name } }] } });

const SHARING: Template = {
  resourceClaimTemplates: ["", 2, 3, 4, 5, 6, 7, 8].map((number) => ({
    name: `int-tpl${number}`,
    templateSpec: { spec: devices(`int-class${number}`) },
  })),
  resourceSharing: [
    { name: "int-tpl5", scope: "AllReplicas" },
    { name: "ext-tpl", scope: "PerReplica" },
    { name: "int-tpl", scope: "PerReplica", filter: { childCliqueNames: ["worker-a"] } },
    { name: "int-tpl7", scope: "AllReplicas", filter: { childScalingGroupNames: ["sga"] } },
  ],
  cliques: [
    {
      ...clique("worker-a", 1, 1),
      resourceSharing: [
        { name: "int-tpl4", scope: "PerReplica" },
        { name: "ext-ns-tpl", namespace: SHARED_NAMESPACE, scope: "AllReplicas" },
      ],
    },
    { ...clique("worker-b", 1, 1), resourceSharing: [{ name: "int-tpl6", scope: "AllReplicas" }] },
  ],
  podCliqueScalingGroups: [
    {
      name: "sga",
      cliqueNames: ["worker-b"],
      replicas: 2,
      minAvailable: 2,
      resourceSharing: [
        { name: "int-tpl2", scope: "AllReplicas" },
        { name: "int-tpl3", scope: "PerReplica" },
        { name: "int-tpl8", scope: "AllReplicas", filter: { childCliqueNames: ["worker-b"] } },
      ],
    },
  ],
};

/** What has to be there, by name: whose it is, and the labels that place it. */
type Expected = Readonly<Record<string, { readonly owner: string; readonly labels: Readonly<Record<string, string>> }>>;

/** @param groups replicas of the scaling group in each set replica */
function expectedClaims(groups: readonly number[], workersOfFirst = 1): Expected {
  const claims: Record<string, Expected[string]> = {};
  const add = (name: string, owner: string, labels: Readonly<Record<string, string>>) => {
    claims[name] = { owner, labels };
  };
  add("rs-test-all-int-tpl5", "PodCliqueSet/rs-test", {});
  add("rs-test-all-int-tpl7", "PodCliqueSet/rs-test", {});
  for (const [index, replicas] of groups.entries()) {
    const set = `rs-test-${index}`;
    for (const template of ["ext-tpl", "int-tpl"]) {
      add(`${set}-${template}`, "PodCliqueSet/rs-test", { "grove.io/podcliqueset-replica-index": `${index}` });
    }
    const worker = { "grove.io/podclique": `${set}-worker-a` };
    add(`${set}-worker-a-all-ext-ns-tpl`, `PodClique/${set}-worker-a`, worker);
    for (let pod = 0; pod < (index === 0 ? workersOfFirst : 1); pod++) {
      const labels = { ...worker, "grove.io/podclique-pod-index": `${pod}` };
      add(`${set}-worker-a-${pod}-int-tpl4`, `PodClique/${set}-worker-a`, labels);
    }
    const group = { "grove.io/podcliquescalinggroup": `${set}-sga` };
    const owner = `PodCliqueScalingGroup/${set}-sga`;
    for (const template of ["int-tpl2", "int-tpl8"]) add(`${set}-sga-all-${template}`, owner, group);
    for (let replica = 0; replica < replicas; replica++) {
      const labels = { ...group, "grove.io/podcliquescalinggroup-replica-index": `${replica}` };
      add(`${set}-sga-${replica}-int-tpl3`, owner, labels);
      const member = `${set}-sga-${replica}-worker-b`;
      add(`${member}-all-int-tpl6`, `PodClique/${member}`, { "grove.io/podclique": member });
    }
  }
  return claims;
}

/** In the order of the levels. */
function expectedReferences(pod: Pod): readonly string[] {
  const labels = pod.metadata.labels ?? {};
  const set = `rs-test-${labels["grove.io/podcliqueset-replica-index"]}`;
  const own = cliqueOf(pod);
  if (own.endsWith("-worker-a")) {
    const index = labels["grove.io/podclique-pod-index"];
    const perSet = [`${set}-ext-tpl`, `${set}-int-tpl`];
    return ["rs-test-all-int-tpl5", ...perSet, `${own}-all-ext-ns-tpl`, `${own}-${index}-int-tpl4`];
  }
  const replica = labels["grove.io/podcliquescalinggroup-replica-index"];
  const all = ["rs-test-all-int-tpl5", "rs-test-all-int-tpl7", `${set}-ext-tpl`];
  const perGroup = [`${set}-sga-all-int-tpl2`, `${set}-sga-all-int-tpl8`, `${set}-sga-${replica}-int-tpl3`];
  return [...all, ...perGroup, `${own}-all-int-tpl6`];
}

export const RESOURCE_SHARING: readonly Scenario[] = [
  {
    name: "Test_RS1_HierarchicalResourceSharing",
    async run(world) {
      const { api, clock, namespace } = world;
      const stop = new AbortController();
      const scope = { namespace, labelSelector: "app.kubernetes.io/component=resource-claim" };
      const follow = { api, clock, random: seededRandom(12), signal: stop.signal };
      const claims = startInformer({ ...follow, resource: RESOURCE_CLAIMS, scope });
      const there = async (what: string, expected: Expected, pods: number): Promise<void> => {
        await world.until(`${what}: ${Object.keys(expected).length} claims`, () => hasExactly(claims.list(), expected));
        await untilReady(world, pods);
        requireClaims(claims.list(), expected);
        for (const pod of activePods(world)) requireReferences(pod);
      };
      try {
        await createTemplates(world);
        await world.prepare(7);
        await world.deploy(onAgents(workload("rs-test", SHARING)));
        await there("at first", expectedClaims([2]), 3);

        await world.scale("group", "rs-test-0-sga", 1);
        await there("group 1", expectedClaims([1]), 2);
        await world.scale("group", "rs-test-0-sga", 3);
        await there("group 3", expectedClaims([3]), 4);
        await world.scale("clique", "rs-test-0-worker-a", 2);
        await there("clique 2", expectedClaims([3], 2), 5);
        await world.scale("clique", "rs-test-0-worker-a", 1);
        await there("clique 1", expectedClaims([3]), 4);
        await world.scale("set", "rs-test", 2);
        await there("set 2", expectedClaims([3, 2]), 7);
        await world.scale("set", "rs-test", 1);
        await there("set 1", expectedClaims([3]), 4);

        await requireImmutable(world);
        await world.cleanUp();
        await world.until("the claims to go with the set", () => claims.list().length === 0);
      } finally {
        stop.abort();
      }
    },
  },
];

async function createTemplates({ api, namespace }: ScenarioWorld): Promise<void> {
  const existing = (error: unknown): void => {
    if (!isAlreadyExists(error)) throw error;
  };
  const shared = { apiVersion: "v1", kind: "Namespace", metadata: { name: SHARED_NAMESPACE } };
  await api.create(NAMESPACES, shared).catch(existing);
  for (const [name, where] of [
    ["ext-tpl", namespace],
    ["ext-ns-tpl", SHARED_NAMESPACE],
  ] as const) {
    await api
      .create(RESOURCE_CLAIM_TEMPLATES, {
        apiVersion: "resource.k8s.io/v1",
        kind: "ResourceClaimTemplate",
        metadata: { name, namespace: where },
        spec: { spec: devices(`${name}-class`) },
      })
      .catch(existing);
  }
}

const hasExactly = (claims: readonly ResourceClaim[], expected: Expected): boolean =>
  claims.length === Object.keys(expected).length && claims.every(({ metadata }) => metadata.name in expected);

function requireClaims(claims: readonly ResourceClaim[], expected: Expected): void {
  for (const { metadata, spec } of claims) {
    const wanted = expected[metadata.name];
    const owner = metadata.ownerReferences?.find(({ controller }: OwnerReference) => controller === true);
    const labels: Readonly<Record<string, string>> = {
      "app.kubernetes.io/managed-by": "grove-operator",
      "app.kubernetes.io/part-of": "rs-test",
      "app.kubernetes.io/component": "resource-claim",
      ...wanted?.labels,
    };
    if (`${owner?.kind}/${owner?.name}` !== wanted?.owner) throw new Error(`${metadata.name} is of ${owner?.name}`);
    if (JSON.stringify(sorted(metadata.labels)) !== JSON.stringify(sorted(labels))) {
      throw new Error(`labels of ${metadata.name}: ${JSON.stringify(metadata.labels)}`);
    }
    if (spec.devices?.requests?.length !== 1) throw new Error(`spec of ${metadata.name}: ${JSON.stringify(spec)}`);
  }
}

const sorted = (labels: Readonly<Record<string, string>> = {}) => Object.entries(labels).toSorted();

function requireReferences(pod: Pod): void {
  const expected = JSON.stringify(expectedReferences(pod));
  const inPod = (pod.spec.resourceClaims ?? []).map(({ name, resourceClaimName }) =>
    name === resourceClaimName ? name : `${name} for ${resourceClaimName}`,
  );
  const lists = [
    inPod,
    ...pod.spec.containers.map(({ resources }) => (resources?.claims ?? []).map(({ name }) => name)),
  ];
  for (const names of lists) {
    if (JSON.stringify(names) !== expected) throw new Error(`${pod.metadata.name}: ${names}, not ${expected}`);
  }
}

async function requireImmutable(world: ScenarioWorld): Promise<void> {
  const edit = world.editSet("rs-test", (set) => {
    const { template } = set.spec;
    const [first, ...others] = template.resourceSharing ?? [];
    if (first === undefined) return set;
    const changed = [{ ...first, scope: "PerReplica" as const }, ...others];
    return { ...set, spec: { ...set.spec, template: { ...template, resourceSharing: changed } } };
  });
  const message = await edit.then(() => "admitted", String);
  if (!message.includes("field is immutable")) throw new Error(`a change of resourceSharing: ${message}`);
}
