/** Simulations of one test file, ended after each test. */
import { afterEach } from "vitest";
import { type Simulation, type SimulationOptions, simulate } from "./simulation.ts";

/** @returns what starts a simulation and waits until its set is available */
export function simulations(): (options: SimulationOptions) => Promise<Simulation> {
  let running: Simulation[] = [];
  afterEach(() => {
    for (const simulation of running) simulation.stop();
    running = [];
  });
  return async (options) => {
    const simulation = await simulate(options);
    running.push(simulation);
    await simulation.untilAvailable();
    return simulation;
  };
}
