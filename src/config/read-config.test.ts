import { describe, expect, test } from "vitest";
import { readConfig } from "./read-config.ts";
import type { Setting } from "./setting.ts";
import { SETTINGS } from "./settings.ts";

const PROMETHEUS = { PROMETHEUS_URL: "http://prometheus:9090" };
const file = (text: string) => ({ name: "config.yaml", text });

describe("readConfig", () => {
  test("defaults need nothing but Prometheus", () => {
    expect(readConfig({ env: PROMETHEUS })).toMatchObject({
      prometheusUrl: "http://prometheus:9090",
      leaderElection: true,
      operator: "built-in",
      port: 8080,
      logLevel: "info",
      redisUrl: undefined,
    });
  });

  test("flag beats environment beats file beats default", () => {
    const layers = {
      flags: { port: "1" },
      env: { ...PROMETHEUS, GROVE_AUTOSCALER_PORT: "2", GROVE_AUTOSCALER_WORKERS: "20" },
      file: file("server: {port: 3}\nautoscaler: {workers: 30}\nlog: {level: debug}\n"),
    };
    expect(readConfig(layers)).toMatchObject({ port: 1, workers: 20, logLevel: "debug", logFormat: "json" });
  });

  test("an empty variable is not set", () => {
    expect(readConfig({ env: { ...PROMETHEUS, REDIS_URL: "" } }).redisUrl).toBeUndefined();
  });

  test("headers come as a map, or as name=value", () => {
    const wanted = { "X-Scope-OrgID": "llm", A: "b=c" };
    expect(
      readConfig({ env: { ...PROMETHEUS, PROMETHEUS_HEADERS: "X-Scope-OrgID=llm, A=b=c" } }).prometheusHeaders,
    ).toEqual(wanted);
    expect(
      readConfig({ env: PROMETHEUS, file: file("prometheus: {headers: {X-Scope-OrgID: llm, A: b=c}}") })
        .prometheusHeaders,
    ).toEqual(wanted);
  });

  test("namespaces come as a list, or with commas", () => {
    const listed = readConfig({ env: PROMETHEUS, file: file("kubernetes: {namespaces: [a, b]}") });
    expect(listed.namespaces).toEqual(["a", "b"]);
    expect(readConfig({ env: PROMETHEUS, flags: { namespaces: "a, b,a" } }).namespaces).toEqual(["a", "b"]);
    expect(readConfig({ env: PROMETHEUS }).namespaces).toBeUndefined();
  });

  test.each<{ name: string; sources: Parameters<typeof readConfig>[0]; message: string }>([
    { name: "no Prometheus", sources: {}, message: "prometheus.url is not set: give --prometheus-url, PROMETHEUS_URL" },
    {
      name: "flag",
      sources: { flags: { port: "http" } },
      message: '--port: "http" is not a whole number from 0 to 65535',
    },
    {
      name: "variable",
      sources: { env: { REDIS_URL: "localhost:6379" } },
      message: 'REDIS_URL: "localhost:6379" is not a URL that starts with redis:// or rediss://',
    },
    {
      name: "file value",
      sources: { file: file("leaderElection: {leaseDuration: 15}") },
      message: "config.yaml: leaderElection.leaseDuration: 15 is not a duration such as 15s",
    },
    {
      name: "unknown field",
      sources: { file: file("prometheus: {ulr: http://x}") },
      message: "config.yaml: prometheus.ulr is unknown; did you mean url?",
    },
    {
      name: "unknown section",
      sources: { file: file("promtheus: {}") },
      message: "config.yaml: promtheus is unknown; did you mean prometheus?",
    },
    {
      name: "nothing near",
      sources: { file: file("log: {colour: true}") },
      message: "config.yaml: log.colour is unknown; there is: level, format",
    },
    {
      name: "no map",
      sources: { file: file("- a") },
      message: "config.yaml: must be a map with: kubernetes, prometheus",
    },
    { name: "not YAML", sources: { file: file("a: [") }, message: "config.yaml: " },
    {
      name: "level",
      sources: { flags: { logLevel: "trace" } },
      message: '--log-level: "trace" is not one of debug, info, warn, error',
    },
    {
      name: "boolean",
      sources: { env: { GROVE_AUTOSCALER_OPERATOR: "yes" } },
      message: 'GROVE_AUTOSCALER_OPERATOR: "yes" is not one of built-in, external',
    },
    {
      name: "header",
      sources: { flags: { prometheusHeaders: "novalue" } },
      message: "--prometheus-header: ",
    },
    {
      name: "namespace",
      sources: { flags: { namespaces: "a,B_" } },
      message: '--namespace: "B_" is not the name of a namespace',
    },
    {
      name: "no namespace",
      sources: { file: file("kubernetes: {namespaces: []}") },
      message: "config.yaml: kubernetes.namespaces: an empty list would work nowhere; leave it out",
    },
    {
      name: "deadlines that let two lead",
      sources: { env: { ...PROMETHEUS, GROVE_AUTOSCALER_LEASE_RENEW_DEADLINE: "20s" } },
      message: "leaderElection.renewDeadline (20000 ms) must be below leaseDuration (15000 ms)",
    },
    {
      name: "retries that lose the lease",
      sources: { env: { ...PROMETHEUS, GROVE_AUTOSCALER_LEASE_RETRY_PERIOD: "10s" } },
      message: "leaderElection.retryPeriod (10000 ms) must be below renewDeadline",
    },
    {
      name: "burst",
      sources: { env: { ...PROMETHEUS, GROVE_AUTOSCALER_KUBE_API_BURST: "5" } },
      message: "kubernetes.burst (5) must be at least kubernetes.qps (100)",
    },
  ])("$name: one line that names the place and the way out", ({ sources, message }) => {
    expect(() => readConfig(sources)).toThrow(message);
    expect(() => readConfig(sources)).toThrow(expect.objectContaining({ name: "UsageError" }));
  });

  test("secrets come from the environment, never from a flag or the file, and are not shown", () => {
    const secrets = Object.values(SETTINGS as Readonly<Record<string, Setting<unknown>>>).filter(({ env }) =>
      /PASSWORD$|TOKEN$/.test(env),
    );
    expect(secrets).toHaveLength(2);
    for (const one of secrets) expect([one.flag, one.file]).toEqual([undefined, undefined]);
    const env = { ...PROMETHEUS, PROMETHEUS_BEARER_TOKEN: "s3cret\nx" };
    expect(() => readConfig({ env })).toThrow("PROMETHEUS_BEARER_TOKEN: is not one line of text");
    expect(() => readConfig({ env })).not.toThrow("s3cret");
  });

  test("TLS and grouping stand where the file has them", () => {
    const text = `prometheus: {grouping: false, username: scaler, passwordFile: /p, tls: {caFile: /ca, serverName: p}}`;
    expect(readConfig({ env: PROMETHEUS, file: file(text) })).toMatchObject({
      metricsGrouping: false,
      prometheusUsername: "scaler",
      prometheusCaFile: "/ca",
      prometheusServerName: "p",
      prometheusInsecure: false,
    });
    expect(() => readConfig({ env: PROMETHEUS, file: file("prometheus: {tls: {cafile: /ca}}") })).toThrow(
      "config.yaml: prometheus.tls.cafile is unknown; did you mean caFile?",
    );
  });

  test.each([
    { PROMETHEUS_USERNAME: "a" },
    { PROMETHEUS_PASSWORD: "a" },
    { PROMETHEUS_BEARER_TOKEN: "a", PROMETHEUS_BEARER_TOKEN_FILE: "b" },
    { PROMETHEUS_BEARER_TOKEN: "a", PROMETHEUS_USERNAME: "b", PROMETHEUS_PASSWORD: "c" },
    { PROMETHEUS_CERTIFICATE_FILE: "a" },
  ])("%o does not go together", (env) => {
    expect(() => readConfig({ env: { ...PROMETHEUS, ...env } })).toThrow(/prometheus|PROMETHEUS/);
  });

  test("no two settings share a flag, a variable or a place in the file", () => {
    const settings = Object.values(SETTINGS) as readonly Setting<unknown>[];
    for (const part of ["flag", "env", "file"] as const) {
      const given = settings.flatMap((one) => one[part] ?? []);
      expect(new Set(given).size).toBe(given.length);
    }
  });
});
