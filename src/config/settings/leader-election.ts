/** Which of several replicas works. */
import { boolean, duration, text } from "../parse.ts";
import { setting } from "../setting.ts";

export const LEADER_ELECTION = {
  leaderElection: setting({
    file: "leaderElection.enabled",
    flag: "--no-leader-elect",
    env: "GROVE_AUTOSCALER_LEADER_ELECT",
    about: "work without a lease; only for a single replica",
    fallback: true,
    parse: boolean,
  }),
  leaseName: setting({
    file: "leaderElection.leaseName",
    flag: "--lease-name <name>",
    env: "GROVE_AUTOSCALER_LEASE_NAME",
    about: "name of the Lease",
    fallback: "grove-autoscaler",
    parse: text,
  }),
  leaseNamespace: setting<string | undefined>({
    file: "leaderElection.leaseNamespace",
    flag: "--lease-namespace <name>",
    env: "GROVE_AUTOSCALER_LEASE_NAMESPACE",
    about: "namespace of the Lease; default: the pod's, or that of the context",
    fallback: undefined,
    parse: text,
  }),
  leaseDurationMs: setting({
    file: "leaderElection.leaseDuration",
    flag: "--lease-duration <duration>",
    env: "GROVE_AUTOSCALER_LEASE_DURATION",
    about: "how long a standby waits for a leader that went away without a word",
    fallback: 15_000,
    parse: duration,
  }),
  renewDeadlineMs: setting({
    file: "leaderElection.renewDeadline",
    flag: "--lease-renew-deadline <duration>",
    env: "GROVE_AUTOSCALER_LEASE_RENEW_DEADLINE",
    about: "a leader that could not renew for so long stops",
    fallback: 10_000,
    parse: duration,
  }),
  retryPeriodMs: setting({
    file: "leaderElection.retryPeriod",
    flag: "--lease-retry-period <duration>",
    env: "GROVE_AUTOSCALER_LEASE_RETRY_PERIOD",
    about: "time between two tries",
    fallback: 2_000,
    parse: duration,
  }),
} as const;
