/**
 * The standalone operator: what `grove-autoscaler operator` composes from its configuration, step by step as upstream's binary does, each step with its exit code.
 *
 * A composition root. Every replica serves webhooks, probes and metrics; only the holder of the Lease reconciles.
 */
import { parseDurationMs } from "../../api/duration.ts";
import { POD_CLIQUE_SETS } from "../../api/grove/pod-clique-set.ts";
import type { Clock } from "../../clock.ts";
import { checkBackends } from "../../grove/backends/check-cluster.ts";
import { syncTopologiesOnce } from "../../grove/cluster-topology/sync-once.ts";
import type { OperatorConfiguration } from "../../grove/configuration/schema.ts";
import { settingsOf } from "../../grove/configuration/settings-of.ts";
import { startGroveOperator } from "../../grove/operator.ts";
import { ApiError, isNotFound } from "../../kube/api-error.ts";
import { createKubeClient } from "../../kube/client.ts";
import { type KubeCredentials, loadCredentials } from "../../kube/credentials.ts";
import { createEventRecorder } from "../../kube/events.ts";
import type { KubeApi } from "../../kube/kube-api.ts";
import { type Leadership, startLeaderElection } from "../../kube/lease.ts";
import type { Logger } from "../../log.ts";
import type { Random } from "../../random.ts";
import { startHttpServer } from "../../server/http-server.ts";
import { createOperatorProcessMetrics } from "../../server/operator-metrics.ts";
import { startProfilingServer } from "../../server/profiling.ts";
import { ExitError } from "../errors.ts";
import { guardWrites } from "../run/guarded-api.ts";
import { checkCluster, operatorKinds } from "../run/preflight.ts";
import { scopedClock } from "../run/scoped-clock.ts";
import { certificateNames, initContainerImage, operatorNamespace, operatorUser, podGangNames } from "./environment.ts";
import { EXIT } from "./exit-codes.ts";
import { checkMnnvl } from "./mnnvl-preflight.ts";
import { startWebhooks } from "./webhooks.ts";

export interface OperatorProcessOptions {
  readonly configuration: OperatorConfiguration;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** Unique per process; the holder of the Lease. */
  readonly identity: string;
  readonly version: string;
}

export interface OperatorProcess {
  /** Rejects with an ExitError when it cannot go on: the lease is lost. Never resolves. */
  readonly failed: Promise<never>;
  /** No new reconciles, writes in flight end, the lease goes back, everything closes; within the grace time whatever hangs. */
  stop(): Promise<void>;
}

const USER_AGENT = "grove-operator";
/** Three steps of a stop have 10 s together. */
const STOP_STEP_MS = 3_000;

/** Events are told beside the work, at a pace that never gets in its way. */
const EVENTS_LIMIT = { qps: 10, burst: 100 };

