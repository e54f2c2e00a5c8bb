/** Domains of multi-node NVLink, upstream's AutoMNNVL tests (grove.md 8.7, 10.7). The nodes have no GPUs: the pods wait, the objects are what counts. */
import { POD_CLIQUE_SETS, type PodCliqueSetInput } from "../../../src/api/grove/pod-clique-set.ts";
import type { Container } from "../../../src/api/kubernetes/core.ts";
import { COMPUTE_DOMAINS, type ComputeDomain } from "../../../src/api/nvidia/compute-domain.ts";
import { isNotFound } from "../../../src/kube/api-error.ts";
import { startInformer } from "../../../src/kube/informer.ts";
import { seededRandom } from "../../../src/random.ts";
import { clique, workload } from "../workloads.ts";
import type { Scenario, ScenarioWorld } from "./scenario-world.ts";
import { activePods, podsOf } from "./steps.ts";

type Template = PodCliqueSetInput["spec"]["template"];
type Clique = Template["cliques"][number];

const GROUP = "grove.io/mnnvl-group";
const FINALIZER = "grove.io/computedomain-finalizer";
const CLAIM = "mnnvl-claim";

const inGroup = (group: string | undefined) => (group === undefined ? {} : { annotations: { [GROUP]: group } });
const container = (name: string, resources: Container["resources"] = {}): Container => ({
  name,
  image: "registry.example/busybox:latest",
  resources,
});
const CPU = container("cpu");

const gpuClique = (name: string, group?: string): Clique => ({
  ...clique(name, 1, 1, {
    podSpec: { containers: [container("gpu", { limits: { "nvidia.com/gpu": "1" } }), CPU] },
  }),
  ...inGroup(group),
});
const cpuClique = (name: string, group?: string): Clique => ({
  ...clique(name, 1, 1, { podSpec: { containers: [CPU] } }),
  ...inGroup(group),
});

function gpuSet(name: string, template: Template, group?: string, replicas = 1): PodCliqueSetInput {
  const set = workload(name, template, { replicas });
  return { ...set, metadata: { ...set.metadata, ...inGroup(group) } };
}
const oneWorker = (name: string, group?: string, replicas = 1): PodCliqueSetInput =>
  gpuSet(name, { cliques: [gpuClique("gpu-worker")] }, group, replicas);

/** Two pods a replica with a domain and with claims of every level. */
export const connectedSharing = (name: string, replicas: number): PodCliqueSetInput => {
  const sharing = [
    { name: "tpl", scope: "AllReplicas" as const },
    { name: "tpl2", scope: "PerReplica" as const },
  ];
  const spec = { devices: { requests: [{ name: "dev", exactly: { deviceClassName: "class" } }] } };
  return gpuSet(
    name,
    {
      resourceClaimTemplates: ["tpl", "tpl2"].map((template) => ({ name: template, templateSpec: { spec } })),
      resourceSharing: sharing,
      cliques: [{ ...gpuClique("a"), resourceSharing: sharing }, gpuClique("b")],
      podCliqueScalingGroups: [{ name: "g", cliqueNames: ["b"], resourceSharing: sharing }],
    },
    "default",
    replicas,
  );
};

/** Cliques with and without GPUs, alone and in groups. */
const comprehensive = (name: string, group?: string): PodCliqueSetInput =>
  gpuSet(
    name,
    {
      cliques: [gpuClique("gpu1"), cpuClique("cpu1"), gpuClique("gpu2"), cpuClique("cpu2"), cpuClique("cpu3")],
      podCliqueScalingGroups: [
        { name: "sg1", cliqueNames: ["gpu2", "cpu2"] },
        { name: "sg2", cliqueNames: ["cpu3"] },
      ],
    },
    group,
  );

/** Every level inherits, names a group of its own, or opts out. */
const MIX: Template = {
  cliques: [
    gpuClique("sa1"),
    gpuClique("sa2", "train"),
    gpuClique("sa3", "none"),
    gpuClique("p1"),
    gpuClique("p2", "infer"),
    gpuClique("p3", "none"),
    gpuClique("p4"),
    gpuClique("p5", "batch"),
    gpuClique("p6", "none"),
    gpuClique("p7"),
    gpuClique("p8", "solo"),
    gpuClique("p9", "none"),
  ],
  podCliqueScalingGroups: [
    { name: "g1", cliqueNames: ["p1", "p2", "p3"] },
    { name: "g2", cliqueNames: ["p4", "p5", "p6"], ...inGroup("train") },
    { name: "g3", cliqueNames: ["p7", "p8", "p9"], ...inGroup("none") },
  ],
};
const MIX_GROUPS = ["batch", "default", "infer", "solo", "train"];
const MIX_MEMBERSHIP: Readonly<Record<string, string | undefined>> = {
  sa1: "default",
  sa2: "train",
  sa3: undefined,
  "g1-0-p1": "default",
  "g1-0-p2": "infer",
  "g1-0-p3": undefined,
  "g2-0-p4": "train",
  "g2-0-p5": "batch",
  "g2-0-p6": undefined,
  "g3-0-p7": undefined,
  "g3-0-p8": "solo",
  "g3-0-p9": undefined,
};

