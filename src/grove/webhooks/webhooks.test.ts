import { describe, expect, test } from "vitest";
import { diffJson } from "../../api/json-patch.ts";
import type { KubeObject, Resource } from "../../api/kubernetes/meta.ts";
import { ApiError } from "../../kube/api-error.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { jsonPatch } from "../../sim/api-server/patches.ts";
import { defaultPodCliqueSets, validateClusterTopologies, validatePodCliqueSets } from "./admission.ts";
import {
  answerReview,
  ReviewError,
  type ReviewHandler,
  type ReviewRequest,
  type ReviewResponse,
} from "./admission-review.ts";
import { authorizeChanges } from "./authorizer.ts";
import { clusterLookup } from "./lookup.ts";

type Json = Readonly<Record<string, unknown>>;

const clique = (spec: Json = {}, rest: Json = {}): Json => ({
  name: "a",
  ...rest,
  spec: { roleName: "a", replicas: 2, podSpec: { containers: [{ name: "main" }] }, ...spec },
});
function set(template: Json = {}, metadata: Json = {}): KubeObject {
  const object = {
    apiVersion: "grove.io/v1alpha1",
    kind: "PodCliqueSet",
    metadata: { name: "w", namespace: "serving", ...metadata },
    spec: {
      replicas: 1,
      template: { cliques: [clique()], cliqueStartupType: "CliqueStartupTypeAnyOrder", ...template },
    },
  };
  return object as KubeObject;
}
const request = (object: KubeObject, rest: Partial<ReviewRequest> = {}): ReviewRequest => ({
  uid: "1",
  operation: "CREATE",
  kind: { group: "grove.io", version: "v1alpha1", kind: object.kind },
  namespace: "serving",
  name: object.metadata.name,
  object,
  ...rest,
});
const defaulted = async (object: KubeObject): Promise<KubeObject> =>
  jsonPatch(object, (await defaultPodCliqueSets(request(object))).patch ?? []) as KubeObject;

const FIXED = {
  schedulerNames: ["kai-scheduler", "default-scheduler"],
  topologyAwareScheduling: true,
  topologyAwareSchedulerNames: ["kai-scheduler"],
  autoMnnvl: false,
};
/** A cluster with one topology; everything else is not found. */
const cluster = {
  async get(_: Resource, { name }: { readonly name: string }) {
    if (name === "broken") throw new ApiError(500, "InternalError", "etcd is away");
    if (name !== "dc") throw new ApiError(404, "NotFound", "no");
    return {
      spec: {
        levels: [
          { domain: "zone", key: "z" },
          { domain: "rack", key: "r" },
        ],
      },
    };
  },
} as unknown as KubeApi;
const validator = validatePodCliqueSets(clusterLookup(cluster, FIXED));
const messageOf = async (handler: ReviewHandler, asked: ReviewRequest): Promise<string | undefined> =>
  (await handler(asked)).status?.message;

describe("defaulting", () => {
  test("fills in what is missing, and nothing a second time", async () => {
    const once = await defaulted(set({ cliques: [clique({ autoScalingConfig: { maxReplicas: 4 } })] }));
    expect(once).toMatchObject({
      spec: {
        template: {
          terminationDelay: "4h",
          headlessServiceConfig: { publishNotReadyAddresses: true },
          cliques: [
            {
              spec: {
                minAvailable: 2,
                autoScalingConfig: { minReplicas: 2 },
                podSpec: { restartPolicy: "Always", terminationGracePeriodSeconds: 30 },
              },
            },
          ],
        },
      },
    });
    expect(await defaultPodCliqueSets(request(once))).toEqual({ allowed: true, patch: [] });
  });

  test("the namespace of the request is the object's, never default", async () => {
    const { namespace: _, ...metadata } = set().metadata;
    expect((await defaulted({ ...set(), metadata })).metadata.namespace).toBe("serving");
  });

  test("an object of the wrong shape is left for the server to refuse", async () => {
    expect(await defaultPodCliqueSets(request({ ...set(), spec: { template: 3 } } as KubeObject))).toEqual({
      allowed: true,
      patch: [],
    });
  });
});

