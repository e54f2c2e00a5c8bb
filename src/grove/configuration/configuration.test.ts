import { describe, expect, test } from "vitest";
import { ConfigurationError, readOperatorConfiguration } from "./read.ts";
import { admissionOptionsOf, settingsOf } from "./settings-of.ts";

const HEAD = "apiVersion: operator.config.grove.io/v1alpha1\nkind: OperatorConfiguration\n";
const read = (text: string) => readOperatorConfiguration(HEAD + text);
const mistakesOf = (text: string): readonly string[] => {
  try {
    readOperatorConfiguration(text);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.errors.map(({ field, message }) => `${field}: ${message}`);
    throw error;
  }
  return [];
};

test("nothing given: the defaults of upstream's code", () => {
  expect(read("")).toEqual({
    apiVersion: "operator.config.grove.io/v1alpha1",
    kind: "OperatorConfiguration",
    runtimeClientConnection: { qps: 100, burst: 120, contentType: "", acceptContentTypes: "" },
    leaderElection: {
      enabled: false,
      leaseDuration: "15s",
      renewDeadline: "10s",
      retryPeriod: "2s",
      resourceLock: "leases",
      resourceName: "grove-operator-leader-election",
      resourceNamespace: "",
    },
    server: {
      webhooks: {
        bindAddress: "",
        port: 2750,
        serverCertDir: "/etc/grove-operator/webhook-certs",
        secretName: "grove-webhook-server-cert",
        certProvisionMode: "auto",
      },
      healthProbes: { bindAddress: "", port: 2751 },
      metrics: { bindAddress: "", port: 2752 },
    },
    debugging: { enableProfiling: false, pprofBindHost: "127.0.0.1", pprofBindPort: 2753 },
    controllers: {
      podCliqueSet: { concurrentSyncs: 10 },
      podClique: { concurrentSyncs: 10 },
      podCliqueScalingGroup: { concurrentSyncs: 5 },
      podGang: { concurrentSyncs: 5 },
    },
    scheduler: { profiles: [{ name: "default-scheduler" }], defaultProfileName: "default-scheduler" },
    logLevel: "info",
    logFormat: "json",
    topologyAwareScheduling: { enabled: false },
    authorizer: { enabled: false, exemptServiceAccountUserNames: [] },
    network: { autoMNNVLEnabled: false },
  });
});

test("the file that upstream's chart renders is read as it is", () => {
  const configuration = read(`
runtimeClientConnection: {qps: 100, burst: 150}
leaderElection:
  enabled: true
  leaseDuration: 15s
  renewDeadline: 10s
  retryPeriod: 2s
  resourceLock: leases
  resourceName: grove-operator-leader-election
  resourceNamespace: grove-system
server:
  webhooks: {port: 9443, serverCertDir: /etc/grove-operator/webhook-certs, secretName: grove-webhook-server-cert, certProvisionMode: auto}
  healthProbes: {port: 9444}
  metrics: {port: 9445}
debugging: {enableProfiling: false, pprofBindHost: "127.0.0.1", pprofBindPort: 2753}
controllers:
  podCliqueSet: {concurrentSyncs: 3}
  podClique: {concurrentSyncs: 3}
  podCliqueScalingGroup: {concurrentSyncs: 3}
scheduler:
  profiles: [{name: kai-scheduler}, {name: volcano, config: {anything: [1]}}]
  defaultProfileName: kai-scheduler
logLevel: info
logFormat: json
topologyAwareScheduling: {enabled: true}
authorizer:
  enabled: false
  exemptServiceAccountUserNames: [system:kube-controller-manager]
network:
`);
  expect(configuration.scheduler.profiles.map(({ name }) => name)).toEqual([
    "kai-scheduler",
    "volcano",
    "default-scheduler",
  ]);
  expect(configuration.controllers.podGang).toEqual({ concurrentSyncs: 5 });
  const settings = settingsOf(configuration, { initContainerImage: "registry/initc:1", podGangNames: "epoch" });
  expect(settings).toEqual({
    schedulerProfiles: ["kai-scheduler", "volcano", "default-scheduler"],
    defaultSchedulerName: "kai-scheduler",
    topologyAwareScheduling: true,
    autoMnnvl: false,
    initContainerImage: "registry/initc:1",
    podGangNames: "epoch",
  });
  expect(admissionOptionsOf(settings)).toEqual({
    schedulerNames: ["kai-scheduler", "volcano", "default-scheduler"],
    topologyAwareScheduling: true,
    topologyAwareSchedulerNames: ["kai-scheduler"],
    autoMnnvl: false,
  });
});

