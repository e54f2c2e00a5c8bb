/**
 * What `run` can be told, in one table: each setting with its flag, its environment variable, its place in the config file and its default.
 *
 * Precedence: flag, environment, file, default. A bad value is one line that names where it stands and what is allowed there.
 */
import { parseDocument } from "yaml";
import { parseDurationMs } from "./api/duration.ts";
import { isDnsSubdomain } from "./api/kubernetes/names.ts";
import { UsageError } from "./cli/errors.ts";

/** Turns what a person wrote into a value. Throws text that completes "<where>: ". */
type Parse<T> = (given: unknown) => T;

export interface Setting<T> {
  /** Dotted path in the config file; absent for secrets, which that file does not hold. */
  readonly file?: string;
  /** As commander wants it: `--redis-url <url>`, `--no-leader-elect`; absent for secrets, which every process can read on a command line. */
  readonly flag?: string;
  readonly env: string;
  readonly about: string;
  readonly fallback: T;
  readonly parse: Parse<T>;
  /** May be given several times; the texts are joined by commas. */
  readonly isRepeatable?: boolean;
}

type Public<T> = Setting<T> & { readonly file: string; readonly flag: string };
const setting = <T>(one: Public<T>): Public<T> => one;
const secretSetting = <T>(one: Setting<T>): Setting<T> => one;