interface DomainWorld {
  readonly world: ScenarioWorld;
  readonly domains: () => readonly ComputeDomain[];
}

const scenario = (name: string, run: (domains: DomainWorld) => Promise<void>): Scenario => ({
  name,
  async run(world) {
    const { api, clock, namespace } = world;
    const stop = new AbortController();
    const follow = { api, clock, random: seededRandom(13), signal: stop.signal };
    const informer = startInformer({ ...follow, resource: COMPUTE_DOMAINS, scope: { namespace } });
    try {
      await run({ world, domains: () => informer.list() });
      await world.cleanUp();
      await world.until("no domains", () => informer.list().length === 0);
    } finally {
      stop.abort();
    }
  },
});

const ENABLED = "Test_AutoMNNVL_SupportedAndEnabled";

/** The feature is on, and the CRD is there. */
export const MNNVL_ENABLED: readonly Scenario[] = [
  scenario(`${ENABLED}/testNoAnnotationNoMNNVL`, async ({ world, domains }) => {
    await world.deploy(oneWorker("test-gpu-no-mnnvl"));
    await untilClique(world, "test-gpu-no-mnnvl-0-gpu-worker");
    requireClaim(world, "test-gpu-no-mnnvl-0-gpu-worker", undefined);
    if (world.view.set("test-gpu-no-mnnvl")?.metadata.annotations?.[GROUP] !== undefined) throw new Error("annotated");
    requireNames(domains(), []);
  }),
  scenario(`${ENABLED}/testScaleOutAndIn`, async ({ world, domains }) => {
    const set = "test-scale-cd";
    await world.deploy(oneWorker(set, "default"));
    for (const replicas of [1, 3, 1, 0, 2]) {
      await world.scale("set", set, replicas);
      await untilDomains({ world, domains }, set, replicas, ["default"]);
    }
    const [created, deleted] = ["Create", "Delete"].map((verb) => `ComputeDomain${verb}Successful`);
    await world.until("events", () => [created, deleted].every((reason) => world.view.eventCount(reason ?? "") > 0));
  }),
  scenario(`${ENABLED}/testPCSDeletionCascadesToCD`, async ({ world, domains }) => {
    const set = "test-del-cascade";
    await world.deploy(oneWorker(set, "default", 2));
    await untilDomains({ world, domains }, set, 2, ["default"]);
    await world.cleanUp();
    await world.until("the domains to go with the set", () => domains().length === 0);
  }),
  scenario(`${ENABLED}/testExplicitOptOutHonored`, async ({ world, domains }) => {
    await world.deploy(oneWorker("test-explicit-optout", "none"));
    await untilClique(world, "test-explicit-optout-0-gpu-worker");
    requireClaim(world, "test-explicit-optout-0-gpu-worker", undefined);
    requireNames(domains(), []);
  }),
  scenario(`${ENABLED}/testInvalidAnnotationRejected`, async ({ world }) => {
    await requireRefused(world.deploy(oneWorker("test-invalid-annot", "Not_A_Label")), GROUP);
  }),
  scenario(`${ENABLED}/testAnnotationImmutability`, async ({ world }) => {
    const name = "test-annot-immut";
    await world.deploy(oneWorker(name, "default"));
    const change = world.editSet(name, (set) => ({
      ...set,
      metadata: { ...set.metadata, annotations: { [GROUP]: "other" } },
    }));
    await requireRefused(change, "immutable");
  }),
  scenario(`${ENABLED}/testCPUPCLQIgnoredEvenWithAnnotation`, async ({ world, domains }) => {
    const set = "test-cpu-ignored";
    await world.deploy(gpuSet(set, { cliques: [gpuClique("gp", "default"), cpuClique("cp", "other")] }));
    await untilDomains({ world, domains }, set, 1, ["default"]);
    await untilClique(world, `${set}-0-cp`);
    requireClaim(world, `${set}-0-gp`, `${set}-0-default`);
    requireClaim(world, `${set}-0-cp`, undefined);
  }),
  scenario(`${ENABLED}/testMNNVLEndToEnd`, async ({ world, domains }) => {
    const set = "mnnvl-e2e";
    await world.deploy(gpuSet(set, MIX, "default"));
    await untilDomains({ world, domains }, set, 1, MIX_GROUPS);

    // Somebody deletes a domain that is in use: the finalizer holds it.
    const key = { namespace: world.namespace, name: `${set}-0-default` };
    await world.api.delete(COMPUTE_DOMAINS, key);
    await world.until("the deletion to be seen", () => isGoing(domains(), key.name));
    await world.settle();
    await untilDomains({ world, domains }, set, 1, MIX_GROUPS);

    for (const [name, group] of Object.entries(MIX_MEMBERSHIP)) {
      await untilClique(world, `${set}-0-${name}`);
      requireClaim(world, `${set}-0-${name}`, group && `${set}-0-${group}`);
    }
    for (const replicas of [4, 2]) {
      await world.scale("set", set, replicas);
      await untilDomains({ world, domains }, set, replicas, MIX_GROUPS);
    }
  }),
  scenario("DomainThatOutlivedItsSet", async ({ world, domains }) => {
    const set = "outlived";
    await world.deploy(oneWorker(set, "default"));
    await untilDomains({ world, domains }, set, 1, ["default"]);
    const [domain] = domains();
    if (domain === undefined) throw new Error("no domain");
    await world.api.delete(POD_CLIQUE_SETS, { namespace: world.namespace, name: set });
    await world.until("the domain to go with the set", () => domains().length === 0);
    // As of a request that was under way when the set was deleted.
    const { name, namespace, labels, ownerReferences, finalizers } = domain.metadata;
    const late = { name, namespace, labels, ownerReferences, finalizers } as ComputeDomain["metadata"];
    const { apiVersion, kind, spec } = domain;
    await world.api.create(COMPUTE_DOMAINS, { apiVersion, kind, spec, metadata: late });
    // What is left at the end fails every scenario.
    await world.settle();
  }),
  scenario("DomainThatSomebodyRelabels", async ({ world, domains }) => {
    for (const set of ["relabelled", "neighbour"]) await world.deploy(oneWorker(set, "default"));
    await world.until("both domains", () => domains().length === 2);
    // A set that is looked at puts the label right at once.
    await world.settle();
    const key = { namespace: world.namespace, name: "relabelled-0-default" };
    const { uid } = (await world.api.get(COMPUTE_DOMAINS, key)).metadata;
    for (const label of ["no-such-set", "neighbour"]) {
      const metadata = { labels: { "app.kubernetes.io/part-of": label } };
      await world.api.patch(COMPUTE_DOMAINS, key, { metadata }, { type: "merge" });
      await world.editSet("neighbour", (set) => ({
        ...set,
        metadata: { ...set.metadata, annotations: { ...set.metadata.annotations, looked: label } },
      }));
      await world.pass(2_000);
      await world.settle();
      const { metadata: after } = await world.api.get(COMPUTE_DOMAINS, key);
      if (after.uid !== uid || after.deletionTimestamp !== undefined)
        throw new Error(`the domain of a set that is there went when it was relabelled ${label}`);
    }
  }),
  scenario("ComputeDomainAndClaimInjection", async ({ world, domains }) => {
    const set = "inj-test";
    await world.deploy(comprehensive(set, "default"));
    await untilDomains({ world, domains }, set, 1, ["default"]);
    for (const name of ["gpu1", "sg1-0-gpu2"]) {
      await untilClique(world, `${set}-0-${name}`);
      requireClaim(world, `${set}-0-${name}`, `${set}-0-default`);
    }
    for (const name of ["cpu1", "sg1-0-cpu2", "sg2-0-cpu3"]) {
      await untilClique(world, `${set}-0-${name}`);
      requireClaim(world, `${set}-0-${name}`, undefined);
    }
    for (const group of ["sg1", "sg2"]) {
      const annotations = world.view.group(`${set}-0-${group}`)?.metadata.annotations;
      if (annotations?.[GROUP] !== "default") throw new Error(`${group} has not inherited the group`);
    }
  }),
];