describe("each mistake has its path and the way out", () => {
  test.each([
    ["leaderElecton: {}", /^leaderElecton: is unknown; known here: /],
    ["server: {webhooks: {Port: 1}}", /^server\.webhooks\.Port: is unknown; did you mean port\?$/],
    ["server: {webhooks: {port: 70000}}", /^server\.webhooks\.port: must be at most 65535, not 70000$/],
    [
      "server: {webhooks: {certProvisionMode: magic}}",
      /certProvisionMode: must be one of "auto", "manual", not "magic"/,
    ],
    ["server: {webhooks: {secretName: ''}}", /secretName: must not be empty where certProvisionMode is auto/],
    ["server: {webhooks: {certProvisionMode: manual, serverCertDir: ''}}", /serverCertDir: must not be empty/],
    ["runtimeClientConnection: {burst: -1}", /^runtimeClientConnection\.burst: must not be negative, is -1$/],
    ["runtimeClientConnection: {qps: 0}", /^runtimeClientConnection\.qps: must be above 0, or negative for no limit/],
    [
      "controllers: {podClique: {concurrentSyncs: 0}}",
      /^controllers\.podClique\.concurrentSyncs: must be greater than 0/,
    ],
    [
      "leaderElection: {enabled: true, leaseDuration: 10s}",
      /leaseDuration: must be greater than renewDeadline \(10s\)/,
    ],
    ["leaderElection: {enabled: true, renewDeadline: 1s}", /renewDeadline: must be greater than retryPeriod \(2s\)/],
    ["leaderElection: {enabled: true, retryPeriod: 0s}", /retryPeriod: must be greater than 0/],
    ["leaderElection: {leaseDuration: soon}", /leaderElection\.leaseDuration: "soon" must match/],
    ["leaderElection: {enabled: true, resourceLock: configmaps}", /resourceLock: must be "leases"/],
    ["leaderElection: {enabled: true, resourceName: ''}", /resourceName: must not be empty/],
    ["scheduler: {profiles: [{name: slurm}]}", /scheduler\.profiles\[0\]\.name: must be one of "default-scheduler"/],
    ["scheduler: {profiles: [{name: volcano}, {name: volcano}]}", /profiles\[1\]\.name: Duplicate value: "volcano"/],
    [
      "scheduler: {defaultProfileName: kai-scheduler}",
      /defaultProfileName: "kai-scheduler" is not a configured profile/,
    ],
    ["logLevel: warn", /^logLevel: must be one of "debug", "info", "error", not "warn"$/],
    ["logFormat: xml", /^logFormat: must be one of "json", "text"/],
    ["topologyAwareScheduling: true", /^topologyAwareScheduling: must be an object, not boolean$/],
  ])("%s", (text, message) => {
    const mistakes = mistakesOf(HEAD + text);
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]).toMatch(message);
  });

  test("several are told at once, in one line", () => {
    expect(() => read("logLevel: x\nlogFormat: y")).toThrow(/^logLevel: .*; logFormat: .*$/);
  });

  test("another kind, another version, no YAML, nothing", () => {
    expect(mistakesOf("apiVersion: operator.config.grove.io/v2\nkind: OperatorConfiguration")[0]).toMatch(
      /^apiVersion: must be one of "operator\.config\.grove\.io\/v1alpha1"/,
    );
    expect(mistakesOf("apiVersion: operator.config.grove.io/v1alpha1")[0]).toBe("kind: is required");
    expect(mistakesOf("a: [")[0]).toMatch(/is not YAML/);
    expect(mistakesOf("")[0]).toMatch(/must be an OperatorConfiguration/);
  });

  test("with leader election off its times do not matter", () => {
    expect(read("leaderElection: {leaseDuration: 1s}").leaderElection.leaseDuration).toBe("1s");
  });
});
