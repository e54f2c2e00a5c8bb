/** The product's own definitions and examples, sent to a real API server and to the embedded one: the answers are equal. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { wallClock } from "../../src/clock.ts";
import { systemRandom } from "../../src/random.ts";
import { createApiServer } from "../../src/sim/api-server/api-server.ts";
import { type HttpAnswer, httpTarget, type Target } from "../conformance/target.ts";
import { canStartControlPlane, startControlPlane } from "./control-plane/control-plane.ts";

const ROOT = join(import.meta.dirname, "../..");
const NAMESPACE = "serving";
const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
// biome-ignore lint/suspicious/noExplicitAny: objects of every kind
type Any = any;

const yamlFiles = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".yaml"))
    .sort()
    .map((name) => join(folder, name));
const read = (path: string): Any => parse(readFileSync(join(ROOT, path), "utf8"));

describe.skipIf(!canStartControlPlane())("the product's objects on both API servers", () => {
  const targets: Target[] = [];
  const crds: Any[] = yamlFiles("deploy/crds").map(read);

  beforeAll(async () => {
    const { url, caFile, adminToken, stop } = await startControlPlane({ controllerManager: false });
    targets.push(await httpTarget({ baseUrl: url, caFile, token: adminToken, stop }));
    const server = createApiServer({ clock: wallClock(), random: systemRandom() });
    const front = await server.listen();
    targets.push(await httpTarget({ baseUrl: front.url, stop: () => server.stop() }));
    for (const target of targets) {
      await target.request("POST", "/api/v1/namespaces", {
        body: { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } },
      });
      for (const body of crds) {
        const made = await target.request("POST", CRDS, { body });
        if (made.status !== 201) throw new Error(made.text);
      }
      for (const crd of crds) {
        while ((await target.request("GET", listPath(crd))).status !== 200) await wait(50);
      }
    }
  }, 180_000);
  afterAll(async () => {
    for (const target of targets) await target.stop();
  });

  const listPath = ({ spec }: Any): string => `/apis/${spec.group}/${spec.versions[0].name}/${spec.names.plural}`;
  const pathOf = (object: Any): string => {
    // A performance profile is a plain ConfigMap.
    if (object.kind === "ConfigMap") return `/api/v1/namespaces/${NAMESPACE}/configmaps/${object.metadata.name}`;
    const { spec } = crds.find((crd) => crd.spec.names.kind === object.kind);
    const scope = spec.scope === "Namespaced" ? `/namespaces/${NAMESPACE}` : "";
    return `/apis/${object.apiVersion}${scope}/${spec.names.plural}/${object.metadata.name}`;
  };
  const apply = (object: Any): Promise<HttpAnswer[]> =>
    Promise.all(
      targets.map((target) =>
        target.request("PATCH", `${pathOf(object)}?fieldManager=test&force=true`, {
          body: { ...object, metadata: { ...object.metadata, namespace: NAMESPACE } },
          headers: { "content-type": "application/apply-patch+yaml" },
        }),
      ),
    );
  /** What two servers may differ in: identity and time. */
  const comparable = ({ status, json }: HttpAnswer): Any => {
    const { uid: _, resourceVersion: __, creationTimestamp: ___, managedFields, ...metadata } = json.metadata ?? {};
    const fields = managedFields?.map(({ time: ____, ...entry }: Any) => entry);
    return { status, ...json, metadata: { ...metadata, managedFields: fields } };
  };

  /** The errors one by one: Go visits fields in no order. */
  const sentences = ({ json }: HttpAnswer): string[] =>
    json.details?.causes?.map((cause: Any) => `${cause.field}: ${cause.message} (${cause.reason})`).sort() ?? [
      json.message,
    ];

  test.each(yamlFiles("policies"))("%s", async (path) => {
    const [real, embedded] = await apply(read(path));
    expect(real!.status).toBe(201);
    expect(comparable(embedded!)).toEqual(comparable(real!));
  });

  const policy = yamlFiles("policies").filter((path) => path.endsWith("policy.yaml"))[0]!;
  test.each<{ name: string; change: (spec: Any) => void }>([
    { name: "an unknown mode", change: (spec) => Object.assign(spec, { mode: "Sometimes" }) },
    { name: "no target", change: (spec) => Reflect.deleteProperty(spec, "targetRef") },
    { name: "a negative minimum", change: (spec) => Object.assign(spec.scaleTargets[0], { minReplicas: -1 }) },
    {
      name: "minimum above maximum",
      change: (spec) => Object.assign(spec.scaleTargets[0], { minReplicas: 9, maxReplicas: 2 }),
    },
    { name: "text for a number", change: (spec) => Object.assign(spec.scaleTargets[0], { maxReplicas: "many" }) },
    { name: "a target twice", change: (spec) => spec.scaleTargets.push(spec.scaleTargets[0]) },
    { name: "no scale targets", change: (spec) => Object.assign(spec, { scaleTargets: [] }) },
    { name: "a broken ratio", change: (spec) => Object.assign(spec, { ratios: [{ between: ["a"], min: "x" }] }) },
  ])("a policy with $name is refused in the same words", async ({ name, change }) => {
    const object = read(policy);
    change(object.spec);
    object.metadata.name = `wrong-${name.replaceAll(" ", "-")}`;
    const [real, embedded] = await apply(object);
    expect(embedded!.status).toBe(real!.status);
    expect(sentences(embedded!)).toEqual(sentences(real!));
  });
});