/** The feature is off. @param support as upstream names it: whether the CRD is there */
export const mnnvlDisabled = (support: "Supported" | "Unsupported"): readonly Scenario[] => {
  const test =
    support === "Supported" ? "Test_AutoMNNVL_SupportedButDisabled" : "Test_AutoMNNVL_UnsupportedAndDisabled";
  return [
    {
      name: `${test}/annotation is rejected`,
      run: (world) => requireRefused(world.deploy(comprehensive("test-rejected", "default")), GROUP),
    },
    {
      name: `${test}/no artefacts`,
      async run(world) {
        const set = "test-no-cd-created";
        await world.deploy(comprehensive(set));
        for (const name of ["gpu1", "cpu1", "sg1-0-gpu2", "sg1-0-cpu2", "sg2-0-cpu3"]) {
          await untilClique(world, `${set}-0-${name}`);
          requireClaim(world, `${set}-0-${name}`, undefined);
        }
        for (const group of ["sg1", "sg2"]) {
          const { annotations = {} } = world.view.group(`${set}-0-${group}`)?.metadata ?? {};
          if (GROUP in annotations) throw new Error(`${group} is annotated`);
        }
        const { api, namespace } = world;
        const domains = await api.list(COMPUTE_DOMAINS, { namespace }).then(
          ({ items }) => items,
          (error: unknown) => {
            if (support === "Unsupported" && isNotFound(error)) return [];
            throw error;
          },
        );
        requireNames(domains, []);
      },
    },
    {
      name: `${test}/none is accepted`,
      async run(world) {
        await world.deploy(oneWorker("test-none", "none"));
        await untilClique(world, "test-none-0-gpu-worker");
        requireClaim(world, "test-none-0-gpu-worker", undefined);
      },
    },
  ];
};

