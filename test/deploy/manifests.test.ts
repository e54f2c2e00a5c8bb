/** What is shipped fits together. */
import { describe, expect, test } from "vitest";
import { readConfig } from "../../src/config.ts";
import { MANAGED_BY, MANAGER } from "../../src/grove/labels.ts";
import { filesIn, kustomized, type Manifest, readManifestFile } from "./manifests.ts";

const all = kustomized("deploy").flatMap(readManifestFile);
const one = (kind: string): Manifest => {
  const [found, second] = all.filter((manifest) => manifest.kind === kind);
  if (found === undefined || second !== undefined) throw new Error(`there must be one ${kind}`);
  return found;
};

interface Container {
  readonly args: readonly string[];
  readonly env: readonly { readonly name: string; readonly value?: string }[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly securityContext: unknown;
  readonly readinessProbe: { readonly httpGet: unknown };
  readonly livenessProbe: { readonly httpGet: unknown };
}
interface DeploymentSpec {
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly template: {
    readonly metadata: { readonly labels: Readonly<Record<string, string>> };
    readonly spec: {
      readonly serviceAccountName: string;
      readonly securityContext: unknown;
      readonly containers: readonly Container[];
    };
  };
}

describe("kustomizations", () => {
  test("name every file there is, once", () => {
    const expected = [...filesIn("deploy/crds"), ...filesIn("deploy/manifests")].sort();
    expect([...kustomized("deploy")].sort()).toEqual(expected);
    expect([...kustomized("deploy/monitoring")].sort()).toEqual([...filesIn("deploy/monitoring")].sort());
  });

  test("no two objects have one name", () => {
    const names = all.map(({ kind, metadata }) => `${kind} ${metadata.namespace ?? ""}/${metadata.name}`);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("monitoring", () => {
  const spec = (file: string) =>
    readManifestFile(`deploy/monitoring/${file}`)[0]?.spec as {
      readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
      readonly endpoints?: readonly { readonly port: string; readonly path: string }[];
    };

  test("the engines' monitor selects the pods that the operator makes", () => {
    expect(spec("pod-monitor-engines.yaml").selector.matchLabels).toEqual({ [MANAGED_BY]: MANAGER });
  });

  test("our own monitor finds the Service and its port", () => {
    const { selector, endpoints } = spec("service-monitor.yaml");
    const service = one("Service");
    expect(service.metadata.labels).toMatchObject(selector.matchLabels);
    expect((service.spec as { ports: readonly { name: string }[] }).ports.map(({ name }) => name)).toEqual(
      endpoints?.map(({ port }) => port),
    );
  });
});

describe("the deployment", () => {
  const { template, selector } = one("Deployment").spec as DeploymentSpec;
  const [container] = template.spec.containers;

  test("its settings are ones that run knows", () => {
    const env = Object.fromEntries(
      (container?.env ?? []).map(({ name, value }) => [name, value ?? "set-by-kubernetes"]),
    );
    const config = readConfig({ env });
    expect(config).toMatchObject({ leaseNamespace: "set-by-kubernetes", leaseName: "grove-autoscaler" });
    expect(container?.args).toEqual(["run"]);
    expect(container?.ports).toEqual([{ name: "http", containerPort: config.port }]);
  });

  test("the Role knows the Lease that run takes", () => {
    expect(one("Role").rules?.flatMap(({ resourceNames = [] }) => resourceNames)).toEqual([
      readConfig({ env: { PROMETHEUS_URL: "http://x" } }).leaseName,
    ]);
  });

  test("runs as nobody, cannot write, and is probed", () => {
    expect(template.spec.securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 65532 });
    expect(container?.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(container?.readinessProbe.httpGet).toEqual({ path: "/readyz", port: "http" });
    expect(container?.livenessProbe.httpGet).toEqual({ path: "/healthz", port: "http" });
  });

  test("selectors find its pods, bindings its account", () => {
    expect(template.metadata.labels).toMatchObject(selector.matchLabels);
    expect((one("Service").spec as { selector: unknown }).selector).toEqual(selector.matchLabels);
    const account = one("ServiceAccount").metadata;
    expect(template.spec.serviceAccountName).toBe(account.name);
    for (const { subjects } of all.filter(({ kind }) => kind.endsWith("RoleBinding"))) {
      expect(subjects).toEqual([{ kind: "ServiceAccount", name: account.name, namespace: account.namespace }]);
    }
  });
});
