/**
 * The live service: composes adapters, leader election, operator and autoscaler on a real cluster, and takes them down in order.
 *
 * A composition root. Every replica evaluates when Redis is configured; only the leader reconciles and writes.
 */
import { type Autoscaler, POLICY_CONTROLLER, startAutoscaler, TURN_TIMEOUT_MS } from "../../autoscaler/controller.ts";
import type { Clock } from "../../clock.ts";
import type { ServiceConfig } from "../../config/settings.ts";
import { startGroveOperator } from "../../grove/operator.ts";
import { createKubeClient } from "../../kube/client.ts";
import { KubeConfigError, type KubeCredentials, loadCredentials } from "../../kube/credentials.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { type Leadership, startLeaderElection } from "../../kube/lease.ts";
import type { RuntimeMetrics } from "../../kube/runtime-metrics.ts";
import type { Logger } from "../../log.ts";
import type { Random } from "../../random.ts";
import { startHttpServer, type Verdict } from "../../server/http-server.ts";
import { createServiceMetrics } from "../../server/metrics.ts";
import { CommandError } from "../errors.ts";
import { startEvaluations } from "./evaluations.ts";
import { guardWrites } from "./guarded-api.ts";
import { type Liveness, watchTurns } from "./liveness.ts";
import { readOperatorSettings } from "./operator-settings.ts";
import { checkCluster, checkPrometheus, serviceKinds } from "./preflight.ts";
import { prometheusSource } from "./prometheus-source.ts";
import { scopedClock } from "./scoped-clock.ts";
import { startPolicyWebhooks } from "./webhooks.ts";

export interface ServiceOptions {
  readonly config: ServiceConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Unique per process; the holder of the Lease. */
  readonly identity: string;
  readonly version: string;
}

export interface Service {
  /** Where `/metrics`, `/healthz` and `/readyz` are. */
  readonly url: string;
  /** Rejects with a CommandError when the service cannot go on: the lease is lost. Never resolves. */
  readonly failed: Promise<never>;
  /** No new turns, writes in flight end, the lease goes back, everything closes. */
  stop(): Promise<void>;
}

