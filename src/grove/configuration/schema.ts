/** OperatorConfiguration (operator.config.grove.io/v1alpha1): every field with the default that the code of upstream gives it (grove.md 8.1). */
import { DURATION_PATTERN } from "../../api/duration.ts";
import {
  array,
  boolean,
  defaulted,
  embedded,
  type Infer,
  int32,
  literals,
  number,
  object,
  optional,
  string,
} from "../../api/schema/builder.ts";

const CONFIGURATION_API_VERSION = "operator.config.grove.io/v1alpha1";
const CONFIGURATION_KIND = "OperatorConfiguration";

const SCHEDULER_PROFILE_NAMES = ["default-scheduler", "kai-scheduler", "volcano", "lpx-scheduler"] as const;

const duration = () => string({ pattern: DURATION_PATTERN });
const port = () => int32({ minimum: 0, maximum: 65_535 });
const concurrentSyncs = (fallback: number) => defaulted(object({ concurrentSyncs: defaulted(int32(), fallback) }), {});
const server = (fallback: number) =>
  defaulted(object({ bindAddress: defaulted(string(), ""), port: defaulted(port(), fallback) }), {});

/** Unless the configuration names another; upstream's too. */
export const OPERATOR_LEASE_NAME = "grove-operator-leader-election";

export const OPERATOR_CONFIGURATION = object({
  apiVersion: literals([CONFIGURATION_API_VERSION]),
  kind: literals([CONFIGURATION_KIND]),
  runtimeClientConnection: defaulted(
    object({
      qps: defaulted(number(), 100),
      burst: defaulted(int32(), 120),
      contentType: defaulted(string(), ""),
      acceptContentTypes: defaulted(string(), ""),
    }),
    {},
  ),
  leaderElection: defaulted(
    object({
      enabled: defaulted(boolean(), false),
      leaseDuration: defaulted(duration(), "15s"),
      renewDeadline: defaulted(duration(), "10s"),
      retryPeriod: defaulted(duration(), "2s"),
      resourceLock: defaulted(string(), "leases"),
      resourceName: defaulted(string(), OPERATOR_LEASE_NAME),
      resourceNamespace: defaulted(string(), ""),
    }),
    {},
  ),
  server: defaulted(
    object({
      webhooks: defaulted(
        object({
          bindAddress: defaulted(string(), ""),
          port: defaulted(port(), 2750),
          serverCertDir: defaulted(string(), "/etc/grove-operator/webhook-certs"),
          secretName: defaulted(string(), "grove-webhook-server-cert"),
          certProvisionMode: defaulted(literals(["auto", "manual"]), "auto"),
        }),
        {},
      ),
      healthProbes: server(2751),
      metrics: server(2752),
    }),
    {},
  ),
  debugging: defaulted(
    object({
      enableProfiling: defaulted(boolean(), false),
      pprofBindHost: defaulted(string(), "127.0.0.1"),
      pprofBindPort: defaulted(port(), 2753),
    }),
    {},
  ),
  controllers: defaulted(
    object({
      podCliqueSet: concurrentSyncs(10),
      podClique: concurrentSyncs(10),
      podCliqueScalingGroup: concurrentSyncs(5),
      podGang: concurrentSyncs(5),
    }),
    {},
  ),
  scheduler: defaulted(
    object({
      profiles: defaulted(
        array(
          object({
            name: literals(SCHEDULER_PROFILE_NAMES),
            config: optional(
              embedded<Readonly<Record<string, unknown>>>({
                type: "object",
                "x-kubernetes-preserve-unknown-fields": true,
              }),
            ),
          }),
        ),
        [],
      ),
      defaultProfileName: defaulted(string(), ""),
    }),
    {},
  ),
  logLevel: defaulted(literals(["debug", "info", "error"]), "info"),
  logFormat: defaulted(literals(["json", "text"]), "json"),
  topologyAwareScheduling: defaulted(object({ enabled: defaulted(boolean(), false) }), {}),
  authorizer: defaulted(
    object({
      enabled: defaulted(boolean(), false),
      exemptServiceAccountUserNames: defaulted(array(string()), []),
    }),
    {},
  ),
  network: defaulted(object({ autoMNNVLEnabled: defaulted(boolean(), false) }), {}),
});

export type OperatorConfiguration = Infer<typeof OPERATOR_CONFIGURATION>;