export async function startOperatorProcess(options: OperatorProcessOptions): Promise<OperatorProcess> {
  const { configuration, environment, random, log, identity, version } = options;
  const settings = settingsOf(configuration, {
    initContainerImage: initContainerImage(environment, version),
    podGangNames: podGangNames(environment),
  });
  const life = new AbortController();
  const clock = scopedClock(options.clock, life.signal);
  const work = new AbortController();
  const metrics = createOperatorProcessMetrics({ version });
  const closers: (() => Promise<unknown>)[] = [];
  const closeAll = async (): Promise<void> => {
    work.abort(new Error("the operator is stopping"));
    await within(options.clock, Promise.allSettled(closers.toReversed().map((close) => close())));
    life.abort(new Error("the operator has stopped"));
  };
  try {
    // 1. The way to the cluster.
    const credentials = await exiting(EXIT.manager, loadCredentials({}, clock));
    closers.push(() => credentials.dispatcher.destroy());
    const client = (rateLimit?: { readonly qps: number; readonly burst: number }): KubeApi =>
      createKubeClient({
        credentials,
        clock,
        userAgent: USER_AGENT,
        metrics: metrics.runtime,
        ...(rateLimit !== undefined && { rateLimit }),
      });
    const { qps, burst } = configuration.runtimeClientConnection;
    const raw = client(qps < 0 ? undefined : { qps, burst: Math.max(1, burst) });
    // Leases, certificates and admission must not wait in line behind a thousand pod creations.
    const urgent = client();
    const namespace = operatorNamespace(environment, credentials.namespace);

    // 2. What has to be there before anything starts.
    if (settings.autoMnnvl) await checkMnnvl(urgent, log);
    await reach(urgent, credentials);
    const user = operatorUser(environment, namespace);
    if (configuration.authorizer.enabled && user === undefined) {
      throw new ExitError(
        EXIT.manager,
        "authorizer.enabled is true but GROVE_OPERATOR_SERVICE_ACCOUNT_NAME is not set: name the operator's service account, or its own changes would be refused",
      );
    }
    let webhookProblem = async (): Promise<string | undefined> => "starting";
    const { healthProbes } = configuration.server;
    const health = await exiting(
      EXIT.manager,
      startHttpServer({
        address: healthProbes.bindAddress,
        port: healthProbes.port,
        health: () => ({ ok: true, text: "ok" }),
        readiness: async () => {
          const problem = work.signal.aborted ? "stopping" : await webhookProblem();
          return { ok: problem === undefined, text: problem ?? "ok" };
        },
      }),
      "server.healthProbes",
    );
    closers.push(health.close);
    const recorder = createEventRecorder({
      api: urgent,
      clock,
      random,
      log,
      component: "scheduler-backend",
    });
    await exiting(EXIT.schedulerBackend, checkBackends(urgent, settings, recorder));
    await exiting(EXIT.topologySync, syncTopologiesOnce(urgent, settings));

    // 3. Metrics, profiles and webhooks answer from here on.
    await exiting(
      EXIT.start,
      checkCluster({
        api: urgent,
        serverUrl: credentials.serverUrl,
        namespaces: undefined,
        needed: operatorKinds(settings.topologyAwareScheduling),
        manifests: "deploy/operator",
      }),
    );
    const scrape = await exiting(
      EXIT.start,
      startHttpServer({
        address: configuration.server.metrics.bindAddress,
        port: configuration.server.metrics.port,
        metrics,
      }),
      "server.metrics",
    );
    closers.push(scrape.close);
    const { enableProfiling, pprofBindHost, pprofBindPort } = configuration.debugging;
    if (enableProfiling) {
      const profiles = await exiting(
        EXIT.start,
        startProfilingServer(pprofBindHost, pprofBindPort, clock),
        "debugging.pprofBindPort",
      );
      closers.push(profiles.close);
    }
    const webhooks = await exiting(
      EXIT.start,
      startWebhooks({
        configuration,
        settings,
        api: urgent,
        clock,
        random,
        signal: work.signal,
        log,
        metrics: metrics.runtime,
        namespace,
        certificateNames: certificateNames(
          namespace,
          configuration.server.webhooks.bindAddress,
          environment["KUBERNETES_SERVICE_HOST"] !== undefined,
        ),
        ...(user !== undefined && { operatorUser: user }),
      }),
      "server.webhooks",
    );
    closers.push(webhooks.server.close);
    webhookProblem = webhooks.server.problem;
    log.info(
      { identity, version, cluster: credentials.serverUrl, health: health.url, metrics: scrape.url },
      "operator is up",
    );

    // 4. Lead, or wait to; then reconcile.
    const { api, close: closeWrites } = guardWrites(raw);
    const election = new AbortController();
    let leadership: Leadership | undefined;
    let isStopping = false;
    const failed = new Promise<never>((_, reject) => {
      void webhooks.ready
        .then(async () => {
          if (work.signal.aborted) return;
          leadership = leadershipOf();
          leadership.lost.addEventListener("abort", () => {
            if (isStopping) return;
            work.abort(leadership?.lost.reason);
            void closeWrites();
            reject(new ExitError(EXIT.start, `leader election lost: ${reasonOf(leadership?.lost)}`));
          });
          await leadership.acquired;
          if (work.signal.aborted) return;
          await startControllers();
        })
        .catch((error: unknown) => reject(new ExitError(EXIT.start, reasonText(error))));
    });
    failed.catch(() => undefined);

    return {
      failed,
      async stop() {
        isStopping = true;
        log.info({ identity }, "stopping");
        work.abort(new Error("the operator is stopping"));
        const areWritesDone = await within(options.clock, closeWrites());
        election.abort(new Error("the operator is stopping"));
        // While a write may still arrive nobody else may begin: the lease then ends by itself.
        const release = areWritesDone ? leadership?.release() : Promise.reject(new Error("a write has no answer yet"));
        const given = release?.catch((error: unknown) => {
          log.error({ error: String(error) }, "the lease was not given back; it ends by itself");
        });
        await within(options.clock, given ?? Promise.resolve());
        await closeAll();
        log.info({ identity }, "stopped");
      },
    };

    function leadershipOf(): Leadership {
      const { leaderElection } = configuration;
      if (!leaderElection.enabled) {
        metrics.runtime.leader(true);
        return {
          acquired: Promise.resolve(),
          lost: new AbortController().signal,
          isLeader: () => true,
          release: async () => metrics.runtime.leader(false),
        };
      }
      const ms = (field: "leaseDuration" | "renewDeadline" | "retryPeriod"): number =>
        parseDurationMs(leaderElection[field]) ?? 0;
      return startLeaderElection({
        api: urgent,
        clock,
        random,
        signal: AbortSignal.any([election.signal, life.signal]),
        namespace: leaderElection.resourceNamespace || namespace,
        name: leaderElection.resourceName,
        identity,
        leaseDurationMs: ms("leaseDuration"),
        renewDeadlineMs: ms("renewDeadline"),
        retryPeriodMs: ms("retryPeriod"),
        log,
        metrics: metrics.runtime,
      });
    }

    async function startControllers(): Promise<void> {
      const { podCliqueSet, podClique, podCliqueScalingGroup, podGang } = configuration.controllers;
      const operator = startGroveOperator({
        api,
        eventsApi: client(EVENTS_LIMIT),
        clock,
        random,
        signal: work.signal,
        log,
        metrics: metrics.runtime,
        onGangPhase: metrics.gangReached,
        settings,
        concurrency: {
          sets: podCliqueSet.concurrentSyncs,
          groups: podCliqueScalingGroup.concurrentSyncs,
          cliques: podClique.concurrentSyncs,
          gangs: podGang.concurrentSyncs,
        },
      });
      await operator.ready;
    }
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** The server has to answer, and to know who we are; what we may do is asked for each kind later. */
async function reach(api: KubeApi, { serverUrl }: KubeCredentials): Promise<void> {
  try {
    await api.list(POD_CLIQUE_SETS, { limit: 1 });
  } catch (error) {
    if (isNotFound(error)) return;
    if (error instanceof ApiError && error.code !== 401) return;
    throw new ExitError(
      EXIT.manager,
      `cannot work with the API server at ${serverUrl}: ${reasonText(error) || "no answer"}`,
    );
  }
}

async function exiting<T>(exitCode: number, step: Promise<T>, where?: string): Promise<T> {
  try {
    return await step;
  } catch (error) {
    if (error instanceof ExitError) throw error;
    throw new ExitError(exitCode, `${where === undefined ? "" : `${where}: `}${reasonText(error)}`);
  }
}

/** What hangs does not hold the others up. @returns whether it came to its end */
async function within(clock: Clock, step: Promise<unknown>): Promise<boolean> {
  const late = new AbortController();
  const done = step.then(
    () => true,
    () => true,
  );
  const expired = clock.sleep(STOP_STEP_MS, late.signal).then(
    () => false,
    () => true,
  );
  const isDone = await Promise.race([done, expired]);
  late.abort(new Error("done"));
  return isDone;
}

const reasonText = (error: unknown): string => (error instanceof Error ? error.message : String(error));
const reasonOf = (signal: AbortSignal | undefined): string => reasonText(signal?.reason ?? "");