export const SETTINGS = {
  kubeconfig: setting<string | undefined>({
    file: "kubernetes.kubeconfig",
    flag: "--kubeconfig <file>",
    env: "GROVE_AUTOSCALER_KUBECONFIG",
    about: "kubeconfig; default: $KUBECONFIG, ~/.kube/config, then the pod's service account",
    fallback: undefined,
    parse: text,
  }),
  context: setting<string | undefined>({
    file: "kubernetes.context",
    flag: "--context <name>",
    env: "GROVE_AUTOSCALER_CONTEXT",
    about: "context of the kubeconfig; default: its current one",
    fallback: undefined,
    parse: text,
  }),
  namespaces: setting<readonly string[] | undefined>({
    file: "kubernetes.namespaces",
    flag: "--namespace <name>",
    env: "GROVE_AUTOSCALER_NAMESPACES",
    about: "work in this namespace only; may be repeated, or names with commas; default: all",
    fallback: undefined,
    parse: names,
    isRepeatable: true,
  }),
  qps: setting({
    file: "kubernetes.qps",
    flag: "--kube-api-qps <number>",
    env: "GROVE_AUTOSCALER_KUBE_API_QPS",
    about: "requests a second to the API server",
    fallback: 100,
    parse: number({ above: 0 }),
  }),
  burst: setting({
    file: "kubernetes.burst",
    flag: "--kube-api-burst <number>",
    env: "GROVE_AUTOSCALER_KUBE_API_BURST",
    about: "requests that may go out at once above that rate",
    fallback: 120,
    parse: whole({ min: 1 }),
  }),
  prometheusUrl: setting<string | undefined>({
    file: "prometheus.url",
    flag: "--prometheus-url <url>",
    env: "PROMETHEUS_URL",
    about: "where metrics are queried, e.g. http://prometheus.monitoring:9090 (required)",
    fallback: undefined,
    parse: url(["http:", "https:"]),
  }),
  prometheusBearerTokenFile: setting<string | undefined>({
    file: "prometheus.bearerTokenFile",
    flag: "--prometheus-bearer-token-file <file>",
    env: "PROMETHEUS_BEARER_TOKEN_FILE",
    about: "token sent to Prometheus; the file is read again when it changes",
    fallback: undefined,
    parse: text,
  }),
  prometheusBearerToken: secretSetting<string | undefined>({
    env: "PROMETHEUS_BEARER_TOKEN",
    about: "token sent to Prometheus, where there is no file for it",
    fallback: undefined,
    parse: secretText,
  }),
  prometheusUsername: setting<string | undefined>({
    file: "prometheus.username",
    flag: "--prometheus-username <name>",
    env: "PROMETHEUS_USERNAME",
    about: "user of basic authentication at Prometheus",
    fallback: undefined,
    parse: text,
  }),
  prometheusPasswordFile: setting<string | undefined>({
    file: "prometheus.passwordFile",
    flag: "--prometheus-password-file <file>",
    env: "PROMETHEUS_PASSWORD_FILE",
    about: "password of that user; the file is read again when it changes",
    fallback: undefined,
    parse: text,
  }),
  prometheusPassword: secretSetting<string | undefined>({
    env: "PROMETHEUS_PASSWORD",
    about: "password of that user, where there is no file for it",
    fallback: undefined,
    parse: secretText,
  }),
  prometheusCaFile: setting<string | undefined>({
    file: "prometheus.tls.caFile",
    flag: "--prometheus-ca-file <file>",
    env: "PROMETHEUS_CA_FILE",
    about: "certificates of the authorities that Prometheus is trusted by; default: the public ones",
    fallback: undefined,
    parse: text,
  }),
  prometheusCertificateFile: setting<string | undefined>({
    file: "prometheus.tls.certificateFile",
    flag: "--prometheus-certificate-file <file>",
    env: "PROMETHEUS_CERTIFICATE_FILE",
    about: "client certificate shown to Prometheus",
    fallback: undefined,
    parse: text,
  }),
  prometheusKeyFile: setting<string | undefined>({
    file: "prometheus.tls.keyFile",
    flag: "--prometheus-key-file <file>",
    env: "PROMETHEUS_KEY_FILE",
    about: "private key of that certificate",
    fallback: undefined,
    parse: text,
  }),
  prometheusServerName: setting<string | undefined>({
    file: "prometheus.tls.serverName",
    flag: "--prometheus-server-name <name>",
    env: "PROMETHEUS_SERVER_NAME",
    about: "name in Prometheus's certificate, where it is not that of the URL",
    fallback: undefined,
    parse: text,
  }),
  prometheusInsecure: setting({
    file: "prometheus.tls.insecureSkipVerify",
    flag: "--prometheus-insecure-skip-verify",
    env: "PROMETHEUS_INSECURE_SKIP_VERIFY",
    about: "take any certificate of Prometheus: anybody on the way can answer in its place",
    fallback: false,
    parse: boolean,
  }),
  prometheusMaxResponseBytes: setting({
    file: "prometheus.maxResponseBytes",
    flag: "--prometheus-max-response-bytes <number>",
    env: "PROMETHEUS_MAX_RESPONSE_BYTES",
    about:
      "largest answer to one query; a larger one is refused, and asked for in smaller parts where that is possible",
    fallback: 16 * 1024 * 1024,
    parse: whole({ min: 1_024 }),
  }),
  prometheusMaxSeries: setting({
    file: "prometheus.maxSeries",
    flag: "--prometheus-max-series <number>",
    env: "PROMETHEUS_MAX_SERIES",
    about: "most series in the answer to one query",
    fallback: 200_000,
    parse: whole({ min: 1 }),
  }),
  metricsGrouping: setting({
    file: "prometheus.grouping",
    flag: "--no-metrics-grouping",
    env: "PROMETHEUS_METRICS_GROUPING",
    about: "ask each policy's own PromQL for its pods alone; needed where the server shows each namespace only its own",
    fallback: true,
    parse: boolean,
  }),
  prometheusHeaders: setting<Readonly<Record<string, string>>>({
    file: "prometheus.headers",
    flag: "--prometheus-header <name=value>",
    env: "PROMETHEUS_HEADERS",
    about: "header sent to Prometheus, e.g. X-Scope-OrgID=llm; may be repeated",
    fallback: {},
    parse: headers,
    isRepeatable: true,
  }),
  prometheusTimeoutMs: setting({
    file: "prometheus.timeout",
    flag: "--prometheus-timeout <duration>",
    env: "PROMETHEUS_TIMEOUT",
    about: "longest wait for one query",
    fallback: 10_000,
    parse: duration,
  }),
  recordFile: setting<string | undefined>({
    file: "record.file",
    flag: "--record <file>",
    env: "GROVE_AUTOSCALER_RECORD",
    about: "append every decision with all that went into it, for plan --replay; a full file becomes FILE.1",
    fallback: undefined,
    parse: text,
  }),
  recordMaxMegabytes: setting({
    file: "record.maxMegabytes",
    flag: "--record-max-megabytes <number>",
    env: "GROVE_AUTOSCALER_RECORD_MAX_MEGABYTES",
    about: "size at which that file is full",
    fallback: 512,
    parse: whole({ min: 1 }),
  }),
  redisUrl: setting<string | undefined>({
    file: "redis.url",
    flag: "--redis-url <url>",
    env: "REDIS_URL",
    about:
      "spreads evaluations over all replicas and keeps checkpoints; default: in process, and in the policies' status",
    fallback: undefined,
    parse: url(["redis:", "rediss:"]),
  }),
  redisPrefix: setting({
    file: "redis.prefix",
    flag: "--redis-prefix <text>",
    env: "REDIS_PREFIX",
    about: "first part of every key, so that several installations can share a server",
    fallback: "grove-autoscaler",
    parse: text,
  }),
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
  operator: setting<"built-in" | "external">({
    file: "operator.kind",
    flag: "--operator <who>",
    env: "GROVE_AUTOSCALER_OPERATOR",
    about: "built-in, or external: another operator looks after the grove.io kinds, we only write /scale",
    fallback: "built-in",
    parse: operatorKind,
  }),
  operatorConfig: setting<string | undefined>({
    file: "operator.configFile",
    flag: "--operator-config <file>",
    env: "GROVE_AUTOSCALER_OPERATOR_CONFIG",
    about: "an OperatorConfiguration: scheduler profiles, topology and MNNVL of the built-in operator",
    fallback: undefined,
    parse: text,
  }),
  initContainerImage: setting<string | undefined>({
    file: "operator.initContainerImage",
    flag: "--init-container-image <image>",
    env: "GROVE_INIT_CONTAINER_IMAGE",
    about: "image that waits for parent cliques; sets with a start-up order need it",
    fallback: undefined,
    parse: text,
  }),
  workers: setting({
    file: "autoscaler.workers",
    flag: "--workers <number>",
    env: "GROVE_AUTOSCALER_WORKERS",
    about: "policies that are evaluated at the same time",
    fallback: 8,
    parse: whole({ min: 1, max: 1_000 }),
  }),
  address: setting({
    file: "server.address",
    flag: "--address <ip>",
    env: "GROVE_AUTOSCALER_ADDRESS",
    about: "where /metrics, /healthz and /readyz listen",
    fallback: "0.0.0.0",
    parse: text,
  }),
  port: setting({
    file: "server.port",
    flag: "--port <number>",
    env: "GROVE_AUTOSCALER_PORT",
    about: "0: a free one",
    fallback: 8080,
    parse: whole({ min: 0, max: 65_535 }),
  }),
  logLevel: setting<"debug" | "info" | "warn" | "error">({
    file: "log.level",
    flag: "--log-level <level>",
    env: "GROVE_AUTOSCALER_LOG_LEVEL",
    about: "debug, info, warn or error",
    fallback: "info",
    parse: oneOf("debug", "info", "warn", "error"),
  }),
  logFormat: setting<"json" | "text">({
    file: "log.format",
    flag: "--log-format <format>",
    env: "GROVE_AUTOSCALER_LOG_FORMAT",
    about: "json or text",
    fallback: "json",
    parse: oneOf("json", "text"),
  }),
} as const;