/** These domains and no others, each complete. */
async function untilDomains(
  { world, domains }: DomainWorld,
  set: string,
  replicas: number,
  groups: readonly string[],
): Promise<void> {
  const names = [...Array(replicas).keys()].flatMap((index) => groups.map((group) => `${set}-${index}-${group}`));
  const expected = names.toSorted().join(" ");
  await world.until(`domains ${expected}`, () => namesOf(domains()) === expected);
  await world.until("the set", () => world.view.set(set) !== undefined);
  for (const domain of domains()) requireComplete(domain, set, world.view.set(set)?.metadata.uid);
}

function requireComplete({ metadata, spec }: ComputeDomain, set: string, uid: string | undefined): void {
  const { name, labels, finalizers, ownerReferences = [] } = metadata;
  const [, index, group] = /^-(\d+)-(.*)$/u.exec(name.slice(set.length)) ?? [];
  const expected = {
    "app.kubernetes.io/managed-by": "grove-operator",
    "app.kubernetes.io/part-of": set,
    "app.kubernetes.io/name": name,
    "app.kubernetes.io/component": "pcs-computedomain",
    "grove.io/podcliqueset-replica-index": index,
    [GROUP]: group,
  };
  const [owner, ...others] = ownerReferences;
  const problems = [
    Object.entries(expected).some(([key, value]) => labels?.[key] !== value) && `labels ${JSON.stringify(labels)}`,
    finalizers?.includes(FINALIZER) !== true && `finalizers ${finalizers}`,
    (owner?.kind !== "PodCliqueSet" || owner.uid !== uid || others.length > 0) && "owner",
    spec.numNodes !== 0 && `numNodes ${spec.numNodes}`,
    spec.channel.resourceClaimTemplate.name !== name && `template ${spec.channel.resourceClaimTemplate.name}`,
  ].filter(Boolean);
  if (problems.length > 0) throw new Error(`${name}: ${problems.join(", ")}`);
}

const namesOf = (domains: readonly ComputeDomain[]): string =>
  domains
    .map(({ metadata }) => metadata.name)
    .toSorted()
    .join(" ");

function requireNames(domains: readonly ComputeDomain[], names: readonly string[]): void {
  if (namesOf(domains) !== names.join(" ")) throw new Error(`domains: ${namesOf(domains)}`);
}

const isGoing = (domains: readonly ComputeDomain[], name: string): boolean =>
  domains.some(({ metadata }) => metadata.name === name && metadata.deletionTimestamp !== undefined);

/** The clique and its pod are there. */
const untilClique = (world: ScenarioWorld, name: string): Promise<void> =>
  world.until(`a pod of ${name}`, () => world.view.clique(name) !== undefined && podsOf(world, name).length === 1);

/** In the clique and in its pods: the claim from this template on GPU containers only, or no claims at all. */
function requireClaim(world: ScenarioWorld, name: string, template: string | undefined): void {
  const specs = [world.view.clique(name)?.spec.podSpec, ...podsOf(world, name).map(({ spec }) => spec)];
  const expected = template === undefined ? [] : [{ name: CLAIM, resourceClaimTemplateName: template }];
  for (const spec of specs) {
    if (JSON.stringify(spec?.resourceClaims ?? []) !== JSON.stringify(expected)) {
      throw new Error(`${name}: ${JSON.stringify(spec?.resourceClaims)}, not ${JSON.stringify(expected)}`);
    }
    for (const { name: one, resources } of spec?.containers ?? []) {
      const wanted = template !== undefined && one === "gpu" ? [{ name: CLAIM }] : [];
      if (JSON.stringify(resources?.claims ?? []) !== JSON.stringify(wanted)) {
        throw new Error(`${name}, container ${one}: ${JSON.stringify(resources?.claims)}`);
      }
    }
  }
  if (activePods(world).length === 0) throw new Error("no pods");
}

async function requireRefused(attempt: Promise<void>, fragment: string): Promise<void> {
  const message = await attempt.then(() => "admitted", String);
  if (!message.includes(fragment)) throw new Error(`${JSON.stringify(fragment)} is not in: ${message}`);
}
