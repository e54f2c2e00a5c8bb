/** The Prometheus of the service: who we are, whom we trust, how much we take, and when we leave it alone. */
import { readFile } from "node:fs/promises";
import type { Clock } from "../../clock.ts";
import type { ServiceConfig } from "../../config.ts";
import { breakCircuit, type CircuitBreaker } from "../../observe/circuit-breaker.ts";
import {
  createPrometheusClient,
  type PrometheusClientOptions,
  type TlsOptions,
} from "../../observe/prometheus-client.ts";
import type { Random } from "../../random.ts";
import { UsageError } from "../errors.ts";
import { secretFile } from "./token-file.ts";

/** @throws UsageError when a file cannot be read */
export async function prometheusSource(config: ServiceConfig, clock: Clock, random: Random): Promise<CircuitBreaker> {
  const source = createPrometheusClient({
    url: config.prometheusUrl ?? "",
    timeoutMs: config.prometheusTimeoutMs,
    headers: config.prometheusHeaders,
    maxResponseBytes: config.prometheusMaxResponseBytes,
    maxSeries: config.prometheusMaxSeries,
    tls: await tlsOf(config),
    ...(await credentialsOf(config, clock)),
  });
  return breakCircuit({ source, clock, random: () => random.next() });
}

async function credentialsOf(
  config: ServiceConfig,
  clock: Clock,
): Promise<Pick<PrometheusClientOptions, "bearerToken" | "basicAuth">> {
  const { prometheusBearerToken, prometheusBearerTokenFile, prometheusUsername: username } = config;
  const { prometheusPassword, prometheusPasswordFile } = config;
  const token =
    prometheusBearerTokenFile === undefined
      ? prometheusBearerToken
      : await secretFile("prometheus.bearerTokenFile", prometheusBearerTokenFile, clock);
  if (token !== undefined) return { bearerToken: token };
  const password =
    prometheusPasswordFile === undefined
      ? prometheusPassword
      : await secretFile("prometheus.passwordFile", prometheusPasswordFile, clock);
  return username === undefined || password === undefined ? {} : { basicAuth: { username, password } };
}

async function tlsOf(config: ServiceConfig): Promise<TlsOptions> {
  const [ca, certificate, key] = await Promise.all([
    pem("prometheus.tls.caFile", config.prometheusCaFile),
    pem("prometheus.tls.certificateFile", config.prometheusCertificateFile),
    pem("prometheus.tls.keyFile", config.prometheusKeyFile),
  ]);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
    ...(config.prometheusServerName === undefined ? {} : { serverName: config.prometheusServerName }),
    insecureSkipVerify: config.prometheusInsecure,
  };
}

async function pem(setting: string, path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new UsageError(`${setting}: cannot read ${path}: ${(error as Error).message}`);
  }
}
