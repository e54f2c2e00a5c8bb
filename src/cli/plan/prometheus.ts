/** The Prometheus that `plan` asks: by the flags and variables that `run` knows too. */
import type { Command } from "commander";
import type { Clock } from "../../clock.ts";
import { SETTINGS } from "../../config/settings.ts";
import type { MetricsSource } from "../../observe/metrics-source.ts";
import { createPrometheusClient } from "../../observe/prometheus-client.ts";
import { UsageError } from "../errors.ts";
import { collect } from "../repeatable.ts";
import { accessFromEnvironment, accessOf } from "../run/prometheus-source.ts";

export interface PrometheusFlags {
  readonly prometheus?: string;
  readonly prometheusBearerTokenFile?: string;
  readonly prometheusHeader?: readonly string[];
}

/** Goes before the variable that the service reads, so that both can stand in one environment. */
export const PROMETHEUS_URL_VARIABLE = "GROVE_AUTOSCALER_PROMETHEUS_URL";

const { prometheusUrl, prometheusBearerTokenFile, prometheusHeaders } = SETTINGS;

export function withPrometheusFlags(command: Command): Command {
  return command
    .option("--prometheus <url>", `Prometheus to ask (default: $${PROMETHEUS_URL_VARIABLE}, $${prometheusUrl.env})`)
    .option(prometheusBearerTokenFile.flag, `token sent to Prometheus (default: $${prometheusBearerTokenFile.env})`)
    .option(
      prometheusHeaders.flag,
      `header sent to Prometheus; may be repeated (default: $${prometheusHeaders.env})`,
      collect,
    );
}

/** @returns undefined when no URL is given */
export async function prometheusFrom(
  flags: PrometheusFlags,
  environment: Readonly<Record<string, string | undefined>>,
  clock: Clock,
): Promise<MetricsSource | undefined> {
  const first = <T>(
    parse: (given: unknown) => T,
    ...sources: readonly (readonly [string, string | undefined])[]
  ): T | undefined => {
    const found = sources.find(([, given]) => given !== undefined && given !== "");
    return found === undefined ? undefined : parseAt(parse, ...found);
  };
  const variable = (name: string): readonly [string, string | undefined] => [name, environment[name]];
  const url = first(
    prometheusUrl.parse,
    ["--prometheus", flags.prometheus],
    variable(PROMETHEUS_URL_VARIABLE),
    variable(prometheusUrl.env),
  );
  if (url === undefined) return undefined;
  const access = accessFromEnvironment(environment);
  const { prometheusBearerTokenFile: file = access.prometheusBearerTokenFile } = flags;
  const headers = first(
    prometheusHeaders.parse,
    ["--prometheus-header", flags.prometheusHeader?.join(",")],
    variable(prometheusHeaders.env),
  );
  return createPrometheusClient({
    url,
    ...(await accessOf({ ...access, prometheusBearerTokenFile: file }, clock)),
    ...(headers === undefined ? {} : { headers }),
  });
}

function parseAt<T>(parse: (given: unknown) => T, where: string, given: unknown): T {
  try {
    return parse(given);
  } catch (error) {
    throw new UsageError(`${where}: ${error instanceof Error ? error.message : error}`);
  }
}