type Settings = typeof SETTINGS;
export type SettingName = keyof Settings;
export type ServiceConfig = { readonly [K in SettingName]: Settings[K] extends Setting<infer T> ? T : never };

export interface ConfigSources {
  /** By setting; absent: not given on the command line. */
  readonly flags?: Readonly<Partial<Record<SettingName, unknown>>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly file?: { readonly name: string; readonly text: string };
}

/** @throws UsageError with one line per first mistake */
export function readConfig({ flags = {}, env = {}, file }: ConfigSources): ServiceConfig {
  const fileValues = file === undefined ? new Map<string, unknown>() : readFile(file.name, file.text);
  const read = (name: SettingName): unknown => {
    const { file: path, flag, env: variable, parse, fallback } = SETTINGS[name] as Setting<unknown>;
    if (flag !== undefined && flags[name] !== undefined) {
      return parseAt(flag.split(" ", 1)[0] ?? flag, parse, flags[name]);
    }
    // An empty variable is how a manifest says "not set".
    if ((env[variable] ?? "") !== "") return parseAt(variable, parse, env[variable]);
    if (path !== undefined && fileValues.has(path))
      return parseAt(`${file?.name}: ${path}`, parse, fileValues.get(path));
    return fallback;
  };
  const config = Object.fromEntries(
    (Object.keys(SETTINGS) as SettingName[]).map((name) => [name, read(name)]),
  ) as unknown as ServiceConfig;
  checkTogether(config);
  return config;
}

