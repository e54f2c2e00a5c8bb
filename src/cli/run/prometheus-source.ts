/** The Prometheus of the service: who we are, whom we trust, how much we take, and when we leave it alone. */
import { readFile } from "node:fs/promises";
import type { Clock } from "../../clock.ts";
import type { Setting } from "../../config/setting.ts";
import { SETTINGS, type ServiceConfig } from "../../config/settings.ts";
import { breakCircuit, type CircuitBreaker } from "../../observe/circuit-breaker.ts";
import {
  createPrometheusClient,
  type PrometheusClientOptions,
  type TlsOptions,
} from "../../observe/prometheus-client.ts";
import type { Random } from "../../random.ts";
import { UsageError } from "../errors.ts";
import { unreadable } from "../files.ts";
import { secretFile } from "./token-file.ts";

/** @throws UsageError when a file cannot be read */
export async function prometheusSource(config: ServiceConfig, clock: Clock, random: Random): Promise<CircuitBreaker> {
  const source = createPrometheusClient({
    url: config.prometheusUrl ?? "",
    timeoutMs: config.prometheusTimeoutMs,
    headers: config.prometheusHeaders,
    maxResponseBytes: config.prometheusMaxResponseBytes,
    maxSeries: config.prometheusMaxSeries,
    ...(await accessOf(config, clock)),
  });
  return breakCircuit({ source, clock, random: () => random.next() });
}

const ACCESS = [
  "prometheusBearerToken",
  "prometheusBearerTokenFile",
  "prometheusUsername",
  "prometheusPassword",
  "prometheusPasswordFile",
  "prometheusCaFile",
  "prometheusCertificateFile",
  "prometheusKeyFile",
  "prometheusServerName",
  "prometheusInsecure",
] as const;
type Access = Pick<ServiceConfig, (typeof ACCESS)[number]>;

/** Who we are and whom we trust, as the variables of the service say it; for commands that have no configuration. */
export function accessFromEnvironment(environment: Readonly<Record<string, string | undefined>>): Access {
  const entries = ACCESS.map((name) => {
    const { env, parse, fallback } = SETTINGS[name] as Setting<unknown>;
    const given = environment[env] ?? "";
    try {
      return [name, given === "" ? fallback : parse(given)];
    } catch (error) {
      throw new UsageError(`${env}: ${error instanceof Error ? error.message : error}`);
    }
  });
  return Object.fromEntries(entries) as Access;
}

/** @throws UsageError when a file cannot be read */
export async function accessOf(
  access: Access,
  clock: Clock,
): Promise<Pick<PrometheusClientOptions, "bearerToken" | "basicAuth" | "tls">> {
  const [credentials, tls] = await Promise.all([credentialsOf(access, clock), tlsOf(access)]);
  return { ...credentials, tls };
}

async function credentialsOf(
  config: Access,
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

async function tlsOf(config: Access): Promise<TlsOptions> {
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
    throw unreadable(setting, path, error);
  }
}
