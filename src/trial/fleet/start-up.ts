/** From the placement of a pod to its readiness: what every start takes, and weights over storage that all starts share. */
import type { Clock, Timer } from "../../clock.ts";
import type { Random } from "../../random.ts";
import { standardNormal } from "../../sim/traffic/generate.ts";

export interface StartUpModel {
  /** Container, process, compilation, warm-up: median of all but the weights. */
  readonly fixedMedianMs: number;
  /** 90th percentile of the fixed part over its median; 1: always the median. */
  readonly fixedSpreadP90: number;
  /** Read by one pod; 0 for what loads none. */
  readonly weightsGiB: number;
  /** What one pod reads when it is alone. */
  readonly podGiBPerSecond: number;
}

/** 90th percentile of the standard normal distribution. */
const Z90 = 1.2815515655446004;
const GIB_EPSILON = 1e-9;

interface Load {
  remainingGiB: number;
  readonly rateGiBPerSecond: number;
  readonly done: () => void;
}

/** Pods that load at the same time share the storage evenly, each at most at its own rate. */
export class StartUps {
  readonly #clock: Clock;
  readonly #random: Random;
  /** GiB/s of all pods together. */
  readonly #storageGiBPerSecond: number;
  readonly #loads = new Set<Load>();
  #updatedMs = 0;
  #timer: Timer | undefined;

  constructor(options: { readonly clock: Clock; readonly random: Random; readonly storageGiBPerSecond: number }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.#storageGiBPerSecond = options.storageGiBPerSecond;
  }

  /** @returns how to give up */
  begin(model: StartUpModel, ready: () => void): () => void {
    const sigma = Math.log(Math.max(1, model.fixedSpreadP90)) / Z90;
    const fixedMs = model.fixedMedianMs * Math.exp(sigma * standardNormal(this.#random));
    let load: Load | undefined;
    const timer = this.#clock.setTimer(fixedMs, () => {
      if (model.weightsGiB <= 0) {
        ready();
        return;
      }
      this.#progress();
      load = { remainingGiB: model.weightsGiB, rateGiBPerSecond: model.podGiBPerSecond, done: ready };
      this.#loads.add(load);
      this.#plan();
    });
    return () => {
      timer.cancel();
      if (load === undefined) return;
      this.#progress();
      this.#loads.delete(load);
      this.#plan();
    };
  }

  #rateOf(load: Load): number {
    return Math.min(load.rateGiBPerSecond, this.#storageGiBPerSecond / this.#loads.size);
  }

  #progress(): void {
    const nowMs = this.#clock.monotonicMs();
    const seconds = (nowMs - this.#updatedMs) / 1000;
    for (const load of this.#loads) load.remainingGiB -= seconds * this.#rateOf(load);
    this.#updatedMs = nowMs;
  }

  #plan(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const load of this.#loads) {
      nextMs = Math.min(nextMs, (1000 * Math.max(0, load.remainingGiB)) / this.#rateOf(load));
    }
    if (nextMs === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.setTimer(nextMs, () => {
      this.#progress();
      const finished = [...this.#loads].filter(({ remainingGiB }) => remainingGiB <= GIB_EPSILON);
      for (const load of finished) this.#loads.delete(load);
      this.#plan();
      for (const { done } of finished) done();
    });
  }
}
