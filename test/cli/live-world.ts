/** The whole system on virtual time with HTTP doors, for commands that come from outside. */
import { seededRandom } from "../../src/random.ts";
import { constant, generateTraffic } from "../../src/sim/traffic/generate.ts";
import { openPrometheusDoor } from "../../src/sim/world.ts";
import { type Simulation, type SimulationOptions, simulate } from "../sim/simulation.ts";
import { type CliOptions, type CliResult, runCli, type Scratch, scratch } from "./cli.ts";

export interface LiveWorld {
  readonly simulation: Simulation;
  readonly prometheusUrl: string;
  readonly scratch: Scratch;
  /** Runs a command with this world's kubeconfig and Prometheus. */
  run(args: readonly string[], options?: CliOptions): Promise<CliResult>;
  stop(): Promise<void>;
}

export async function startLiveWorld(options: SimulationOptions): Promise<LiveWorld> {
  const simulation = await simulate(options);
  await simulation.untilAvailable();
  // Metrics of the first replicas, and the decisions on them.
  await simulation.clock.advance(60_000);
  const { url } = await simulation.world.apiServer.listen();
  const prometheus = await openPrometheusDoor(simulation.world.prometheus);
  const files = scratch();
  const kubeconfig = files.kubeconfig({ url, namespace: "serving", clusterName: "live" });
  return {
    simulation,
    prometheusUrl: prometheus.url,
    scratch: files,
    run: (args, more = {}) =>
      runCli(args, { kubeconfig, environment: { GROVE_AUTOSCALER_PROMETHEUS_URL: prometheus.url }, ...more }),
    async stop() {
      simulation.stop();
      await Promise.all([simulation.world.apiServer.stop(), prometheus.close()]);
      files.remove();
    },
  };
}

/** Ten requests a second for some minutes: more than one replica serves, all but the set replicas have been scaled. */
export async function startBusyWorld(seed: number): Promise<LiveWorld> {
  const world = await startLiveWorld({ seed });
  const lengths = { input: { medianTokens: 1_000, spreadP90: 2 }, output: { medianTokens: 900, spreadP90: 1.8 } };
  world.simulation.attach(
    generateTraffic([{ durationSeconds: 3_600, requestsPerSecond: constant(10), ...lengths }], seededRandom(seed)),
  );
  await world.simulation.clock.advance(400_000);
  return world;
}