export async function startService(options: ServiceOptions): Promise<Service> {
  const { config, random, log, identity, version } = options;
  const life = new AbortController();
  const clock = scopedClock(options.clock, life.signal);
  const work = new AbortController();
  life.signal.addEventListener("abort", () => work.abort(life.signal.reason), { once: true });
  const metrics = createServiceMetrics({ clock, version });
  const state: State = { phase: "starting", autoscaler: undefined };
  const liveness = watchTurns({ clock, controller: POLICY_CONTROLLER, turnTimeoutMs: TURN_TIMEOUT_MS });
  const closers: (() => Promise<unknown>)[] = [];
  const closeAll = async (): Promise<void> => {
    for (const close of closers.toReversed()) {
      await close().catch((error: unknown) => log.warn({ error: String(error) }, "did not close cleanly"));
    }
    life.abort(new Error("the service has stopped"));
  };

  try {
    // 1. The outside: probes and scrapes are answered from here on.
    const http = await startHttpServer({
      address: config.address,
      port: config.port,
      metrics: { contentType: metrics.contentType, expose: metrics.expose },
      health: () => healthOf(state, liveness),
      readiness: () => readinessOf(state),
    }).catch((error: unknown) => {
      throw new CommandError(`cannot listen on ${config.address}:${config.port} (--address, --port): ${error}`);
    });
    closers.push(http.close);

    // 2. The cluster and Prometheus.
    const operatorSettings = await readOperatorSettings(config, version);
    const credentials = await credentialsOf(config, clock);
    closers.push(() => credentials.dispatcher.close());
    const runtimeMetrics = liveness.watching(metrics.runtime);
    const raw = createKubeClient({
      credentials,
      clock,
      userAgent: "grove-autoscaler",
      rateLimit: { qps: config.qps, burst: config.burst },
      metrics: runtimeMetrics,
    });
    // Renewing the lease must not wait in line behind a thousand pod creations.
    const leaseApi = createKubeClient({ credentials, clock, userAgent: "grove-autoscaler", metrics: runtimeMetrics });
    await checkCluster({
      api: raw,
      serverUrl: credentials.serverUrl,
      namespaces: config.namespaces,
      needed: serviceKinds(config.operator),
      manifests: "deploy/manifests",
    });
    const metricsSource = await prometheusSource(config, clock, random);
    metrics.watchCircuit(() => metricsSource.state);
    await checkPrometheus(metricsSource, config.prometheusUrl ?? "", log);

    // 3. Evaluations, here or spread over all replicas.
    const { evaluations, checkpoints, decisions } = await startEvaluations({
      config,
      clock,
      log,
      onEvaluated: metrics.evaluated,
    });
    metrics.watchDegraded(() => evaluations.degraded);
    closers.push(() => evaluations.close());

    // Before the lease: a standby answers them too.
    if (config.webhooks) {
      const webhooks = await startPolicyWebhooks({
        api: leaseApi,
        clock,
        random,
        log,
        metrics: metrics.runtime,
        namespace: credentials.namespace,
        address: config.address,
        port: config.webhookPort,
        ...(config.namespaces !== undefined && { namespaces: config.namespaces }),
      }).catch((error: unknown) => {
        throw new CommandError(
          `cannot serve webhooks on ${config.address}:${config.webhookPort} (--webhook-port): ${error}`,
        );
      });
      closers.push(webhooks.close);
      state.webhookProblem = webhooks.problem;
    }

    // 4. Lead, or wait to.
    const election = new AbortController();
    const leadership = config.leaderElection
      ? startLeaderElection({
          api: leaseApi,
          clock,
          random,
          signal: AbortSignal.any([election.signal, life.signal]),
          namespace: config.leaseNamespace ?? credentials.namespace,
          name: config.leaseName,
          identity,
          leaseDurationMs: config.leaseDurationMs,
          renewDeadlineMs: config.renewDeadlineMs,
          retryPeriodMs: config.retryPeriodMs,
          log,
          metrics: metrics.runtime,
        })
      : leadAlone(metrics.runtime);
    const { api, close: closeWrites } = guardWrites(raw);
    let isStopping = false;
    state.phase = "standby";
    log.info({ identity, url: http.url, cluster: credentials.serverUrl, version }, "service is up");

    const failed = new Promise<never>((_, reject) => {
      leadership.lost.addEventListener("abort", () => {
        if (isStopping) return;
        work.abort(leadership.lost.reason);
        void closeWrites();
        reject(new CommandError(`${reasonOf(leadership.lost)}: another replica goes on`));
      });
    });
    failed.catch(() => undefined);
    void leadership.acquired.then(async () => {
      if (work.signal.aborted) return;
      state.phase = "filling caches";
      const shared = { api, clock, random, signal: work.signal, log };
      await lead(shared, runtimeMetrics);
    });

    return {
      url: http.url,
      failed,
      async stop() {
        isStopping = true;
        log.info({ identity }, "stopping");
        state.phase = "stopping";
        work.abort(new Error("the service is stopping"));
        await closeWrites();
        election.abort(new Error("the service is stopping"));
        await leadership.release().catch((error: unknown) => {
          log.warn({ error: String(error) }, "the lease was not given back; it ends by itself");
        });
        await closeAll();
        log.info({ identity }, "stopped");
      },
    };

    async function lead(
      shared: {
        readonly api: KubeApi;
        readonly clock: Clock;
        readonly random: Random;
        readonly signal: AbortSignal;
        readonly log: Logger;
      },
      runtime: RuntimeMetrics,
    ): Promise<void> {
      const { namespaces } = config;
      const operator =
        config.operator === "external"
          ? undefined
          : startGroveOperator({
              ...shared,
              settings: operatorSettings,
              metrics: metrics.operator.countingFor(runtime),
              onGangPhase: metrics.operator.gangReached,
              ...(namespaces === undefined ? {} : { namespaces }),
            });
      const autoscaler = startAutoscaler({
        ...shared,
        metricsSource,
        metricsGrouping: config.metricsGrouping,
        evaluations,
        checkpoints,
        isLeader: () => leadership.isLeader() && !isStopping,
        workers: config.workers,
        metrics: metrics.autoscaler,
        onDecision: (policyKey, decision) => decisions?.add(policyKey, decision),
        runtimeMetrics: runtime,
        ...(namespaces === undefined ? {} : { namespace: namespaces }),
      });
      await Promise.all([operator?.ready, autoscaler.ready]);
      if (work.signal.aborted) return;
      state.autoscaler = autoscaler;
      state.phase = "leading";
      liveness.begin();
      log.info({ identity, policies: autoscaler.informers.policies.count() }, "leading");
    }
  } catch (error) {
    await closeAll();
    throw error;
  }
}

interface State {
  phase: "starting" | "standby" | "filling caches" | "leading" | "stopping";
  autoscaler: Autoscaler | undefined;
  /** Of a replica that serves webhooks: why it could not answer one. */
  webhookProblem?: () => Promise<string | undefined>;
}

function healthOf({ phase, autoscaler }: State, liveness: Liveness): Verdict {
  if (phase !== "leading") return { ok: true, text: phase };
  return liveness.verdict((autoscaler?.informers.policies.list() ?? []).map(({ spec }) => spec.interval));
}

async function readinessOf({ phase, webhookProblem }: State): Promise<Verdict> {
  const problem = await webhookProblem?.();
  if (problem !== undefined) return { ok: false, text: problem };
  return { ok: phase === "leading" || phase === "standby", text: phase };
}

async function credentialsOf({ kubeconfig, context }: ServiceConfig, clock: Clock): Promise<KubeCredentials> {
  try {
    return await loadCredentials(
      { ...(kubeconfig === undefined ? {} : { kubeconfig }), ...(context === undefined ? {} : { context }) },
      clock,
    );
  } catch (error) {
    if (error instanceof KubeConfigError) throw new CommandError(error.message);
    throw error;
  }
}

/** For a single replica: leads at once and for ever. */
function leadAlone(metrics: RuntimeMetrics): Leadership {
  metrics.leader(true);
  return {
    acquired: Promise.resolve(),
    lost: new AbortController().signal,
    isLeader: () => true,
    release: async () => metrics.leader(false),
  };
}

const reasonOf = ({ reason }: AbortSignal): string => (reason instanceof Error ? reason.message : String(reason));
