/** What is shipped fits together. */
import { describe, expect, test } from "vitest";
import { readConfig } from "../../src/config/read-config.ts";
import { readOperatorConfiguration } from "../../src/grove/configuration/read.ts";
import { MANAGED_BY, MANAGER } from "../../src/grove/labels.ts";
import { WEBHOOK_PATHS, webhookConfigurations } from "../../src/grove/webhooks/paths.ts";
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

describe("the standalone operator", () => {
  const files = kustomized("deploy/operator");
  const shipped = [...files, "deploy/operator/authorizer-webhook.yaml"].flatMap(readManifestFile);
  const of = (kind: string): readonly Manifest[] => shipped.filter((manifest) => manifest.kind === kind);
  const [deployment] = of("Deployment");
  const [service] = of("Service");
  const [configMap] = of("ConfigMap") as readonly (Manifest & { readonly data?: Readonly<Record<string, string>> })[];
  const configuration = readOperatorConfiguration(configMap?.data?.["config.yaml"] ?? "");
  if (deployment === undefined || service === undefined) throw new Error("there must be a Deployment and a Service");
  const { template } = deployment.spec as DeploymentSpec & {
    readonly template: { readonly spec: { readonly volumes: unknown } };
  };
  const [container] = template.spec.containers;

  test("its kustomization names every file but the webhook that only the authorizer answers", () => {
    const expected = filesIn("deploy/operator").filter((file) => !file.endsWith("/authorizer-webhook.yaml"));
    expect([...files].sort()).toEqual([...expected].sort());
  });

  test("has upstream's names", () => {
    expect(deployment.metadata).toMatchObject({ name: "grove-operator", namespace: "grove-system" });
    expect(template.metadata.labels).toMatchObject({ "app.kubernetes.io/name": "grove-operator" });
    expect(of("ClusterRole")[0]?.metadata.name).toBe("grove:system:grove-operator");
    expect(template.spec.serviceAccountName).toBe("grove-operator");
    for (const kind of ["ClusterRoleBinding", "RoleBinding"]) {
      expect(of(kind)[0]?.subjects).toEqual([
        { kind: "ServiceAccount", name: "grove-operator", namespace: "grove-system" },
      ]);
    }
  });

  test("the configuration is one that the operator reads, and its ports are those of the pod", () => {
    const { webhooks, healthProbes, metrics } = configuration.server;
    expect(container?.ports).toEqual([
      { name: "webhooks", containerPort: webhooks.port },
      { name: "health", containerPort: healthProbes.port },
      { name: "metrics", containerPort: metrics.port },
    ]);
    expect(container?.args).toEqual(["operator", "--config=/etc/grove-operator/config/config.yaml"]);
    expect(template.spec.volumes).toContainEqual({ name: "config", configMap: { name: configMap?.metadata.name } });
    expect(container?.readinessProbe.httpGet).toEqual({ path: "/readyz", port: "health" });
    expect(container?.livenessProbe.httpGet).toEqual({ path: "/healthz", port: "health" });
    const env = (container?.env ?? []).map(({ name }) => name);
    expect(env).toEqual(expect.arrayContaining(["GROVE_INIT_CONTAINER_IMAGE", "GROVE_OPERATOR_SERVICE_ACCOUNT_NAME"]));
    const names = of("Role").flatMap(({ rules = [] }) => rules.flatMap(({ resourceNames = [] }) => resourceNames));
    expect(names).toEqual([configuration.leaderElection.resourceName, webhooks.secretName]);
    expect(configuration.leaderElection).toMatchObject({ enabled: true, resourceNamespace: "grove-system" });
  });

  test("the webhook configurations are those that get the authority, at the paths that answer", () => {
    interface Hook {
      readonly name: string;
      readonly clientConfig: { readonly service: Readonly<Record<string, unknown>> };
      readonly rules: readonly { readonly resources: readonly string[]; readonly operations: readonly string[] }[];
    }
    const configurations = shipped.filter(({ kind }) => kind.endsWith("WebhookConfiguration")) as readonly (Manifest & {
      readonly webhooks?: readonly Hook[];
    })[];
    expect(configurations.map(({ kind, metadata }) => ({ kind, name: metadata.name }))).toEqual(
      webhookConfigurations({ authorizer: true }),
    );
    const hooks = configurations.flatMap(({ webhooks = [] }) => webhooks);
    expect(hooks.map(({ name }) => name)).toEqual([
      "pcs.defaulting.webhooks.grove.io",
      "pcs.validating.webhooks.grove.io",
      "clustertopology.validating.webhooks.grove.io",
      "authorizer.webhooks.grove.io",
    ]);
    expect(hooks.map(({ clientConfig }) => clientConfig.service["path"])).toEqual(Object.values(WEBHOOK_PATHS));
    const ports = (service.spec as { readonly ports?: readonly { readonly name: string; readonly port: number }[] })
      .ports;
    for (const { clientConfig, ...hook } of hooks) {
      expect(clientConfig.service).toMatchObject({
        name: service.metadata.name,
        namespace: service.metadata.namespace,
        port: ports?.find(({ name }) => name === "webhooks")?.port,
      });
      expect(hook).toMatchObject({
        failurePolicy: "Fail",
        matchPolicy: "Exact",
        sideEffects: "None",
        timeoutSeconds: 10,
        admissionReviewVersions: ["v1"],
      });
    }
    // Scaling has to stay open to HPAs and people: no webhook looks at subresources.
    expect(hooks.flatMap(({ rules }) => rules.flatMap(({ resources }) => resources)).join()).not.toMatch(/[/*]/);
  });
});
