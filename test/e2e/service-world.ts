/** The embedded world behind HTTP on an accelerated clock, and services that run on it as they would on a cluster. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { SCALING_POLICIES, type ScalingPolicy } from "../../src/api/autoscaling/scaling-policy.ts";
import { POD_CLIQUE_SETS, type PodCliqueSet } from "../../src/api/grove/pod-clique-set.ts";
import { type Service, startService } from "../../src/cli/run/service.ts";
import { acceleratedClock, type Clock } from "../../src/clock.ts";
import { readConfig } from "../../src/config/read-config.ts";
import type { LogFields, Logger } from "../../src/log.ts";
import { seededRandom } from "../../src/random.ts";
import { kubeconfigFor } from "../../src/sim/api-server/kubeconfig.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { createWorld, openEngineDoor, openPrometheusDoor, type World } from "../../src/sim/world.ts";
import { readExample } from "../sim/simulation.ts";

export const NAMESPACE = "serving";
const LENGTHS = { input: { medianTokens: 1_000, spreadP90: 2 }, output: { medianTokens: 900, spreadP90: 1.8 } };

export interface ServiceWorld {
  readonly world: World;
  readonly kubeconfig: string;
  readonly prometheusUrl: string;
  start(identity: string, flags?: Readonly<Record<string, unknown>>): Promise<RunningService>;
  /** Creates the example's workload and policy. */
  deploy(): Promise<void>;
  attachTraffic(requestsPerSecond: number): void;
  stop(): Promise<void>;
}

export interface RunningService extends Service {
  readonly lines: readonly { readonly level: string; readonly message: string; readonly fields: LogFields }[];
  get(path: string): Promise<{ readonly status: number; readonly text: string }>;
}

export interface ServiceWorldOptions {
  readonly speed?: number;
  /** Before anything runs on it; e.g. to take CRDs away. */
  readonly prepare?: (world: World) => Promise<void>;
  /** What stands between the services and the world's clock. */
  readonly serviceClock?: (clock: Clock) => Clock;
}

export async function startServiceWorld({
  speed = 30,
  prepare,
  serviceClock = (clock) => clock,
}: ServiceWorldOptions = {}): Promise<ServiceWorld> {
  const clock = acceleratedClock({ speed });
  const abort = new AbortController();
  const engineDoor = await openEngineDoor();
  const world = await createWorld(
    { clock, random: seededRandom(1), signal: abort.signal, namespaces: [NAMESPACE], startupScale: 0.1 },
    engineDoor,
  );
  await prepare?.(world);
  const prometheusDoor = await openPrometheusDoor(world.prometheus);
  const front = await world.apiServer.listen();
  const folder = mkdtempSync(join(tmpdir(), "grove-autoscaler-run-"));
  const kubeconfig = join(folder, "kubeconfig");
  writeFileSync(kubeconfig, kubeconfigFor({ url: front.url, namespace: NAMESPACE }), { mode: 0o600 });
  const services: Service[] = [];
  return {
    world,
    kubeconfig,
    prometheusUrl: prometheusDoor.url,
    async start(identity, flags = {}) {
      const lines: RunningService["lines"][number][] = [];
      const config = readConfig({
        flags: {
          kubeconfig,
          prometheusUrl: prometheusDoor.url,
          address: "127.0.0.1",
          port: 0,
          // In the world's time, which passes 30 times as fast: a real machine stutters for longer than half a second.
          leaseDurationMs: "300s",
          renewDeadlineMs: "200s",
          retryPeriodMs: "5s",
          ...flags,
        },
      });
      const service = await startService({
        config,
        clock: serviceClock(clock),
        random: seededRandom(7),
        identity,
        version: "0.0.0-test",
        log: recordingLogger(lines),
      });
      services.push(service);
      return {
        ...service,
        lines,
        async get(path) {
          const { statusCode, body } = await request(`${service.url}${path}`);
          return { status: statusCode, text: await body.text() };
        },
      };
    },
    async deploy() {
      await world.api.create(
        POD_CLIQUE_SETS,
        readExample<PodCliqueSet>("multinode-prefill-decode/workload.yaml", "PodCliqueSet"),
      );
      await world.api.create(
        SCALING_POLICIES,
        readExample<ScalingPolicy>("multinode-prefill-decode/policy.yaml", "ScalingPolicy"),
      );
    },
    attachTraffic(requestsPerSecond) {
      const phases = [{ durationSeconds: 86_400, requestsPerSecond: constant(requestsPerSecond), ...LENGTHS }];
      world.dataPlane.attachTraffic(
        { namespace: NAMESPACE, partOf: "llama-70b" },
        generateTraffic(phases, seededRandom(2)),
      );
    },
    async stop() {
      abort.abort();
      await Promise.allSettled(services.map((service) => service.stop()));
      await Promise.all([world.apiServer.stop(), engineDoor.close(), prometheusDoor.close()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function recordingLogger(
  lines: { readonly level: string; readonly message: string; readonly fields: LogFields }[],
  bound: LogFields = {},
): Logger {
  const at = (level: string) => (fields: LogFields, message: string) =>
    void lines.push({ level, message, fields: { ...bound, ...fields } });
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => recordingLogger(lines, { ...bound, ...fields }),
  };
}