describe("validation", () => {
  test("a good set passes", async () => {
    expect(await validator(request(await defaulted(set())))).toEqual({ allowed: true });
  });

  test("a mistake has its path, sentence, code and cause", async () => {
    const bad = await defaulted(set({ cliques: [clique({ minAvailable: 3 })] }));
    expect(await validator(request(bad))).toEqual({
      allowed: false,
      status: {
        status: "Failure",
        code: 403,
        reason: "Forbidden",
        message:
          "spec.template.cliques[0].spec.minAvailable: must not be greater than replicas (2); lower it or raise replicas (ERR_VALIDATE_CREATE_PODCLIQUESET)",
        details: {
          name: "w",
          group: "grove.io",
          kind: "PodCliqueSet",
          causes: [
            {
              reason: "FieldValueInvalid",
              field: "spec.template.cliques[0].spec.minAvailable",
              message: "must not be greater than replicas (2); lower it or raise replicas",
            },
          ],
        },
      },
    });
  });

  test("several mistakes are one message in brackets", async () => {
    const bad = await defaulted(set({ cliques: [clique({ minAvailable: 3 }), clique({}, { name: "b" })] }));
    expect(await messageOf(validator, request(bad))).toMatch(
      /^\[spec\.template\.cliques\[1\]\.spec\.roleName: Duplicate value: "a".*, .*\] \(ERR_VALIDATE_CREATE_PODCLIQUESET\)$/,
    );
  });

  test("what only the defaulting webhook could have filled in is missed", async () => {
    expect(await messageOf(validator, request(set()))).toMatch(/minAvailable: is required.*terminationDelay: must be/);
  });

  test("an update that changes what is fixed says so, with its own code", async () => {
    const old = await defaulted(set());
    const next = await defaulted(set({ cliques: [clique({}, { name: "b" })] }));
    expect(await messageOf(validator, request(next, { operation: "UPDATE", oldObject: old }))).toMatch(
      /spec\.template\.cliques: .*immutable.*\(ERR_VALIDATE_UPDATE_PODCLIQUESET\)$/,
    );
  });

  test("the finalizer of a set that goes can always be taken off", async () => {
    const stray = set({ cliques: [clique({ podSpec: { containers: [], schedulerName: "gone" } })] });
    const going = { ...stray, metadata: { ...stray.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
    expect(await validator(request(going, { operation: "UPDATE", oldObject: stray }))).toEqual({ allowed: true });
  });

  test("subresources and deletions are none of its business", async () => {
    expect(await validator(request(set(), { subResource: "status" }))).toEqual({ allowed: true });
    expect(await validator(request(set(), { operation: "DELETE", object: null, oldObject: set() }))).toEqual({
      allowed: true,
    });
  });

  test("topologies are looked up when they are named", async () => {
    const named = (topologyName: string, required = "rack") =>
      defaulted(set({ topologyConstraint: { topologyName, pack: { required } } }));
    expect(await validator(request(await named("dc")))).toEqual({ allowed: true });
    expect(await messageOf(validator, request(await named("dc", "moon")))).toMatch(/"moon" is not a level/);
    expect(await messageOf(validator, request(await named("other")))).toMatch(
      /ClusterTopologyBinding "other" does not exist/,
    );
    await expect(validator(request(await named("broken")))).rejects.toThrow("etcd is away");
  });

  test("the scheduler backend of the set is asked", async () => {
    const withBackend = validatePodCliqueSets(
      clusterLookup(cluster, FIXED, async (asked) => () => [
        { field: "metadata.annotations", message: `${asked.metadata.name} has two queues` },
      ]),
    );
    expect(await messageOf(withBackend, request(await defaulted(set())))).toMatch(/^metadata\.annotations: w has two/);
  });

  test("a binding's rules keep the texts and the former path", async () => {
    const binding = {
      apiVersion: "grove.io/v1alpha1",
      kind: "ClusterTopologyBinding",
      metadata: { name: "dc" },
      spec: {
        levels: [
          { domain: "zone", key: "z" },
          { domain: "zone", key: "z" },
        ],
        schedulerTopologyBindings: [
          { schedulerName: "volcano", topologyReference: "x" },
          { schedulerName: "default-scheduler", topologyReference: "x" },
        ],
      },
    } as KubeObject;
    const response = await validateClusterTopologies(clusterLookup(cluster, FIXED))(request(binding));
    expect(response.status?.details?.causes?.map(({ field, reason }) => `${field} ${reason}`)).toEqual([
      "spec.levels[1].domain FieldValueDuplicate",
      "spec.levels[1].key FieldValueDuplicate",
      "spec.schedulerTopologyReferences[0].schedulerName FieldValueInvalid",
      "spec.schedulerTopologyReferences[1].schedulerName FieldValueInvalid",
    ]);
    expect(response.status?.message).toMatch(/scheduler backend is not enabled in Grove/);
    expect(response.status?.message).toMatch(/scheduler backend does not implement topology-aware scheduling/);
  });
});

describe("the authorizer decides in this order", () => {
  const operatorUser = "system:serviceaccount:grove-system:grove-operator";
  const sets = new Map<string, KubeObject>([
    ["serving/w", set()],
    ["serving/open", set({}, { annotations: { "grove.io/disable-managed-resource-protection": "true" } })],
  ]);
  const authorize = authorizeChanges({
    operatorUser,
    exemptUsers: ["system:kube-controller-manager"],
    findSet: async ({ namespace, name }) => sets.get(`${namespace}/${name}`),
  });
  const object = (kind: string, partOf?: string): KubeObject => ({
    apiVersion: "v1",
    kind,
    metadata: {
      name: "x",
      namespace: "serving",
      ...(partOf !== undefined && { labels: { "app.kubernetes.io/part-of": partOf } }),
    },
  });
  const ask = (
    operation: ReviewRequest["operation"],
    username: string,
    { kind = "PodClique", partOf = "w" as string | undefined } = {},
  ): Promise<ReviewResponse> => {
    const group = kind === "Pod" ? "" : "grove.io";
    const one = object(kind, partOf);
    return authorize({
      uid: "1",
      operation,
      kind: { group, version: "v1", kind },
      namespace: "serving",
      userInfo: { username },
      ...(operation === "DELETE" ? { object: null, oldObject: one } : { object: one }),
    });
  };

  test.each([
    ["CONNECT", "alice", {}, true],
    ["UPDATE", "alice", {}, false],
    ["CREATE", "alice", {}, false],
    ["DELETE", "alice", {}, false],
    ["DELETE", "alice", { kind: "Pod" }, true],
    ["UPDATE", "alice", { kind: "Pod" }, false],
    ["UPDATE", operatorUser, {}, true],
    ["DELETE", operatorUser, {}, true],
    ["CREATE", "system:kube-controller-manager", {}, true],
    ["DELETE", "system:kube-controller-manager", {}, true],
    ["UPDATE", "alice", { partOf: "open" }, true],
    ["UPDATE", "", {}, false],
  ] as const)("%s by %j of %j: %s", async (operation, user, what, allowed) => {
    expect((await ask(operation, user, what)).allowed).toBe(allowed);
  });

  test("an object of nobody, or of a set that is gone, passes with a warning", async () => {
    expect(await authorize({ ...request(object("Pod")), operation: "UPDATE" })).toEqual({
      allowed: true,
      warnings: [
        "missing required label app.kubernetes.io/part-of on resource serving/x, could not determine parent PodCliqueSet",
      ],
    });
    expect((await ask("UPDATE", "alice", { partOf: "gone" })).warnings).toEqual([
      "parent PodCliqueSet gone not found for resource: serving/x",
    ]);
  });

  test("a refusal names the way out", async () => {
    expect((await ask("DELETE", "alice")).status).toMatchObject({
      code: 403,
      reason: "Forbidden",
      message: expect.stringMatching(/^admission denied, deletion of resource: serving\/x is not allowed; change /),
    });
  });
});

describe("the review", () => {
  const review = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request: request(set()) };
  test("carries the uid, the patch in base64, and warnings no longer than a server takes", async () => {
    const answer = await answerReview(review, async () => ({
      allowed: true,
      patch: [{ op: "add", path: "/a", value: 1 }],
      warnings: ["x".repeat(300)],
    }));
    expect(answer).toEqual({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: {
        uid: "1",
        allowed: true,
        patchType: "JSONPatch",
        patch: Buffer.from('[{"op":"add","path":"/a","value":1}]').toString("base64"),
        warnings: [`${"x".repeat(255)}…`],
      },
    });
  });

  test("a handler that fails refuses", async () => {
    expect(
      await answerReview(review, async () => {
        throw new Error("etcd is away");
      }),
    ).toMatchObject({ response: { uid: "1", allowed: false, status: { code: 500, message: "etcd is away" } } });
  });

  test.each([
    [null, "the body is not an AdmissionReview"],
    [{ kind: "Pod" }, "the body is not an AdmissionReview"],
    [{ ...review, apiVersion: "admission.k8s.io/v1beta1" }, /is of admission\.k8s\.io\/v1beta1/],
    [{ ...review, request: null }, /no request with a uid/],
    [{ ...review, request: { uid: "1" } }, /neither kind nor operation/],
  ])("%j is none", async (body, message) => {
    await expect(answerReview(body, async () => ({ allowed: true }))).rejects.toThrow(ReviewError);
    await expect(answerReview(body, async () => ({ allowed: true }))).rejects.toThrow(message);
  });
});

test.each([
  [
    { a: 1, b: [1, 2], c: { d: 1 } },
    { a: 2, b: [1, 3], c: { e: 1 } },
  ],
  [{ b: [1, 2] }, { b: [1] }],
  [{ "a/b~c": 1 }, { "a/b~c": 2, "~1": { x: [] } }],
  [{ a: { b: null } }, { a: null }],
  [
    [1, { x: 1 }],
    [1, { x: 1, y: undefined }],
  ],
])("the difference of %j and %j leads from one to the other", (before, after) => {
  expect(jsonPatch(before, diffJson(before, after))).toEqual(after);
});
