/** What single settings cannot say: that they fit one another. */
import { UsageError } from "../cli/errors.ts";
import type { ServiceConfig } from "./settings.ts";

/** @throws UsageError */
export function checkTogether(config: ServiceConfig): void {
  const { prometheusUrl, leaseDurationMs, renewDeadlineMs, retryPeriodMs, burst, qps } = config;
  checkPrometheusAccess(config);
  if (prometheusUrl === undefined) {
    throw new UsageError(
      "prometheus.url is not set: give --prometheus-url, PROMETHEUS_URL or prometheus.url in the config file, e.g. http://prometheus.monitoring:9090",
    );
  }
  if (renewDeadlineMs >= leaseDurationMs) {
    throw new UsageError(
      `leaderElection.renewDeadline (${renewDeadlineMs} ms) must be below leaseDuration (${leaseDurationMs} ms), or two replicas could lead at once`,
    );
  }
  if (retryPeriodMs >= renewDeadlineMs) {
    throw new UsageError(
      `leaderElection.retryPeriod (${retryPeriodMs} ms) must be below renewDeadline (${renewDeadlineMs} ms), or one lost request loses the lease`,
    );
  }
  if (burst < qps) throw new UsageError(`kubernetes.burst (${burst}) must be at least kubernetes.qps (${qps})`);
}

function checkPrometheusAccess(config: ServiceConfig): void {
  const { prometheusBearerToken, prometheusBearerTokenFile, prometheusUsername } = config;
  const { prometheusPassword, prometheusPasswordFile, prometheusCertificateFile, prometheusKeyFile } = config;
  const passwords = [prometheusPassword, prometheusPasswordFile].filter((one) => one !== undefined).length;
  const tokens = [prometheusBearerToken, prometheusBearerTokenFile].filter((one) => one !== undefined).length;
  if (tokens > 1) throw new UsageError("PROMETHEUS_BEARER_TOKEN and prometheus.bearerTokenFile: give one of them");
  if (passwords > 1) throw new UsageError("PROMETHEUS_PASSWORD and prometheus.passwordFile: give one of them");
  if (tokens > 0 && prometheusUsername !== undefined) {
    throw new UsageError("prometheus.username and a bearer token: a request carries one of them");
  }
  if ((prometheusUsername === undefined) !== (passwords === 0)) {
    throw new UsageError(
      "prometheus.username and its password (prometheus.passwordFile or PROMETHEUS_PASSWORD) belong together",
    );
  }
  if ((prometheusCertificateFile === undefined) !== (prometheusKeyFile === undefined)) {
    throw new UsageError("prometheus.tls.certificateFile and prometheus.tls.keyFile belong together");
  }
}