function checkTogether(config: ServiceConfig): void {
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

function parseAt(where: string, parse: Parse<unknown>, given: unknown): unknown {
  try {
    return parse(given);
  } catch (error) {
    throw new UsageError(`${where}: ${error instanceof Error ? error.message : error}`);
  }
}

/** Leaves by dotted path. */
function readFile(name: string, content: string): ReadonlyMap<string, unknown> {
  const document = parseDocument(content);
  const [problem] = document.errors;
  if (problem !== undefined) throw new UsageError(`${name}: ${problem.message.split("\n")[0]}`);
  const root: unknown = document.toJS() ?? {};
  const values = new Map<string, unknown>();
  const known = Object.values(SETTINGS as Readonly<Record<string, Setting<unknown>>>).flatMap(({ file }) => file ?? []);
  const sections = new Set(known.map((path) => path.split(".")[0] ?? path));
  if (!isObject(root)) throw new UsageError(`${name}: must be a map with: ${[...sections].join(", ")}`);
  for (const [section, inner] of Object.entries(root)) {
    if (!sections.has(section))
      throw new UsageError(`${name}: ${section} is unknown${suggest(section, [...sections])}`);
    const fields = known.filter((path) => path.startsWith(`${section}.`)).map((path) => path.slice(section.length + 1));
    if (inner === null) continue;
    if (!isObject(inner)) throw new UsageError(`${name}: ${section} must be a map with: ${fields.join(", ")}`);
    for (const [field, value] of Object.entries(inner)) {
      const nested = fields.filter((one) => one.startsWith(`${field}.`)).map((one) => one.slice(field.length + 1));
      if (nested.length > 0) {
        for (const [leaf, one] of leavesOf(`${name}: ${section}.${field}`, value, nested)) {
          values.set(`${section}.${field}.${leaf}`, one);
        }
        continue;
      }
      if (!fields.includes(field)) {
        throw new UsageError(`${name}: ${section}.${field} is unknown${suggest(field, fields)}`);
      }
      if (value !== null) values.set(`${section}.${field}`, value);
    }
  }
  return values;
}

/** Of a map inside a section. */
function leavesOf(where: string, value: unknown, fields: readonly string[]): readonly (readonly [string, unknown])[] {
  if (value === null) return [];
  if (!isObject(value)) throw new UsageError(`${where} must be a map with: ${fields.join(", ")}`);
  for (const field of Object.keys(value)) {
    if (!fields.includes(field)) throw new UsageError(`${where}.${field} is unknown${suggest(field, fields)}`);
  }
  return Object.entries(value).filter(([, one]) => one !== null);
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function suggest(given: string, known: readonly string[]): string {
  const [nearest] = known
    .map((name) => ({ name, distance: editDistance(given.toLowerCase(), name.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance);
  return nearest !== undefined && nearest.distance <= Math.max(2, given.length / 3)
    ? `; did you mean ${nearest.name}?`
    : `; there is: ${known.join(", ")}`;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function text(given: unknown): string {
  if (typeof given !== "string" || given === "") throw new Error(`${shown(given)} is not a text`);
  return given;
}

/** Never shown, not even when it is wrong. */
function secretText(given: unknown): string {
  if (typeof given !== "string" || /[\r\n]/.test(given)) throw new Error("is not one line of text");
  return given;
}

function number({ above }: { readonly above: number }): Parse<number> {
  return (given) => {
    const value = typeof given === "number" ? given : typeof given === "string" ? Number(given) : Number.NaN;
    if (!(value > above && Number.isFinite(value))) throw new Error(`${shown(given)} is not a number above ${above}`);
    return value;
  };
}

function whole({ min, max = Number.MAX_SAFE_INTEGER }: { readonly min: number; readonly max?: number }): Parse<number> {
  return (given) => {
    const value = typeof given === "string" && given.trim() !== "" ? Number(given) : given;
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
      const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
      throw new Error(`${shown(given)} is not a whole number ${range}`);
    }
    return value;
  };
}

function boolean(given: unknown): boolean {
  if (given === true || given === "true") return true;
  if (given === false || given === "false") return false;
  throw new Error(`${shown(given)} is neither true nor false`);
}

/** `--no-operator` is false: short for external. */
function operatorKind(given: unknown): "built-in" | "external" {
  return given === false ? "external" : oneOf("built-in", "external")(given);
}

function duration(given: unknown): number {
  const ms = typeof given === "string" ? parseDurationMs(given) : undefined;
  if (ms === undefined || ms <= 0) throw new Error(`${shown(given)} is not a duration such as 15s or 1m30s`);
  return ms;
}

function url(schemes: readonly string[]): Parse<string> {
  return (given) => {
    const parsed = typeof given === "string" && URL.canParse(given) ? new URL(given) : undefined;
    if (parsed === undefined || !schemes.includes(parsed.protocol)) {
      throw new Error(`${shown(given)} is not a URL that starts with ${schemes.map((one) => `${one}//`).join(" or ")}`);
    }
    return given as string;
  };
}

function oneOf<const T extends string>(...allowed: readonly T[]): Parse<T> {
  return (given) => {
    const found = allowed.find((one) => one === given);
    if (found === undefined) throw new Error(`${shown(given)} is not one of ${allowed.join(", ")}`);
    return found;
  };
}

/** A list in the file, names with commas elsewhere. */
function names(given: unknown): readonly string[] {
  const list = Array.isArray(given)
    ? given
    : text(given)
        .split(",")
        .map((one) => one.trim());
  for (const one of list) {
    if (typeof one !== "string" || !isDnsSubdomain(one))
      throw new Error(`${shown(one)} is not the name of a namespace`);
  }
  if (list.length === 0) throw new Error("an empty list would work nowhere; leave it out to work in all namespaces");
  return [...new Set(list)];
}

/** A map in the file, `name=value,name=value` elsewhere. */
function headers(given: unknown): Readonly<Record<string, string>> {
  const entries = isObject(given) ? Object.entries(given) : text(given).split(",").map(headerOf);
  for (const [name, value] of entries) {
    if (!/^[A-Za-z0-9-]+$/.test(name) || typeof value !== "string" || /[\r\n]/.test(value)) {
      throw new Error(`${shown(name)} is not a header: write name=value`);
    }
  }
  return Object.fromEntries(entries) as Record<string, string>;
}

function headerOf(pair: string): readonly [string, string | undefined] {
  const at = pair.indexOf("=");
  return at < 0 ? [pair.trim(), undefined] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
}

const shown = (given: unknown): string => (given === "" ? "nothing" : JSON.stringify(given));
